// Elements of the page. Text from data is only ever set as text.

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function table(headings, rows, caption) {
  const head = element("tr", {}, ...headings.map(([text, kind]) => element("th", { scope: "col", class: kind }, text)));
  const body = rows.map((cells) =>
    element("tr", {}, ...cells.map((cell, i) => element("td", { class: headings[i][1] }, cell))),
  );
  return element("div", { class: "wide", tabindex: "0", role: "region", "aria-label": caption },
    element("table", {}, element("thead", {}, head), element("tbody", {}, ...body)));
}

const numberText = (number, digits = 4) => {
  if (number === null || number === undefined || Number.isNaN(number)) return "–";
  const size = Math.abs(number);
  return size !== 0 && (size >= 1e6 || size < 1e-3) ? number.toExponential(digits - 1) : String(Number(number.toPrecision(digits)));
};

const percentText = (percent) => (percent >= 100 && percent < 1e6 ? Math.round(percent).toLocaleString("en") : numberText(percent, 2));

const isoText = (ms, whole) => new Date(ms).toISOString().slice(0, whole ? 10 : 16).replace("T", " ");

function showTip(event, text) {
  const tip = document.getElementById("tip");
  tip.hidden = !text;
  if (!text) return;
  tip.textContent = text;
  const left = Math.min(event.clientX + 12, window.innerWidth - tip.offsetWidth - 8);
  tip.style.left = `${Math.max(left, 4)}px`;
  tip.style.top = `${event.clientY + 16 + tip.offsetHeight > window.innerHeight ? event.clientY - tip.offsetHeight - 10 : event.clientY + 16}px`;
}
