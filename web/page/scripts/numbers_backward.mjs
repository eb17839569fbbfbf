/* The numbers beside the backward half: BP1 to BP4, the update, the central difference. Each returns elements. */
import { element, line, marked, number, symbol, table } from "./dom.mjs";
import { rowsOf } from "./digits.mjs";
import { central } from "./difference.mjs";
import { about, nameOf, sentence } from "./numbers_forward.mjs";
import { strongest } from "./pass.mjs";

const BP2_TERMS = 10;

export function bp1Numbers({ pass, state }) {
  const a = pass.a[pass.last];
  const delta = pass.deltas[pass.last];
  const rows = [...a.keys()].map((i) =>
    marked(
      [String(i), number(a[i]), i === pass.label ? "1" : "0", number(delta[i], { name: `delta${i}` })],
      i === state.outputNeuron ? "chosen" : "",
    ),
  );
  return [
    about(`${sentence(state.example.name)}, whose label is ${pass.label}.`),
    table("The errors of the output layer: δ = a − y", ["class i", "a", "y", "δ"], rows),
    line("The errors sum to 0 but for rounding, as the a and the y both sum to 1."),
  ];
}

/* The terms of the sum in BP2: δ_k of the next layer and w_kj. */
export function bp2Terms(pass, l, j) {
  const n = pass.sizes[l];
  const next = pass.deltas[l + 1];
  return [...next.keys()].map((k) => {
    const w = pass.weights[l + 1][k * n + j];
    return { k, delta: next[k], w, product: next[k] * w };
  });
}

export function bp2Numbers({ pass, state }) {
  const { hiddenLayer: l, hiddenNeuron: j } = state;
  const terms = bp2Terms(pass, l, j);
  const shown = strongest(terms.map((term) => term.product), BP2_TERMS).sort((p, q) => p - q);
  const sum = terms.reduce((total, term) => total + term.product, 0);
  const rest = sum - shown.reduce((total, k) => total + terms[k].product, 0);
  const a = pass.a[l][j];
  const rows = shown.map((k) => [String(k), number(terms[k].delta), number(terms[k].w), number(terms[k].product)]);
  if (shown.length < terms.length) rows.push([`the other ${terms.length - shown.length} terms`, "", "", number(rest)]);
  rows.push(marked(["sum", "", "", number(sum)], "sum"));
  const index = `${l},${j}`;
  return [
    about(`${nameOf(pass, l, j)}, ${state.example.name}.`),
    table(`The error that comes back from layer ${l + 1}`, ["k", `δ of layer ${l + 1}`, "weight w", "product"], rows),
    line("Slope: ", number(a), " × (1 − ", number(a), ") = ", number(a * (1 - a))),
    line(symbol("δ", index), " = ", number(sum), " × ", number(a * (1 - a)), " = ", element("b", {}, number(pass.deltas[l][j], { name: "delta" }))),
  ];
}

/* The first ten digits as one batch. */
function firstBatch(state) {
  return rowsOf(state.digits, 0, 10);
}

export function bp3Numbers({ pass, state }) {
  const { layer: l, neuron: j, network } = state;
  const batch = firstBatch(state);
  const mean = network.backprop(batch.X, batch.labels);
  const index = `${l},${j}`;
  return [
    about(`${nameOf(pass, l, j)}.`),
    line(`${sentence(state.example.name)} alone, n = 1: ∂C/∂`, symbol("b", index), " = ", symbol("δ", index), " = ", number(pass.nablaBiases[l][j], { name: "nabla_b" })),
    line(`The first ${batch.labels.length} digits as one batch: the mean of their δ is `, number(mean.nablaBiases[l - 1][j], { name: "nabla_b_batch" })),
  ];
}

/* The neuron k from which the chosen weight leads: the one with the largest gradient, unless chosen by hand. */
export function sourceOf(pass, state) {
  const before = pass.a[state.layer - 1];
  return state.source ?? strongest(before, 1)[0];
}

