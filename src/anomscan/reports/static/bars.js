// Strips above the panels of an asset: incidents, health and verdicts, each in stretches.

const HEALTH_FILLS = ["ok", "skipped", "silent", "no-data", "warming-up"];

class Strip {
  constructor(axis, title, stretches, draw) {
    Object.assign(this, { axis, title });
    this.stretches = stretches;
    this.drawOne = draw;
    this.canvas = element("canvas", { role: "img", "aria-label": `${title}: ${this.words()}` });
    this.node = element("div", { class: "strip" }, element("span", {}, title), this.canvas);
    this.canvas.addEventListener("mousemove", (event) => showTip(event, this.tell(event.offsetX)));
    this.canvas.addEventListener("mouseleave", (event) => showTip(event, ""));
    axis.followers.push(() => this.draw());
  }

  words() {
    const counts = new Map();
    this.stretches.forEach(({ name }) => counts.set(name, (counts.get(name) || 0) + 1));
    return [...counts].slice(0, 8).map(([name, many]) => `${many} × ${name}`).join("; ") || "none";
  }

  // The stretches in view, as rows of a table.
  rows() {
    const [from, to] = this.axis.range;
    const iso = (at) => isoText(at, this.axis.step >= DAY);
    return this.stretches.filter((each) => each.to >= from && each.from <= to).map((each) => [this.title, each.name, iso(each.from), iso(each.to)]);
  }

  tell(x) {
    const [from, to] = this.axis.range;
    const at = from + ((x - AXIS_LEFT) / (this.canvas.clientWidth - AXIS_LEFT - AXIS_RIGHT)) * (to - from);
    const half = this.axis.step / 2;
    const found = this.stretches.filter((each) => at >= each.from - half && at <= each.to + half);
    return found.length ? `${isoText(Math.round((at - half) / this.axis.step) * this.axis.step + half, this.axis.step >= DAY)}: ${found.map((each) => each.name).join("; ")}` : "";
  }

  draw() {
    const drawing = contextOf(this.canvas);
    if (!drawing) return;
    const { context, width, height } = drawing;
    const [from, to] = this.axis.range;
    const scale = (width - AXIS_LEFT - AXIS_RIGHT) / (to - from);
    const half = this.axis.step / 2;
    context.beginPath();
    context.rect(AXIS_LEFT, 0, width - AXIS_LEFT - AXIS_RIGHT, height);
    context.clip();
    context.fillStyle = paint.colours.shade;
    context.fillRect(0, 0, width, height);
    for (const each of this.stretches) {
      const x = AXIS_LEFT + (each.from - half - from) * scale;
      const stop = AXIS_LEFT + (each.to + half - from) * scale;
      if (stop >= AXIS_LEFT && x <= width) this.drawOne(context, each, x, stop - x, height);
    }
  }
}

function incidentStrip(axis, drawing) {
  const stretches = drawing.incidents.map((each) => ({ ...each, name: each.words }));
  return new Strip(axis, "incidents", stretches, (context, each, x, width, height) => {
    context.fillStyle = paint.colours.mark;
    context.fillRect(x, height * 0.3, Math.max(width, 2), height * 0.4);
    context.fillStyle = paint.colours.ink;
    context.fillRect(x, 0, 2, height);
    if (!each.open) context.fillRect(x + Math.max(width, 2) - 1, 2, 1, height - 4);
  });
}

function healthStrip(axis, drawing) {
  const lengths = new Map();
  drawing.health.forEach(([name, from, to]) => lengths.set(name, (lengths.get(name) || 0) + to - from + drawing.step));
  const names = [...lengths.keys()].sort((a, b) => lengths.get(b) - lengths.get(a));
  const stretches = drawing.health.map(([name, from, to]) => ({ name, from, to, rank: names.indexOf(name) }));
  return new Strip(axis, "health", stretches, (context, each, x, width, height) => {
    drawVerdict(context, HEALTH_FILLS[Math.min(each.rank, HEALTH_FILLS.length - 1)], x, width, 0, height);
  });
}

function verdictStrip(axis, drawing) {
  const stretches = drawing.verdicts.map(([code, from, to]) => ({ name: VERDICTS[code], from, to }));
  return new Strip(axis, "verdicts", stretches, (context, each, x, width, height) => drawVerdict(context, each.name, x, width, 0, height));
}
