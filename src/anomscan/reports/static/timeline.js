// The incidents of the fleet by day and cohort; days that many of a cohort share stand out.

const _BARS = 54;
const _LINE = 15;
const _COHORTS = 12;

function countDays(fleet) {
  const { start, step, count } = fleet.cells;
  const lines = new Map();
  const all = new Uint32Array(count);
  const sizes = fleet.cohorts.map(() => 0);
  fleet.cohort.forEach((cohort) => { sizes[cohort] += 1; });
  for (const [row, incidents] of Object.entries(fleet.incidents)) {
    const days = new Set();
    for (const told of incidents) {
      const from = Math.max(0, Math.floor((told[INCIDENT.from] - start) / step));
      const to = Math.min(count - 1, Math.floor((told[INCIDENT.to] - start) / step));
      for (let cell = from; cell <= to; cell += 1) days.add(cell);
    }
    const cohort = fleet.cohort[row];
    if (!lines.has(cohort)) lines.set(cohort, new Uint32Array(count));
    const line = lines.get(cohort);
    days.forEach((cell) => { line[cell] += 1; all[cell] += 1; });
  }
  const sum = (line) => line.reduce((a, b) => a + b, 0);
  const told = [...lines].map(([cohort, line]) => ({ name: fleet.cohorts[cohort], line, size: sizes[cohort], sum: sum(line) }))
    .filter((each) => each.name && each.sum).sort((a, b) => b.sum - a.sum);
  return { all, told: told.slice(0, _COHORTS) };
}

const isCommon = (cohort, cell) => cohort.line[cell] >= Math.max(3, cohort.size / 4);

class Timeline {
  constructor(fleet, choose) {
    this.fleet = fleet;
    this.days = countDays(fleet);
    this.canvas = document.getElementById("timeline");
    const most = this.days.all.reduce((a, b) => Math.max(a, b), 0);
    if (!most) return;
    this.most = most;
    document.getElementById("timeline-part").hidden = false;
    document.getElementById("timeline-words").textContent = `Assets with an incident, by ${fleet.unit}: at most ${most.toLocaleString("en")} `
      + `(${isoText(fleet.cells.start + this.days.all.indexOf(most) * fleet.cells.step, true)}).`
      + (this.days.told.length ? " Below by cohort; framed where a quarter of it, and at least three, share one." : "")
      + (this.fleet.most ? ` Of the incidents of an asset the ${this.fleet.most} worst are counted.` : "");
    this.canvas.style.height = `${_BARS + 18 + this.days.told.length * _LINE}px`;
    this.canvas.addEventListener("click", (event) => choose(isoText(fleet.cells.start + this.cell(event) * fleet.cells.step, true)));
    this.canvas.addEventListener("mousemove", (event) => showTip(event, this.tell(this.cell(event))));
    this.canvas.addEventListener("mouseleave", (event) => showTip(event, ""));
    this.list();
    this.draw();
  }

  get left() { return this.days.told.length ? Math.min(110, this.canvas.clientWidth / 4) : 0; }

  cell(event) {
    const share = (event.offsetX - this.left) / (this.canvas.clientWidth - this.left);
    return Math.max(0, Math.min(this.fleet.cells.count - 1, Math.floor(share * this.fleet.cells.count)));
  }

  tell(cell) {
    const { start, step } = this.fleet.cells;
    const parts = this.days.told.filter((cohort) => cohort.line[cell]).map((cohort) => `${cohort.name} ${cohort.line[cell]}`);
    return `${isoText(start + cell * step, step === 86400000)}: ${this.days.all[cell]} with an incident${parts.length ? ` (${parts.join(", ")})` : ""}`;
  }

  draw() {
    const drawing = this.most && contextOf(this.canvas);
    if (!drawing) return;
    const { context, width } = drawing;
    const { start, step, count } = this.fleet.cells;
    const each = (width - this.left) / count;
    const { colours } = paint;
    for (let cell = 0; cell < count; cell += 1) {
      const height = (this.days.all[cell] / this.most) * (_BARS - 4);
      context.fillStyle = colours.mark;
      if (height) context.fillRect(this.left + cell * each, _BARS - height, Math.max(each - 0.3, 0.8), height);
    }
    context.fillStyle = colours.soft;
    context.font = "11px system-ui, sans-serif";
    const months = Math.ceil(12 / Math.max(3, Math.floor(width / 90)));
    let before = null;
    for (let cell = 0; cell < count; cell += 1) {
      const at = new Date(start + cell * step);
      const month = at.getUTCMonth();
      if (before !== null && month !== before && month % months === 0) {
        const x = this.left + cell * each;
        if (x + 44 < width) context.fillText(isoText(at.getTime(), true).slice(0, 7), x, _BARS + 12);
        context.fillRect(this.left + cell * each, _BARS, 1, 4);
      }
      before = month;
    }
    this.days.told.forEach((cohort, line) => {
      const y = _BARS + 18 + line * _LINE;
      context.globalAlpha = 1;
      context.fillStyle = colours.soft;
      context.fillText(cohort.name, 0, y + 10, this.left - 6);
      context.fillStyle = colours.shade;
      context.fillRect(this.left, y, width - this.left, _LINE - 3);
      for (let cell = 0; cell < count; cell += 1) {
        if (!cohort.line[cell]) continue;
        context.globalAlpha = 0.2 + 0.8 * Math.min(1, cohort.line[cell] / Math.max(cohort.size / 2, 1));
        context.fillStyle = colours.mark;
        context.fillRect(this.left + cell * each, y, Math.max(each, 0.8), _LINE - 3);
        if (isCommon(cohort, cell)) {
          context.globalAlpha = 1;
          context.fillStyle = colours.ink;
          context.fillRect(this.left + cell * each, y - 1, Math.max(each, 0.8), 2);
          context.fillRect(this.left + cell * each, y + _LINE - 4, Math.max(each, 0.8), 2);
        }
      }
      context.globalAlpha = 1;
    });
  }

  list() {
    const { start, step, count } = this.fleet.cells;
    const cells = Array.from({ length: count }, (_, cell) => cell).filter((cell) => this.days.all[cell])
      .sort((a, b) => this.days.all[b] - this.days.all[a] || a - b).slice(0, 20);
    const shares = (cell) => this.days.told.filter((cohort) => cohort.line[cell])
      .map((cohort) => `${cohort.name} ${cohort.line[cell]} of ${cohort.size}${isCommon(cohort, cell) ? ", common" : ""}`).join("; ");
    document.querySelector("#timeline-table div").replaceChildren(table([["day", "date"], ["assets", "n"], ["cohorts", ""]],
      cells.map((cell) => [isoText(start + cell * step, step === 86400000), String(this.days.all[cell]), shares(cell)]), "days with the most incidents"));
  }
}
