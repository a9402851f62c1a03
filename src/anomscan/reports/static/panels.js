// One panel: the lines of a variable, of the score, or of the severity, with its incidents and anomalous samples.

const GREYS = ["#000000", "#525252", "#bdbdbd"];
const LINES = {
  value: ["value", "value", 1.6], expected: ["expected", "green", 1.3], median: ["cohort median", "purple", 1.2, [2, 3]],
  low: ["band from", null, 0], high: ["to", null, 0],
  score: ["score", "ink", 1.4], cutoff: ["cut-off", "mark", 1.4, [6, 3]], severity: ["severity", "ink", 1.4],
};
const MOST_ROWS = 500;

function instantsOf({ x, unit, start }) {
  const bytes = bytesOf(x).buffer;
  return unit ? Array.from(new Uint32Array(bytes), (at) => start + at * unit) : Array.from(new Float64Array(bytes), (at) => start + at);
}

const numbersOf = (text) => Array.from(new Float32Array(bytesOf(text).buffer), (value) => (Number.isNaN(value) ? null : value));

function unpackPanel(panel) {
  const lines = Object.fromEntries(Object.entries(panel.lines).map(([name, text]) => [name, numbersOf(text)]));
  return { ...panel, x: instantsOf(panel), at: numbersOf(panel.at), grey: Array.from(bytesOf(panel.grey || "")), lines };
}

// Dates as everywhere else on the page, not as Americans write them.
function dateFormat(template) {
  return uPlot.fmtDate(template.replaceAll("{M}/{D}/{YY}", "{YYYY}-{MM}-{DD}").replaceAll("{M}/{D}", "{MM}-{DD}")
    .replaceAll("{h}:{mm}{aa}", "{HH}:{mm}").replaceAll("{h}{aa}", "{HH}:00").replaceAll("{h}:{mm}:{ss}{aa}", "{HH}:{mm}:{ss}"));
}

class Panel {
  constructor(axis, drawing, panel) {
    Object.assign(this, { axis, drawing, panel });
    this.names = Object.keys(LINES).filter((name) => panel.lines[name]);
    this.place = element("div", { class: "plot", role: "img", "aria-label": this.words() });
    this.numbers = element("details", { class: "numbers" }, element("summary", {}, `${panel.title} as a table`), element("div"));
    this.numbers.addEventListener("toggle", () => this.list());
    this.node = element("div", { class: "panel" }, element("h3", {}, element("bdi", {}, panel.title)), this.place, this.numbers);
    axis.followers.push((from, to) => {
      if (this.plot) this.plot.setScale("x", { min: from, max: to });
      this.list();
    });
  }

  words() {
    const main = this.panel.lines[this.names[0]].filter((value) => value !== null);
    if (!main.length) return `${this.panel.title}: no values`;
    const ends = main.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
    return `${this.panel.title} over time: ${main.length} points from ${numberText(ends[0])} to ${numberText(ends[1])}, ${this.drawing.anomalous.toLocaleString("en")} anomalous`;
  }

  draw() {
    if (this.plot) this.plot.destroy();
    const { panel, axis } = this;
    const { colours } = paint;
    const band = [this.names.indexOf("high") + 1, this.names.indexOf("low") + 1];
    const side = { stroke: colours.soft, grid: { stroke: colours.line, width: 1 }, ticks: { stroke: colours.line, width: 1 }, font: "11px system-ui" };
    const squeezed = this.squeezed();
    this.plot = new uPlot({
      width: this.place.clientWidth, height: panel.kind === "value" ? 190 : 160, ms: 1, padding: [8, AXIS_RIGHT, 0, 0],
      fmtDate: dateFormat,
      tzDate: (ms) => uPlot.tzDate(new Date(ms), "Etc/UTC"),
      scales: { x: { time: true, min: axis.range[0], max: axis.range[1] }, ...(squeezed ? squeezed.scales : {}) },
      axes: [{ ...side, grid: { show: false } }, { ...side, size: AXIS_LEFT, values: (_, ticks) => ticks.map((tick) => numberText(tick)), ...(squeezed ? squeezed.side : {}) }],
      cursor: { sync: { key: "anomscan" }, drag: { x: true, y: false }, points: { size: 6 } },
      legend: { live: true },
      series: [{ label: "time", value: (_, at) => (at === null || at === undefined ? "" : isoText(at, this.drawing.whole)) },
        ...this.names.map((name) => this.series(name))],
      bands: band[0] && band[1] ? [{ series: band, fill: colours.band }] : [],
      hooks: { drawClear: [(plot) => this.shade(plot)], draw: [(plot) => this.mark(plot)],
        setScale: [(plot, key) => { if (key === "x") axis.move(plot.scales.x.min, plot.scales.x.max); }] },
    }, [panel.x, ...this.names.map((name) => panel.lines[name])], this.place);
  }