export function bp4Numbers({ pass, state }) {
  const { layer: l, neuron: j, network } = state;
  const n = pass.sizes[l - 1];
  const k = sourceOf(pass, state);
  const batch = firstBatch(state);
  const mean = network.backprop(batch.X, batch.labels);
  const index = `${l},${j}`;
  const row = pass.nablaWeights[l].subarray(j * n, (j + 1) * n);
  const shown = strongest(row, 6);
  return [
    about(`${nameOf(pass, l, j)}, the weight from ${l === 1 ? "pixel" : "neuron"} ${k}; ${state.example.name}.`),
    line("∂C/∂", symbol("w", `${index} ${k}`), " = ", symbol("δ", index), " ", symbol("a", `${l - 1},${k}`), " = ", number(pass.deltas[l][j]), " × ", number(pass.a[l - 1][k]), " = ", element("b", {}, number(row[k], { name: "nabla_w" }))),
    line(`Mean over the first ${batch.labels.length} digits: `, number(mean.nablaWeights[l - 1][j * n + k], { name: "nabla_w_batch" })),
    table("Its largest gradients for this digit", ["k", "activation a", "gradient"], shown.map((i) => marked([String(i), number(pass.a[l - 1][i]), number(row[i])], i === k ? "chosen" : ""))),
  ];
}

export function updateNumbers({ pass, state }) {
  const { layer: l, neuron: j, network, example, options } = state;
  const n = pass.sizes[l - 1];
  const k = sourceOf(pass, state);
  const at = j * n + k;
  const changed = network.copy();
  try {
    changed.step(example.x, [example.label], { rate: options.rate });
    const after = { w: changed.weights[l - 1][at], b: changed.biases[l - 1][j], cost: changed.cost(example.x, [example.label]).cost };
    const row = (name, before, slope, now, key) => [name, number(before), number(slope), number(-options.rate * slope), number(now, { name: key })];
    return [
      about(`One step on ${example.name} alone, at the rate `, number(options.rate), "."),
      table("One update", ["parameter", "before", "gradient", "change", "after"], [
        row(symbol("w", `${l},${j} ${k}`), pass.weights[l][at], pass.nablaWeights[l][at], after.w, "w_after"),
        row(symbol("b", `${l},${j}`), pass.biases[l][j], pass.nablaBiases[l][j], after.b, "b_after"),
      ]),
      line("The cost of this digit goes from ", number(pass.cost), " to ", number(after.cost, { name: "cost_after" }), after.cost > pass.cost ? ": up, so this step is too long." : "."),
    ];
  } catch (error) {
    return [about("One step."), line(error.message)];
  } finally {
    changed.free();
  }
}

export function differenceNumbers({ pass, state }) {
  const { layer: l, neuron: j, network, example } = state;
  const n = pass.sizes[l - 1];
  const k = sourceOf(pass, state);
  const twin = network.astype("float64");
  try {
    const exact = twin.backprop(Float64Array.from(example.x), [example.label]);
    const row = (name, kind, at, single, double) => {
      const difference = central(twin, example, l, kind, at);
      return [name, number(single), number(double, { digits: 10, name: `${kind}_double` }), number(difference, { digits: 10, name: `${kind}_difference` }), number(Math.abs(difference - double), { digits: 2 })];
    };
    return [
      about(`${nameOf(pass, l, j)}, ${state.example.name}.`),
      table("Derivation and difference", ["parameter", `BP, ${network.dtype}`, "BP, float64", "central difference", "gap"], [
        row(symbol("w", `${l},${j} ${k}`), "w", j * n + k, pass.nablaWeights[l][j * n + k], exact.nablaWeights[l - 1][j * n + k]),
        row(symbol("b", `${l},${j}`), "b", j, pass.nablaBiases[l][j], exact.nablaBiases[l - 1][j]),
      ]),
    ];
  } finally {
    twin.free();
  }
}
