// The table of the fleet: only the rows on the screen are elements.

// So many rows go onto paper.
const PRINTED = 300;
const COLUMNS = [["asset", "asset"], ["state", "state"], ["since", "since"], ["words", "what"], ["deviation", "off by"], ["loss", "lost"],
  ["days", "the last year"]];
const NUMBERS = ["deviation", "loss"];

class Rows {
  constructor(fleet, open) {
    this.fleet = fleet;
    this.open = open;
    this.shown = [];
    this.range = [0, fleet.cells.count];
    this.made = new Map();
    this.at = 0;
    this.root = document.getElementById("rows");
    this.root.hidden = false;
    this.body = this.root.querySelector(".body");
    this.root.querySelector(".head").append(element("div", { class: "row", role: "row" },
      ...COLUMNS.map(([name, title]) => element("div", { class: `cell ${name}${NUMBERS.includes(name) ? " n" : ""}`, role: "columnheader" },
        name === "days" ? fleet.unit === "day" ? `last ${fleet.cells.count} days` : `last ${fleet.cells.count} × ${fleet.unit}` : title))));
    window.addEventListener("scroll", () => this.draw(), { passive: true });
    window.addEventListener("resize", () => this.redraw());
    this.rest = document.getElementById("not-printed");
    window.addEventListener("beforeprint", () => this.print());
    window.addEventListener("afterprint", () => this.redraw());
    this.body.addEventListener("keydown", (event) => this.key(event));
    this.body.addEventListener("mousemove", (event) => this.hover(event));
    this.body.addEventListener("mouseleave", (event) => showTip(event, ""));
    this.body.addEventListener("click", (event) => this.click(event));
  }

  show(rows, range) {
    this.shown = rows;
    this.range = range;
    this.at = 0;
    this.root.setAttribute("aria-rowcount", rows.length + 1);
    this.redraw();
  }

  redraw() {
    this.made.forEach((made) => made.remove());
    this.made.clear();
    this.height = Number.parseFloat(getComputedStyle(this.root).getPropertyValue("--row"));
    this.body.style.height = `${this.shown.length * this.height}px`;
    this.draw();
  }

  print() {
    const printed = Math.min(this.shown.length, PRINTED);
    this.body.style.height = `${printed * this.height}px`;
    this.made.forEach((made, place) => { made.hidden = place >= printed; });
    this.rest.textContent = printed < this.shown.length
      ? `The first ${printed} of ${this.shown.length.toLocaleString("en")} rows are printed; search and filter for others.` : "";
    this.draw(printed);
  }

  draw(atLeast = 0) {
    if (!this.root.clientWidth) return;
    const above = -this.body.getBoundingClientRect().top;
    const first = atLeast ? 0 : Math.max(0, Math.floor(above / this.height) - 4);
    const stop = Math.min(this.shown.length, atLeast || Math.max(Math.ceil((above + window.innerHeight) / this.height) + 4, 12));
    for (const [place, made] of this.made) {
      if ((place < first || place >= stop) && made !== document.activeElement) {
        made.remove();
        this.made.delete(place);
      }
    }
    for (let place = first; place < stop; place += 1) if (!this.made.has(place)) this.add(place);
  }

  add(place) {
    const made = this.row(place);
    made.style.top = `${place * this.height}px`;
    const after = [...this.made.keys()].filter((other) => other > place).sort((a, b) => a - b)[0];
    this.body.insertBefore(made, after === undefined ? null : this.made.get(after));
    this.made.set(place, made);
    drawDays(made.querySelector("canvas"), this.fleet, this.shown[place], this.range);
  }

