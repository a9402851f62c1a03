// Puts the page together.

let view = null;

function onRepaint(repaint) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  let width = window.innerWidth;
  window.addEventListener("resize", () => {
    if (window.innerWidth !== width) repaint();
    width = window.innerWidth;
  });
}

// What is told of an asset whose view was left out of the file.
function summaryOf(fleet, row) {
  const told = fleet.incidents[row].map((each) =>
    element("li", { class: each[INCIDENT.state] }, each[INCIDENT.words], " ", element("small", {}, each[INCIDENT.state])));
  return [
    element("p", {}, element("a", { class: "back", href: "#" }, "← all assets")),
    element("h1", {}, element("bdi", {}, fleet.assets[row])),
    element("ul", { class: "told" }, ...told),
    element("p", { class: "note" }, "Its charts were left out of this file for its size. A report into a folder has those of all assets."),
  ];
}

// What the page holds of an asset; null where that is no more than its row.
function heldOf(fleet, row) {
  if (row < 0) return null;
  if (fleet.views[row]) return [document.getElementById(`v-${fleet.views[row]}`).content.cloneNode(true)];
  return fleet.incidents[row] && !fleet.pages[row] ? summaryOf(fleet, row) : null;
}

// Shows the view of an asset in the place of the fleet, if the address asks for one that the page holds.
function showView(fleet) {
  const { asset } = readPlace();
  const row = asset === undefined ? -1 : fleet.assets.indexOf(asset);
  const held = heldOf(fleet, row);
  const [whole, one] = [document.getElementById("fleet-view"), document.getElementById("asset-view")];
  if (held === null && row >= 0 && fleet.pages[row]) location.replace(`charts/${fleet.pages[row]}.html`);
  whole.hidden = held !== null;
  one.hidden = held === null;
  view = null;
  one.replaceChildren();
  if (held === null) return false;
  one.append(...held);
  one.querySelector(".back").addEventListener("click", leaveView);
  window.scrollTo(0, 0);
  view = fleet.views[row] ? drawView(one) : null;
  one.focus({ preventScroll: true });
  return true;
}

let cameFromFleet = false;

function leaveView(event) {
  if (!cameFromFleet) return;
  event.preventDefault();
  history.back();
}

// How many of some rows are assets, not cohorts.
const assetsIn = (fleet, rows) => [...rows].filter((row) => !fleet.assets[row].startsWith("cohort:")).length.toLocaleString("en");

function showFleet(fleet) {
  const open = (row) => {
    const target = targetOf(fleet, row);
    if (target) location.assign(target);
  };
  const rows = new Rows(fleet, open);
  const status = document.getElementById("shown");
  const key = document.getElementById("key");
  let place = {};
  const apply = () => {
    const shown = wanted(fleet, place);
    const all = assetsIn(fleet, fleet.assets.keys());
    status.textContent = `${assetsIn(fleet, shown)} of ${all} ${all === "1" ? "asset" : "assets"}`;
    rows.show(shown, rangeOf(fleet, place));
  };
  const filters = new Filters(fleet, () => {
    place = filters.place;
    writePlace(place);
    apply();
  });
  const timeline = new Timeline(fleet, (day) => {
    filters.place = { ...filters.place, from: day, to: day };
    place = filters.place;
    writePlace(place);
    apply();
  });
  const repaint = () => {
    readColours();
    if (view) view.draw();
    drawKey(key, VERDICTS.slice(1));
    timeline.draw();
    rows.redraw();
  };
  const follow = () => {
    if (showView(fleet)) return;
    const asked = readPlace();
    if (Object.keys(asked).some((name) => FILTERS.includes(name)) || cameFromFleet) filters.place = asked;
    place = filters.place;
    drawKey(key, VERDICTS.slice(1));
    timeline.draw();
    apply();
    if (cameFromFleet) {
      window.scrollTo(0, leftAt);
      refocus();
    }
    cameFromFleet = false;
  };
  // Where on the page of the fleet the reader was before an asset was opened.
  let leftAt = 0;
  let refocus = () => {};
  const inFleet = () => !document.getElementById("fleet-view").hidden;
  window.addEventListener("scroll", () => { if (inFleet()) leftAt = window.scrollY; }, { passive: true });
  window.addEventListener("hashchange", () => {
    if (readPlace().asset !== undefined && inFleet()) {
      cameFromFleet = true;
      const [focused, row] = [document.activeElement, rows.at];
      refocus = rows.root.contains(focused) ? () => rows.focus(row) : () => focused.focus({ preventScroll: true });
    }
    follow();
  });
  onRepaint(repaint);
  document.addEventListener("keydown", (event) => {
    const back = document.querySelector("#asset-view .back");
    if (event.key === "Escape" && back) back.click();
  });
  follow();
}

readColours();
if (document.getElementById("fleet")) showFleet(readFleet());
else {
  view = drawView(document);
  onRepaint(() => view && view.draw());
}
