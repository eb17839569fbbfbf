/* The numbers beside the forward half: z, sigmoid, softmax, its derivatives, the cost. Each returns elements. */
import { element, line, marked, number, symbol, table } from "./dom.mjs";
import { strongest } from "./pass.mjs";

const Z_TERMS = 6;

/* "Hidden neuron 7 of layer 1": what a neuron is called. */
export function nameOf(pass, layer, neuron) {
  if (layer === pass.last) return `Output neuron ${neuron}`;
  return pass.last === 2 ? `Hidden neuron ${neuron}` : `Neuron ${neuron} of hidden layer ${layer}`;
}

/* The heading of some numbers: whose they are. */
export function about(...children) {
  return element("p", { class: "about" }, ...children, " ", element("a", { href: "#network" }, "Choose another"));
}

export function zNumbers({ pass, state }) {
  const { layer, neuron } = state;
  const n = pass.sizes[layer - 1];
  const w = pass.weights[layer].subarray(neuron * n, (neuron + 1) * n);
  const products = Float64Array.from(w, (w_k, k) => w_k * pass.a[layer - 1][k]);
  const shown = strongest(products, Z_TERMS);
  const rest = products.reduce((sum, product) => sum + product, 0) - shown.reduce((sum, k) => sum + products[k], 0);
  const rows = shown.map((k) => [String(k), number(w[k]), number(pass.a[layer - 1][k]), number(products[k])]);
  rows.push([`the other ${n - shown.length} terms`, "", "", number(rest)]);
  rows.push([symbol("b", `${layer},${neuron}`), "", "", number(pass.biases[layer][neuron], { name: "b" })]);
  rows.push(marked([symbol("z", `${layer},${neuron}`), "", "", number(pass.z[layer][neuron], { name: "z" })], "sum"));
  return [
    about(`${nameOf(pass, layer, neuron)}, ${state.example.name}.`),
    table("The largest terms of its weighted input", ["k", "weight w", "activation a", "product"], rows),
  ];
}

export function sigmoidNumbers({ pass, state, sigmax }) {
  const { hiddenLayer: l, hiddenNeuron: j } = state;
  const z = pass.z[l][j];
  const a = pass.a[l][j];
  const slope = sigmax.sigmoidPrime(pass.z[l].subarray(j, j + 1))[0];
  const index = `${l},${j}`;
  return [
    about(`${nameOf(pass, l, j)}, ${state.example.name}.`),
    line(symbol("a", index), " = σ(", number(z, { name: "z" }), ") = ", number(a, { name: "a" })),
    line("σ′(", symbol("z", index), ") = ", number(a), " × (1 − ", number(a), ") = ", number(slope, { name: "slope" })),
    line(slope < 0.05 ? "This neuron is saturated: its slope is below a fifth of the largest possible, ¼." : "The largest slope possible is ¼."),
  ];
}

/* e with the exponent z − m. */
function power() {
  return element("span", { class: "symbol" }, element("i", {}, "e"), element("sup", {}, element("i", {}, "z"), " − ", element("i", {}, "m")));
}

export function softmaxNumbers({ pass, state }) {
  const z = pass.z[pass.last];
  const a = pass.a[pass.last];
  const m = Math.max(...z);
  const rows = [...z.keys()].map((i) =>
    marked([String(i), number(z[i]), number(Math.exp(z[i] - m)), number(a[i], { name: `a${i}` })], i === state.outputNeuron ? "chosen" : ""),
  );
  rows.push(marked(["sum", "", number(z.reduce((sum, z_i) => sum + Math.exp(z_i - m), 0)), number(a.reduce((sum, a_i) => sum + a_i, 0))], "sum"));
  return [
    about(`The output layer, ${state.example.name}; its largest z is ${rows[z.indexOf(m)][1].textContent}.`),
    table("Softmax of the output layer", ["class i", "z", power(), "a"], rows),
  ];
}

export function jacobianNumbers({ pass, state, sigmax }) {
  const i = state.outputNeuron;
  const a = pass.a[pass.last];
  const k = a.length;
  const jacobian = sigmax.softmaxJacobian(pass.z[pass.last]);
  const column = [...a.keys()].map((j) => jacobian[j * k + i]);
  const rows = column.map((value, j) =>
    marked(
      [String(j), j === i ? "a (1 − a)" : "−a a", number(a[j]), number(value, { name: `da${j}` })],
      j === i ? "chosen" : "",
    ),
  );
  rows.push(marked(["sum", "", "", number(column.reduce((sum, value) => sum + value, 0), { digits: 2 })], "sum"));
  return [
    about(`What a small change of z of output neuron ${i} does to every output, ${state.example.name}.`),
    table("The derivatives of every output", ["j", "case", "a", "derivative"], rows),
    line(`The sum is 0 but for rounding in ${state.network.dtype}.`),
  ];
}

export function costNumbers({ pass, state }) {
  const z = pass.z[pass.last];
  const a = pass.a[pass.last];
  const m = Math.max(...z);
  const logarithm = Math.log(z.reduce((sum, z_i) => sum + Math.exp(z_i - m), 0));
  return [
    about(`${sentence(state.example.name)}, whose label is ${pass.label}.`),
    line(symbol("a", String(pass.label)), " = ", number(a[pass.label]), ", so ", symbol("C", "x"), " = −ln ", number(a[pass.label]), " = ", number(pass.cost, { name: "cost" }), " nats"),
    line("From z: ", symbol("m"), " − ", symbol("z", String(pass.label)), " = ", number(m - z[pass.label]), ", and ln Σ ", power(), " = ", number(logarithm), ", together ", number(m - z[pass.label] + logarithm)),
    line(`A network that knows nothing gives each of ${a.length} classes 1/${a.length}; its cost is ln ${a.length} = `, number(Math.log(a.length)), "."),
  ];
}

/* With a capital at the beginning. */
export function sentence(text) {
  return text[0].toUpperCase() + text.slice(1);
}
