const chart = document.getElementById("chart");
const figure = JSON.parse(document.getElementById("figure").textContent);
const narrow = chart.clientWidth < 600;
if (narrow) Object.assign(figure.layout.margin, { l: 40, r: 8 });
Plotly.newPlot(chart, figure.data, figure.layout, {
  responsive: true,
  displaylogo: false,
  displayModeBar: narrow ? false : "hover",
  // Named one by one: nothing here may offer to send the data anywhere.
  modeBarButtons: [["toImage", "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
});

// "show" brings an incident or a span into view with some days on either side; a double click on the chart brings all back.
for (const button of document.querySelectorAll("button[data-start]")) {
  button.addEventListener("click", () => {
    const start = Date.parse(button.dataset.start), end = Date.parse(button.dataset.end);
    const margin = 4 * (end - start) || 4 * 86400000;
    Plotly.relayout(chart, { "xaxis.range": [start - margin, end + margin] });
    chart.scrollIntoView({ behavior: "smooth", block: "start" });
  });
}
