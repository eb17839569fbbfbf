/* Line charts and histograms as SVG, with their numbers in words beside them. */
import { svgElement, textOf } from "./dom.mjs";

const WIDTH = 320;
const HEIGHT = 110;
const LEFT = 34;
const BOTTOM = 16;

function label(x, y, text, anchor, kind = "") {
  const made = svgElement("text", { x, y, "text-anchor": anchor, class: kind });
  made.textContent = text;
  return made;
}

/* series: [{ name, values, kind }], values over 0, 1, 2, ...; range [low, high]; at most `most` points are drawn. */
export function lineChart(svg, series, { low = 0, high, unit = "" }) {
  const n = Math.max(2, ...series.map(({ values }) => values.length));
  const x = (i) => LEFT + ((WIDTH - LEFT - 6) * i) / (n - 1);
  const y = (value) => 8 + (HEIGHT - BOTTOM - 8) * (1 - (Math.min(high, Math.max(low, value)) - low) / (high - low));
  const parts = [low, (low + high) / 2, high].flatMap((value) => [
    svgElement("line", { x1: LEFT, x2: WIDTH - 6, y1: y(value), y2: y(value), class: "grid" }),
    label(LEFT - 4, y(value) + 3, textOf(value, 2) + unit, "end"),
  ]);
  parts.push(label(LEFT, HEIGHT - 3, "0", "middle"), label(WIDTH - 6, HEIGHT - 3, `${n - 1} ${n === 2 ? "epoch" : "epochs"}`, "end"));
  for (const { values, kind } of series) {
    const points = values.map((value, i) => `${x(i).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
    parts.push(svgElement("polyline", { points, class: `series ${kind}` }));
    if (values.length === 1) parts.push(svgElement("circle", { cx: x(0), cy: y(values[0]), r: 2.5, class: `dot ${kind}` }));
  }
  series.forEach(({ name, kind }, i) => parts.push(label(WIDTH - 8, 18 + 12 * i, name, "end", `name ${kind}`)));
  svg.replaceChildren(...parts);
  svg.setAttribute("aria-label", series.map(({ name, values }) => `${name}: from ${textOf(values[0], 3)} to ${textOf(values.at(-1), 3)}`).join("; "));
}

/* How many values fall in each of `bins` equal parts of [low, high]; what lies outside counts at the end. */
export function counts(values, low, high, bins) {
  const result = new Array(bins).fill(0);
  for (const value of values) {
    const bin = Math.floor((bins * (value - low)) / (high - low));
    result[Math.min(bins - 1, Math.max(0, bin))]++;
  }
  return result;
}

export function median(values) {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.floor(sorted.length / 2)];
}

/* A histogram of counts; ticks: [[place in 0 ... 1, text]]. */
export function histogram(svg, bars, ticks, words) {
  const most = Math.max(...bars);
  const width = WIDTH / bars.length;
  const parts = bars.map((count, i) => {
    const height = count === 0 ? 0 : Math.max(1, (50 * count) / most);
    return svgElement("rect", { x: (i * width + 0.5).toFixed(1), y: (54 - height).toFixed(1), width: (width - 1).toFixed(1), height: height.toFixed(1), class: "bin" });
  });
  parts.push(svgElement("line", { x1: 0, x2: WIDTH, y1: 54.5, y2: 54.5, class: "axis" }));
  for (const [place, text] of ticks) {
    parts.push(label(place * WIDTH, 66, text, place === 0 ? "start" : place === 1 ? "end" : "middle"));
  }
  svg.setAttribute("viewBox", `0 0 ${WIDTH} 70`);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", words);
  svg.replaceChildren(...parts);
}
