// The fleet: its rows, what of them is wanted, and in which order.

const INCIDENT = { state: 0, kind: 1, since: 2, last: 3, from: 4, to: 5, days: 6, words: 7, deviation: 8, loss: 9, variable: 10,
  muted: 11, id: 12 };
const SORTS = {
  rank: ["rank", (fleet, a, b) => a - b],
  asset: ["asset", (fleet, a, b) => (fleet.assets[a] < fleet.assets[b] ? -1 : 1)],
  since: ["newest", (fleet, a, b) => worstOf(fleet, b, "from", -Infinity) - worstOf(fleet, a, "from", -Infinity) || a - b],
  deviation: ["deviation", (fleet, a, b) => sizeOf(fleet, b) - sizeOf(fleet, a) || a - b],
  loss: ["loss", (fleet, a, b) => worstOf(fleet, b, "loss", -Infinity) - worstOf(fleet, a, "loss", -Infinity) || a - b],
  area: ["area over the cut-off", (fleet, a, b) => (fleet.area[b] || 0) - (fleet.area[a] || 0) || a - b],
};

function worstOf(fleet, row, field, otherwise) {
  const told = fleet.incidents[row];
  const value = told ? told[0][INCIDENT[field]] : null;
  return value === null ? otherwise : value;
}

const sizeOf = (fleet, row) => Math.abs(worstOf(fleet, row, "deviation", 0));

function readFleet() {
  const text = textOf("fleet");
  if (!text) return null;
  const fleet = JSON.parse(text);
  fleet.size = fleet.assets.length;
  fleet.strips = bytesOf(textOf("strips"));
  fleet.starts = rowsOfRuns(fleet.strips, fleet.cells.count, fleet.size);
  fleet.levels = bytesOf(textOf("levels"));
  fleet.words = fleet.assets.map((asset, i) => [asset, fleet.names[i] || "", fleet.cohorts[fleet.cohort[i]], fleet.reasons[fleet.unjudged[i]],
    ...(fleet.tags[i] || []), ...(fleet.incidents[i] || []).map((told) => told[INCIDENT.words])].join("\n").toLowerCase());
  return fleet;
}

// The range of days that is asked for, as [first cell, one past the last].
function rangeOf(fleet, place) {
  const { start, step, count } = fleet.cells;
  const cell = (date, otherwise, later) => {
    const ms = Date.parse(date || "");
    return Number.isNaN(ms) ? otherwise : Math.floor((ms + later - start) / step);
  };
  const from = Math.max(0, cell(place.from, 0, 0));
  const to = Math.min(count, cell(place.to, count, 86400000));
  return from < to ? [from, to] : [0, count];
}

function wanted(fleet, place) {
  const words = (place.q || "").toLowerCase().split(/\s+/).filter(Boolean);
  const from = Date.parse(place.from || "");
  const to = Date.parse(place.to || "") + 86400000;
  const rows = [];
  for (let row = 0; row < fleet.size; row += 1) {
    const told = fleet.incidents[row] || [];
    const fits = (one) => (!place.state || one[INCIDENT.state] === place.state) && (!place.kind || one[INCIDENT.kind] === place.kind)
      && !(one[INCIDENT.to] < from) && !(one[INCIDENT.from] >= to);
    const any = place.state === "none" ? told.length === 0 : !(place.state || place.kind || from || place.to) || told.some(fits);
    if (any && (!place.cohort || fleet.cohorts[fleet.cohort[row]] === place.cohort) && (!place.tag || (fleet.tags[row] || []).includes(place.tag))
      && (!place.unjudged || fleet.reasons[fleet.unjudged[row]] !== "") && words.every((word) => fleet.words[row].includes(word))) rows.push(row);
  }
  const sort = SORTS[place.sort];
  return sort && place.sort !== "rank" ? rows.sort((a, b) => sort[1](fleet, a, b)) : rows;
}
