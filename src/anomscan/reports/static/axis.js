// The axis of time that the panels and strips of an asset share.

const AXIS_LEFT = 62;
const AXIS_RIGHT = 34;
const DAY = 86400000;

class Axis {
  constructor(drawing) {
    const ends = [...drawing.panels.flatMap((panel) => (panel.x.length ? [panel.x[0], panel.x[panel.x.length - 1]] : [])),
      ...drawing.incidents.flatMap((each) => [each.from, each.to]), ...(drawing.reported || [])];
    this.step = drawing.step;
    this.whole = ends.length ? [Math.min(...ends) - this.step, Math.max(...ends) + this.step] : [0, DAY];
    this.reported = drawing.reported && [drawing.reported[0] - this.step, drawing.reported[1] + this.step];
    const latest = [...drawing.incidents].sort((a, b) => b.open - a.open || b.to - a.to)[0];
    this.incident = latest ? this.around(latest.from, latest.to) : null;
    this.range = this.incident || this.reported || this.whole;
    if (!this.incident) this.range = this.widened(this.range);
    this.followers = [];
  }

  // An incident with as much about it as shows what is unusual in it.
  around(from, to) {
    const margin = Math.max(2 * (to - from), 30 * this.step);
    return [Math.max(from - margin, this.whole[0]), Math.min(to + margin, this.whole[1])];
  }

  // A stretch of a point or two shows nothing: then with what was before.
  widened([from, to]) {
    return [Math.max(Math.min(from, to - 90 * this.step), this.whole[0]), to];
  }

  get choices() {
    const last = this.whole[1];
    const back = (span) => [Math.max(last - span, this.whole[0]), last];
    const length = last - this.whole[0];
    return [["latest incident", this.incident], ["90 days", length > 90 * DAY ? back(90 * DAY) : null],
      ["a year", length > 366 * DAY ? back(366 * DAY) : null], ["reported", this.reported], ["all", this.whole]].filter(([, range]) => range);
  }

  move(from, to) {
    if (!(to > from) || (from === this.range[0] && to === this.range[1])) return;
    this.range = [from, to];
    this.followers.forEach((follow) => follow(from, to));
  }

  key(key) {
    const [from, to] = this.range;
    const part = (to - from) / 4;
    const moved = { ArrowLeft: [from - part, to - part], ArrowRight: [from + part, to + part], "+": [from + part, to - part],
      "-": [from - part, to + part], Home: this.whole }[key];
    if (moved) this.move(...moved);
    return Boolean(moved);
  }
}
