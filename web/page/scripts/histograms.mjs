/* How many neurons are saturated, and how small the errors are: σ' and |δ| of each layer, over the digits held out. */
import { byId, element, svgElement, textOf } from "./dom.mjs";
import { counts, histogram, median } from "./chart.mjs";
import { N_TRAINING, rowsOf } from "./digits.mjs";

const BINS = 40;
const LOWEST = -8; /* log10 of the smallest error that has a bin of its own */

/* The values that the histograms count: for each layer the slopes (hidden layers) and the errors. */
export function slopesAndErrors(network, digits) {
  const held = rowsOf(digits, N_TRAINING, digits.rows);
  const { deltas } = network.backprop(held.X, held.labels);
  const activations = network.activations(held.X);
  return deltas.map((delta, i) => ({
    layer: i + 1,
    slopes: i < deltas.length - 1 ? activations[i].map((a) => a * (1 - a)) : null,
    errors: delta.map(Math.abs),
  }));
}

function row(title, picture, words) {
  return element("figure", { class: "histogram" }, element("figcaption", {}, title), picture, element("p", { class: "hint" }, words));
}

export function startHistograms() {
  return ({ state }) => {
    const layers = slopesAndErrors(state.network, state.digits);
    const rows = layers.flatMap(({ layer, slopes, errors }) => {
      const name = slopes === null ? "Output layer" : `Hidden layer ${layer}`;
      const made = [];
      if (slopes !== null) {
        const saturated = slopes.filter((slope) => slope < 0.05).length / slopes.length;
        const words = `Half of the slopes are below ${textOf(median(slopes), 3)}; ${(100 * saturated).toFixed(0)} % are below 0.05.`;
        const picture = svgElement("svg", { class: "chart" });
        histogram(picture, counts(slopes, 0, 0.25, BINS), [[0, "0"], [0.4, "0.1"], [0.8, "0.2"], [1, "¼"]], `Slopes of ${name}. ${words}`);
        made.push(row(`${name}: slopes σ′`, picture, words));
      }
      const logarithms = errors.map((error) => Math.log10(Math.max(error, 1e-45)));
      const words = `Half of the errors are below ${textOf(median(errors), 3)} in size.`;
      const picture = svgElement("svg", { class: "chart" });
      histogram(picture, counts(logarithms, LOWEST, 0, BINS), [[0, "10⁻⁸"], [0.25, "10⁻⁶"], [0.5, "10⁻⁴"], [0.75, "10⁻²"], [1, "1"]], `Errors of ${name}. ${words}`);
      made.push(row(`${name}: errors |δ|`, picture, words));
      return made;
    });
    byId("histograms").replaceChildren(...rows);
  };
}
