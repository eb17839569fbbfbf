/* Starts the page: unpacks the engine and the digits, makes a network, and shows its numbers everywhere. */
import { instantiate } from "../../sigmax.mjs";
import { checkAll } from "./difference.mjs";
import { digitsOf } from "./digits.mjs";
import { byId, numberOf, say, textOf } from "./dom.mjs";
import { startDrawing } from "./drawing.mjs";
import { startExercise } from "./exercise.mjs";
import { startHistograms } from "./histograms.mjs";
import { exampleOf, startNetworkView } from "./network_view.mjs";
import { bp1Numbers, bp2Numbers, bp3Numbers, bp4Numbers, differenceNumbers, sourceOf, updateNumbers } from "./numbers_backward.mjs";
import { costNumbers, jacobianNumbers, sigmoidNumbers, softmaxNumbers, zNumbers } from "./numbers_forward.mjs";
import { startOutside } from "./outside.mjs";
import { passOf } from "./pass.mjs";
import { startScrolling } from "./scrolling.mjs";
import { startQuadratic } from "./quadratic.mjs";
import { startSliders } from "./sliders.mjs";
import { createStore } from "./store.mjs";
import { measure, newNetwork, startTraining } from "./training.mjs";

const NUMBERS = {
  z: zNumbers,
  sigmoid: sigmoidNumbers,
  softmax: softmaxNumbers,
  jacobian: jacobianNumbers,
  cost: costNumbers,
  bp1: bp1Numbers,
  bp2: bp2Numbers,
  bp3: bp3Numbers,
  bp4: bp4Numbers,
  update: updateNumbers,
  difference: differenceNumbers,
};

/* build_page.py puts WIDGETS in front of these scripts: the HTML of each, which takes its place in the page. */
function placeWidgets() {
  for (const place of document.querySelectorAll("[data-widget]")) place.outerHTML = WIDGETS[place.dataset.widget];
}

const { bytesOf, unzipped } = globalThis.embedded; /* of loader.js */

function showNumbers(view) {
  for (const [name, numbers] of Object.entries(NUMBERS)) byId(`numbers-${name}`).replaceChildren(...numbers(view));
  const source = byId("source");
  if (document.activeElement !== source) source.value = sourceOf(view.pass, view.state);
  say(byId("source-message"), "");
}

function startSource(store) {
  byId("source").addEventListener("change", () => {
    const { network, layer } = store.state;
    const most = network.sizes[layer - 1] - 1;
    const k = numberOf(byId("source").value);
    if (Number.isInteger(k) && k >= 0 && k <= most) store.change({ source: k });
    else say(byId("source-message"), `k must be a whole number from 0 to ${most}.`);
  });
}

function startCheck(store) {
  byId("check-all").addEventListener("click", () => {
    const { count, worst, relative, milliseconds } = checkAll(store.state.network, store.state.example);
    say(
      byId("check-result"),
      `All ${count.toLocaleString("en")} parameters: the largest gap between derivation and central difference is ${textOf(worst, 2)}, ` +
        `which is ${textOf(relative, 2)} of the largest gradient. It took ${Math.round(milliseconds)} ms and ${(2 * count).toLocaleString("en")} costs.`,
    );
  });
}

async function start() {
  placeWidgets();
  const sigmax = await instantiate(await unzipped(bytesOf("engine")));
  const digits = digitsOf(await sigmax.readNpz(bytesOf("digits")));
  const options = { rate: 0.5, batchSize: 10, init: "lecun", hidden: [30] };
  const network = newNetwork(sigmax, options);
  const store = createStore({
    network,
    digits,
    options,
    example: exampleOf(digits, 0),
    epochs: 0,
    history: [measure(network, digits)],
    layer: 1,
    neuron: 0,
    hiddenLayer: 1,
    hiddenNeuron: 0,
    outputNeuron: 0,
    source: null,
  });
  startSliders(sigmax);
  startDrawing(store);
  startSource(store);
  startCheck(store);
  const views = [startNetworkView(store), startTraining(store, sigmax), showNumbers, startHistograms(), startQuadratic(store, sigmax), startExercise(), startOutside(store, sigmax)];
  store.subscribe((state) => {
    const view = { state, sigmax, pass: passOf(state.network, state.example) };
    for (const show of views) show(view);
  });
  store.tell();
  startScrolling();
  document.documentElement.dataset.ready = "yes";
}

start().catch((error) => say(byId("page-message"), `The engine could not be started here, so there are no numbers: ${error.message} The derivation and its lines of C can be read all the same.`));
