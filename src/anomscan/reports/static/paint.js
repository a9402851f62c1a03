// Colours and hatchings, the same on every canvas of the page.

const paint = { colours: {}, patterns: new Map() };
const VERDICTS = ["nothing reported", "ok", "anomalous", "warming-up", "skipped", "no-data", "silent"];

function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["paper", "ink", "soft", "line", "shade", "mark", "ok", "warming", "skipped", "missing", "silent", "green",
    "purple", "yellow", "band", "spell", "value", "blue", "red"]) {
    paint.colours[name] = style.getPropertyValue(`--${name}`).trim();
  }
  paint.patterns.clear();
}

// A canvas as large as it is shown, in the pixels of the screen; null where it is not shown.
function contextOf(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  if (!width || !height) return null;
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  return { context, width, height };
}

const _HATCHES = {
  "warming-up": ["warming", (c) => { c.moveTo(0, 6); c.lineTo(6, 0); }],
  skipped: ["skipped", (c) => { c.moveTo(0, 0); c.lineTo(6, 6); }],
  "no-data": ["missing", (c) => { c.moveTo(3, 0); c.lineTo(3, 2); }],
  silent: ["silent", (c) => { c.moveTo(0, 0); c.lineTo(6, 6); c.moveTo(0, 6); c.lineTo(6, 0); }],
};

function fillOf(context, verdict) {
  if (verdict === "ok") return paint.colours.ok;
  if (verdict === "anomalous") return paint.colours.mark;
  if (!(verdict in _HATCHES)) return null;
  if (!paint.patterns.has(verdict)) {
    const tile = document.createElement("canvas");
    tile.width = tile.height = 6;
    const c = tile.getContext("2d");
    const [colour, draw] = _HATCHES[verdict];
    c.strokeStyle = paint.colours[colour];
    c.lineWidth = 1.6;
    c.beginPath();
    draw(c);
    c.stroke();
    paint.patterns.set(verdict, context.createPattern(tile, "repeat"));
  }
  return paint.patterns.get(verdict);
}

// One stretch of a verdict; what is well is low, what is anomalous is tall, so that it shows without colour.
function drawVerdict(context, verdict, x, width, y, height) {
  const fill = fillOf(context, verdict);
  if (fill === null) return;
  context.fillStyle = fill;
  if (verdict === "ok") context.fillRect(x, y + height * 0.62, width, height * 0.38);
  else context.fillRect(x, y, Math.max(width, verdict === "anomalous" ? 1.5 : 0), height);
}

function drawKey(list, verdicts) {
  list.replaceChildren(...verdicts.map((verdict) => element("li", {}, element("canvas", { "aria-hidden": "true" }), verdict)));
  list.querySelectorAll("canvas").forEach((canvas, i) => {
    const drawing = contextOf(canvas);
    if (drawing) drawVerdict(drawing.context, verdicts[i], 0, drawing.width, 0, drawing.height);
  });
}
