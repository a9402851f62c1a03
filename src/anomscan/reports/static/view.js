// The view of an asset: its strips and panels, moved together, by mouse or keys.

// The width of charts on paper, A4 or letter, in pixels of CSS.
const PAPER = 700;

class AssetView {
  constructor(place, drawing) {
    drawing.panels = drawing.panels.map(unpackPanel);
    drawing.marks = instantsOf(drawing.marks);
    this.axis = new Axis(drawing);
    this.panels = drawing.panels.map((panel) => new Panel(this.axis, drawing, panel));
    this.strips = [drawing.incidents.length && incidentStrip(this.axis, drawing), drawing.health.length && healthStrip(this.axis, drawing),
      drawing.verdicts.length && verdictStrip(this.axis, drawing)].filter(Boolean);
    const buttons = this.axis.choices.map(([title, range]) => {
      const button = element("button", { type: "button" }, title);
      button.addEventListener("click", () => this.axis.move(...range));
      return [button, range];
    });
    const press = () => buttons.forEach(([button, range]) =>
      button.setAttribute("aria-pressed", range[0] === this.axis.range[0] && range[1] === this.axis.range[1]));
    this.axis.followers.push(press);
    press();
    this.live = element("p", { class: "soft", role: "status" });
    this.axis.followers.push(() => this.say(drawing));
    const greys = drawing.panels.some((panel) => panel.grey.length);
    const key = element("ul", { class: "key" });
    this.shares = element("div");
    this.numbers = element("details", { class: "numbers" },
      element("summary", {}, `${this.strips.map((strip) => strip.title).join(", ")} as a table`), element("div"));
    this.numbers.addEventListener("toggle", () => this.list());
    this.axis.followers.push(() => this.list());
    this.group = element("div", { class: "moving", tabindex: "0", role: "group",
      "aria-label": "charts: the arrow keys move them, plus and minus zoom, Home shows all" },
      ...this.strips.map((strip) => strip.node), this.strips.length ? this.numbers : "", ...this.panels.map((panel) => panel.node));
    place.replaceChildren(element("div", { class: "ranges", role: "group", "aria-label": "time shown" }, ...buttons.map(([button]) => button)),
      this.live, this.group, key, greys ? this.greyKey() : "", this.shares);
    this.key = key;
    this.share(drawing);
    this.axis.followers.push(() => this.share(drawing));
    this.group.addEventListener("keydown", (event) => {
      if (!event.target.closest("table") && this.axis.key(event.key)) event.preventDefault();
    });
    this.say(drawing);
    this.draw();
    window.addEventListener("beforeprint", () => this.fit(place, `${PAPER}px`));
    window.addEventListener("afterprint", () => this.fit(place, ""));
  }

  fit(place, width) {
    if (!place.isConnected) return;
    place.style.width = width;
    this.draw();
  }

  say(drawing) {
    const { whole, step } = this.axis;
    const [from, to] = [Math.max(this.axis.range[0], whole[0] + step), Math.min(this.axis.range[1], whole[1] - step)];
    const marks = drawing.marks.filter((at) => at >= from && at <= to).length;
    const told = drawing.marks.length < drawing.anomalous
      ? `${marks} anomalous samples marked, of ${drawing.anomalous.toLocaleString("en")} in all those whose scores stand out` : `${marks} anomalous`;
    this.live.textContent = `${isoText(from, drawing.whole)} to ${isoText(to, drawing.whole)}: ${told}. Drag to zoom, double-click for all.`;
  }

  list() {
    if (!this.numbers.open) return;
    const rows = this.strips.flatMap((strip) => strip.rows());
    this.numbers.lastChild.replaceChildren(rows.length > MOST_ROWS ? element("p", { class: "soft" }, `the first ${MOST_ROWS} of ${rows.length} stretches in view`) : "",
      table([["strip", ""], ["what", ""], ["from", "date"], ["to", "date"]], rows.slice(0, MOST_ROWS), "stretches of incidents, health and verdicts"));
  }

  greyKey() {
    return element("p", { class: "soft" }, "Dots: the first (black), second (dark grey) and third (light grey) contributor of an anomalous sample.");
  }

  // What each variable contributes to an incident: the latest one in view, else the latest of all.
  share(drawing) {
    const told = drawing.incidents.filter((each) => each.shares.length).sort((a, b) => b.open - a.open || b.to - a.to);
    const [from, to] = this.axis.range;
    const one = told.find((each) => each.from <= to && each.to >= from) || told[0];
    if (!one || one === this.told) return;
    this.told = one;
    const most = Math.max(...one.shares.map(([, share]) => share));
    this.shares.replaceChildren(element("h3", {}, "Contributions by variable over the incident"), element("p", { class: "soft" }, one.words),
      ...one.shares.map(([name, share]) => {
        const bar = element("i");
        bar.style.width = `${(100 * share) / most}%`;
        return element("div", { class: "share" }, element("bdi", {}, name), element("span", {}, bar), `${numberText(100 * share, 2)} %`);
      }));
  }

  draw() {
    readColours();
    this.strips.forEach((strip) => strip.draw());
    this.panels.forEach((panel) => panel.draw());
    if (this.strips.length) drawKey(this.key, VERDICTS.slice(1));
  }
}

// Draws the charts of a view that is on the page; null where it has none.
function drawView(root) {
  const place = root.querySelector("[data-drawing]");
  const text = place && textOf(`d-${place.dataset.drawing}`);
  if (!text) return null;
  const view = new AssetView(place, JSON.parse(text));
  root.querySelectorAll("button[data-start]").forEach((button) => button.addEventListener("click", () => {
    const [from, to] = [button.dataset.start, button.dataset.end].map((at) => Date.parse(at));
    view.axis.move(...view.axis.around(from, to));
    place.scrollIntoView({ block: "start" });
    view.group.focus({ preventScroll: true });
  }));
  return view;
}