  // Scores many times the cut-off would flatten it: then they are drawn by their orders of magnitude, of which some are told.
  squeezed() {
    const { score, cutoff } = this.panel.lines;
    const known = (line) => (line || []).filter((value) => value !== null).sort((a, b) => a - b);
    const [cut, most] = [known(cutoff)[0], known(score).at(-1)];
    if (!(cut > 0 && most > 100 * cut)) return null;
    const orders = Math.log10(most / cut);
    const ticks = Array.from({ length: 5 }, (_, i) => cut * 10 ** Math.round((i * orders) / 4));
    return { scales: { y: { distr: 4, asinh: cut } },
      side: { splits: () => [...new Set(ticks)], filter: (_, splits) => splits, values: (_, splits) => splits.map((tick) => numberText(tick, 1)) } };
  }

  series(name) {
    const [label, colour, width, dash] = LINES[name];
    const told = { label, stroke: colour ? paint.colours[colour] : paint.colours.band, width, dash, value: (_, value) => numberText(value),
      points: { show: true, size: 3, filter: (plot, index, show, gaps) => isolated(plot.data[index]) } };
    if (name === "cutoff") told.paths = uPlot.paths.stepped({ align: 1 });
    return told;
  }

  shade(plot) {
    const { ctx, bbox } = plot;
    const at = (ms) => plot.valToPos(ms, "x", true);
    const fill = (from, to, colour) => {
      const x = Math.max(at(from - this.drawing.step / 2), bbox.left);
      const stop = Math.min(at(to + this.drawing.step / 2), bbox.left + bbox.width);
      ctx.fillStyle = colour;
      if (stop > x) ctx.fillRect(x, bbox.top, stop - x, bbox.height);
    };
    ctx.save();
    if (this.panel.kind === "score") this.drawing.inflated.forEach(([from, to]) => fill(from, to, paint.colours.yellow));
    this.drawing.incidents.forEach((each) => fill(each.from, each.to, paint.colours.spell));
    ctx.strokeStyle = paint.colours.ink;
    if (this.drawing.incidents.length <= 60) {
      for (const each of this.drawing.incidents) {
        for (const [ms, dash] of [[each.from, []], [each.to, [2, 4]]]) {
          const x = Math.round(at(ms));
          if (x < bbox.left || x > bbox.left + bbox.width || (each.open && dash.length)) continue;
          ctx.setLineDash(dash);
          ctx.beginPath();
          ctx.moveTo(x, bbox.top);
          ctx.lineTo(x, bbox.top + bbox.height);
          ctx.stroke();
        }
      }
    }
    ctx.restore();
  }

  mark(plot) {
    const { ctx, bbox } = plot;
    // Smaller where they would hide the line below them.
    const [from, to] = this.axis.range;
    const ratio = window.devicePixelRatio || 1;
    const crowded = this.drawing.marks.filter((ms) => ms >= from && ms <= to).length > bbox.width / ratio / 15;
    const size = (crowded ? 2.5 : 4) * ratio;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    this.drawing.marks.forEach((ms, i) => {
      const value = this.panel.at[i];
      if (value === null || value === undefined) return;
      const rank = this.panel.grey[i] || 0;
      ctx.beginPath();
      ctx.arc(plot.valToPos(ms, "x", true), plot.valToPos(value, "y", true), rank ? size * 1.3 : size, 0, 7);
      ctx.fillStyle = rank ? GREYS[rank - 1] : paint.colours.mark;
      // Black and grey need an edge on a dark page.
      ctx.strokeStyle = rank ? paint.colours.ink : paint.colours.paper;
      ctx.fill();
      ctx.stroke();
    });
    ctx.restore();
  }

  list() {
    if (!this.numbers.open) return;
    const { x, lines } = this.panel;
    const [from, to] = this.axis.range;
    const marked = new Set(this.drawing.marks);
    const places = x.map((at, i) => i).filter((i) => x[i] >= from && x[i] <= to && this.names.some((name) => lines[name][i] !== null));
    const told = places.slice(-MOST_ROWS).map((i) => [isoText(x[i], this.drawing.whole), ...this.names.map((name) => numberText(lines[name][i])), marked.has(x[i]) ? "anomalous" : ""]);
    this.numbers.lastChild.replaceChildren(places.length > MOST_ROWS ? element("p", { class: "soft" }, `the last ${MOST_ROWS} of ${places.length} points in view`) : "",
      table([["time", "date"], ...this.names.map((name) => [LINES[name][0], "n"]), ["", ""]], told, `${this.panel.title} as a table`));
  }
}

// Points that no line reaches, as nothing is known beside them.
function isolated(values) {
  const found = [];
  for (let i = 0; i < values.length; i += 1) {
    if (values[i] !== null && (values[i - 1] === null || i === 0) && (values[i + 1] === null || i === values.length - 1)) found.push(i);
  }
  return found;
}
