// The charts of the usage page. All figures are in the table under them too.

const element = document.getElementById("cost");
if (element) {
  const data = JSON.parse(element.dataset.chart);
  draw(data);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(data));
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function summed(values) {
  let sum = 0;
  return values.map((value) => (sum += value));
}

function dollars(value) {
  if (value == null) return "–";
  return `$${value.toLocaleString("en", { maximumFractionDigits: value && value < 0.01 ? 6 : 2 })}`;
}

function compact(value) {
  return value == null ? "–" : Intl.NumberFormat("en", { notation: "compact" }).format(value);
}

function plot(id, series, columns, format, top) {
  const place = document.getElementById(id);
  place.replaceChildren();
  const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
  const options = {
    width: place.clientWidth,
    height: 240,
    scales: { x: { time: false }, y: { range: (_, __, most) => [0, Math.max(most, top ?? 0) * 1.08 || 1] } },
    axes: [
      { ...axis, grid: { show: false } },
      { ...axis, size: 74, values: (_, values) => values.map(format) },
    ],
    series: [{ label: "Day" }, ...series.map((one) => ({ ...one, value: (_, value) => format(value) }))],
    cursor: { drag: { x: false, y: false } },
  };
  const chart = new uPlot(options, columns, place);
  new ResizeObserver(() => chart.setSize({ width: place.clientWidth, height: 240 })).observe(place);
}

function draw({ days, cost, hosted, input, output, past, limit }) {
  const soFar = (value, index) => (index < past ? value : null);
  const first = colour("--series-1");
  const second = colour("--series-2");
  const costs = [
    { label: "Cost", stroke: first, width: 2, fill: `${first}22` },
    { label: "Hosted API", stroke: second, width: 2, dash: [5, 4] },
  ];
  const columns = [days, summed(cost).map(soFar), summed(hosted).map(soFar)];
  if (limit !== null) {
    costs.push({ label: "Spending limit", stroke: colour("--bad"), width: 2, points: { show: false } });
    columns.push(days.map(() => limit));
  }
  plot("cost", costs, columns, dollars, limit);
  const bars = uPlot.paths.bars({ size: [0.7, 48], radius: 0.15 });
  const both = input.map((value, index) => value + output[index]);
  plot(
    "tokens",
    [
      { label: "In and out", stroke: second, fill: second, paths: bars, points: { show: false } },
      { label: "Out", stroke: first, fill: first, paths: bars, points: { show: false } },
    ],
    [days, both, output],
    compact,
  );
}