  row(place) {
    const { fleet } = this;
    const row = this.shown[place];
    const told = (fleet.incidents[row] || [])[0];
    const field = (name) => (told ? told[INCIDENT[name]] : null);
    const reason = fleet.reasons[fleet.unjudged[row]];
    const state = told ? field("state") : reason ? "not judged" : "–";
    const off = field("deviation");
    const target = targetOf(fleet, row);
    const label = fleet.names[row] || fleet.assets[row];
    const name = element(target ? "a" : "b", { href: target, tabindex: target ? "-1" : null, title: fleet.assets[row] }, element("bdi", {}, label));
    const more = (fleet.incidents[row] || []).length - 1 + (fleet.more[row] || 0);
    const loss = field("loss");
    const cells = {
      asset: [name, element("small", {}, [fleet.names[row] ? fleet.assets[row] : "", fleet.cohorts[fleet.cohort[row]], ...(fleet.tags[row] || [])].filter(Boolean).join(" · "))],
      state: [element("span", { class: `badge ${state}${field("muted") ? " muted" : ""}`, title: field("muted") }, state), field("muted") ? element("small", {}, field("muted").split(" ")[0]) : null],
      since: [field("since") || "–"],
      words: [element("span", { class: "two" }, told ? field("words") : reason || "nothing amiss"), more > 0 ? element("small", {}, `and ${more} more`) : null],
      deviation: [off === null ? "–" : `${off > 0 ? "+" : "−"}${percentText(Math.abs(100 * off))} %`],
      loss: [loss === null || loss <= 0 ? "–" : numberText(loss, 2)],
      days: [element("canvas", { role: "img", "aria-label": this.tell(row) })],
    };
    return element("div", { class: `row${target ? " opens" : ""}`, role: "row", "aria-rowindex": place + 2, tabindex: place === this.at ? "0" : "-1", "data-place": place },
      ...COLUMNS.map(([column]) => element("div", { class: `cell ${column}${NUMBERS.includes(column) ? " n" : ""}`, role: "cell" }, ...cells[column])));
  }

  tell(row) {
    const counts = new Map();
    eachRun(this.fleet, row, (code, from, to) => {
      const many = Math.min(to, this.range[1]) - Math.max(from, this.range[0]);
      if (many > 0 && code) counts.set(VERDICTS[code], (counts.get(VERDICTS[code]) || 0) + many);
    });
    return [...counts].map(([verdict, many]) => `${many} ${verdict}`).join(", ") || "nothing reported";
  }

  click(event) {
    const made = event.target.closest(".row");
    if (!made) return;
    this.at = Number(made.dataset.place);
    if (event.target.closest("a")) return;
    this.open(this.shown[Number(made.dataset.place)]);
  }

  hover(event) {
    const made = event.target.closest(".row");
    if (!made || event.target.tagName !== "CANVAS") return showTip(event, "");
    const [first, stop] = this.range;
    const cell = first + Math.floor(((event.offsetX / event.target.clientWidth) * (stop - first)));
    return showTip(event, cell < stop ? tellDay(this.fleet, this.shown[Number(made.dataset.place)], cell) : "");
  }

  key(event) {
    const page = Math.max(1, Math.floor(window.innerHeight / this.height) - 1);
    const last = this.shown.length - 1;
    const to = { ArrowDown: this.at + 1, ArrowUp: this.at - 1, PageDown: this.at + page, PageUp: this.at - page, Home: 0, End: last }[event.key];
    if (event.key === "Enter") this.open(this.shown[this.at]);
    else if (to !== undefined) this.focus(Math.max(0, Math.min(last, to)));
    else return;
    event.preventDefault();
  }

  focus(place) {
    const before = this.made.get(this.at);
    if (before) before.tabIndex = -1;
    this.at = place;
    const top = this.body.getBoundingClientRect().top + place * this.height;
    if (top < 0 || top + this.height > window.innerHeight) window.scrollBy(0, top - window.innerHeight / 2);
    this.draw();
    const made = this.made.get(place);
    made.tabIndex = 0;
    made.focus({ preventScroll: true });
  }
}

function targetOf(fleet, row) {
  if (!fleet.views[row] && fleet.pages[row]) return `charts/${fleet.pages[row]}.html`;
  // What was left out of the file for its size is told in words.
  return fleet.views[row] || fleet.incidents[row] ? `#${new URLSearchParams({ asset: fleet.assets[row] })}` : null;
}
