// A row's last year on one canvas: a line of values above, a strip of verdicts below.

function drawDays(canvas, fleet, row, [first, stop]) {
  const drawing = contextOf(canvas);
  if (!drawing || stop <= first) return;
  const { context, width, height } = drawing;
  const { start, step, count } = fleet.cells;
  const each = width / (stop - first);
  const bar = 11;
  const top = height - bar - 4;
  const at = (cell) => (cell - first) * each;
  context.fillStyle = paint.colours.spell;
  for (const told of fleet.incidents[row] || []) {
    const from = at(Math.floor((told[INCIDENT.from] - start) / step));
    const to = at(Math.floor((told[INCIDENT.to] - start) / step) + 1);
    if (to > 0 && from < width) context.fillRect(from, 0, Math.max(to - from, 2), height);
  }
  context.strokeStyle = paint.colours.value;
  context.lineWidth = 1.1;
  context.beginPath();
  let before = false;
  for (let cell = first; cell < stop; cell += 1) {
    const level = fleet.levels[row * count + cell];
    if (level) {
      const x = at(cell + 0.5);
      const y = 2 + (top - 4) * (1 - (level - 1) / 254);
      if (before) context.lineTo(x, y);
      else { context.moveTo(x - 0.5, y); context.lineTo(x + 0.5, y); }
    }
    before = level > 0;
  }
  context.stroke();
  eachRun(fleet, row, (code, from, to) => {
    if (to > first && from < stop) {
      drawVerdict(context, VERDICTS[code], at(Math.max(from, first)), (Math.min(to, stop) - Math.max(from, first)) * each, height - bar, bar);
    }
  });
}

function eachRun(fleet, row, call) {
  let cell = 0;
  for (let at = fleet.starts[row]; at < fleet.starts[row + 1]; at += 3) {
    const length = fleet.strips[at + 1] + 256 * fleet.strips[at + 2];
    call(fleet.strips[at], cell, cell + length);
    cell += length;
  }
}

function tellDay(fleet, row, cell) {
  const { start, step, count } = fleet.cells;
  let verdict = VERDICTS[0];
  eachRun(fleet, row, (code, from, to) => { if (cell >= from && cell < to) verdict = VERDICTS[code]; });
  const level = fleet.levels[row * count + cell];
  const ends = fleet.ends[row];
  const value = level && ends ? ` · ${numberText(ends[0] + ((ends[1] - ends[0]) * (level - 1)) / 254)}` : "";
  return `${isoText(start + cell * step, step === 86400000)} · ${verdict}${value}`;
}
