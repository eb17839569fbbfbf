/* Quadratic cost against cross-entropy: the errors of this digit, a network that is confidently wrong, and a race. */
import { byId, number, say, table } from "./dom.mjs";
import { lineChart } from "./chart.mjs";
import { N_TRAINING, rowsOf } from "./digits.mjs";
import { quadraticDelta, quadraticStep } from "./quadratic_cost.mjs";
import { measure, newNetwork, rateOf } from "./training.mjs";

const EPOCHS = 10;

function wrongTable(sigmax) {
  const z = Float64Array.of(0, Number(byId("wrong-z").value), 0);
  const a = sigmax.softmax(z);
  const quadratic = quadraticDelta(a, sigmax.softmaxJacobian(z), 0);
  say(byId("wrong-z-text"), String(z[1]));
  const entropy = sigmax.outputDelta(z, [1, 0, 0]);
  byId("wrong-table").replaceChildren(
    table("The errors of the three classes", ["class i", "a", "y", "δ, quadratic", "δ, cross-entropy"], [...a.keys()].map((i) => [
      ["1, right", "2, believed", "3"][i], number(a[i]), i === 0 ? "1" : "0", number(quadratic[i], { name: `wrong_quadratic${i}` }), number(entropy[i], { name: `wrong_entropy${i}` }),
    ])),
  );
}

/* Trains two networks from the same beginning on the same batches, epoch by epoch, and shows both accuracies. */
async function race(state, sigmax) {
  const { digits } = state;
  const options = { ...state.options, rate: rateOf(byId("rate").value) };
  const networks = [newNetwork(sigmax, options), newNetwork(sigmax, options)];
  const curves = networks.map((network) => [measure(network, digits).accuracy]);
  try {
    for (let epoch = 0; epoch < EPOCHS; epoch++) {
      for (let begin = 0; begin < N_TRAINING; begin += options.batchSize) {
        const { X, labels } = rowsOf(digits, begin, Math.min(begin + options.batchSize, N_TRAINING));
        networks[0].step(X, labels, { rate: options.rate });
        quadraticStep(networks[1], X, labels, options.rate);
      }
      networks.forEach((network, i) => curves[i].push(measure(network, digits).accuracy));
      drawRace(curves);
      await new Promise(requestAnimationFrame);
    }
    const [entropy, quadratic] = curves.map((curve) => `${(100 * curve.at(-1)).toFixed(1)} %`);
    return `After ${EPOCHS} epochs cross-entropy gets ${entropy} of the digits held out right, the quadratic cost ${quadratic}.`;
  } finally {
    networks.forEach((network) => network.free());
  }
}

function drawRace(curves) {
  const percent = curves.map((curve) => curve.map((accuracy) => 100 * accuracy));
  lineChart(byId("race-chart"), [
    { name: "cross-entropy", values: percent[0], kind: "first" },
    { name: "quadratic", values: percent[1], kind: "second" },
  ], { high: 100, unit: " %" });
  byId("race-chart").classList.add("wide-labels");
}

export function startQuadratic(store, sigmax) {
  byId("wrong-z").addEventListener("input", () => wrongTable(sigmax));
  wrongTable(sigmax);
  byId("race").addEventListener("click", async () => {
    byId("race").disabled = true;
    try {
      say(byId("race-result"), await race(store.state, sigmax));
    } catch (error) {
      say(byId("race-result"), error instanceof RangeError ? error.message : `${error.message} Take a smaller rate above.`);
    } finally {
      byId("race").disabled = false;
    }
  });
  return ({ pass }) => {
    const a = pass.a[pass.last];
    const quadratic = quadraticDelta(a, sigmax.softmaxJacobian(pass.z[pass.last]), pass.label);
    byId("quadratic-table").replaceChildren(
      table("Errors of the output layer under both costs", ["class i", "a", "y", "δ, quadratic", "δ, cross-entropy"], [...a.keys()].map((i) => [
        String(i), number(a[i]), i === pass.label ? "1" : "0", number(quadratic[i], { name: `quadratic${i}` }), number(pass.deltas[pass.last][i]),
      ])),
    );
  };
}
