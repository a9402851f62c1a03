// The form above the table, and the address, say which rows are wanted.

const FILTERS = ["q", "state", "kind", "cohort", "tag", "from", "to", "sort", "unjudged"];

class Filters {
  constructor(fleet, changed) {
    this.form = document.getElementById("filters");
    this.fields = Object.fromEntries(FILTERS.map((name) => [name, document.getElementById(`f-${name}`)]));
    const told = Object.values(fleet.incidents).flat();
    const known = (field, order) => [...new Set(told.map((one) => one[INCIDENT[field]]))].sort((a, b) => order.indexOf(a) - order.indexOf(b));
    this.options("state", [...known("state", ["new", "reopened", "ongoing", "open", "quiet", "unknown", "closed"]).map((each) => [each, each]), ["none", "without incident"]], "any");
    this.options("kind", known("kind", []).sort().map((each) => [each, each]), "any");
    this.options("cohort", fleet.cohorts.filter(Boolean).map((each) => [each, each]), "any");
    this.options("tag", [...new Set(Object.values(fleet.tags).flat())].sort().map((each) => [each, each]), "any");
    this.options("sort", Object.entries(SORTS).map(([name, [title]]) => [name, title]), null);
    this.form.hidden = false;
    this.form.addEventListener("input", () => changed());
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("reset", () => setTimeout(changed));
    document.addEventListener("keydown", (event) => {
      if (event.key === "/" && !event.target.closest("input, select, textarea") && this.form.offsetParent) {
        event.preventDefault();
        this.fields.q.focus();
      }
    });
  }

  options(name, pairs, otherwise) {
    const all = otherwise === null ? pairs : [["", otherwise], ...pairs];
    this.fields[name].replaceChildren(...all.map(([value, title]) => element("option", { value }, title)));
    this.fields[name].parentElement.hidden = all.length < 2;
  }

  get place() {
    const place = Object.fromEntries(FILTERS.map((name) => [name, this.fields[name].value]));
    place.unjudged = this.fields.unjudged.checked ? "1" : "";
    if (place.sort === "rank") place.sort = "";
    return place;
  }

  set place(place) {
    for (const name of FILTERS) this.fields[name].value = place[name] || (name === "sort" ? "rank" : "");
    this.fields.unjudged.checked = Boolean(place.unjudged);
  }
}
