/* Saving and loading the network, and the lines of Python that go on from the file. */
import { byId, element, say } from "./dom.mjs";
import { replaceNetwork } from "./store.mjs";
import { measure } from "./training.mjs";

const FILE = "sigmax-network.npz";
const LARGEST = 50e6; /* bytes */

/* The network of a model file that this page can show, or an error in words. */
async function modelOf(sigmax, file) {
  if (file.size > LARGEST) throw new RangeError(`it has ${file.size} bytes; a network of this page has far fewer than ${LARGEST}.`);
  const network = await sigmax.loadModel(new Uint8Array(await file.arrayBuffer()));
  const { sizes } = network;
  const fits = sizes[0] === 64 && sizes.at(-1) === 10 && sizes.length >= 3 && sizes.length <= 5 && sizes.every((n) => n <= 200);
  const plain = network.preparation === null && network.temperature === 1;
  const ofDigits = network.classNames === null || network.classNames.every((name, i) => name === String(i));
  if (fits && plain && ofDigits) return network;
  const names = network.classNames;
  network.free();
  if (!fits) throw new RangeError(`its sizes are ${sizes.join("-")}; this page shows 64 inputs, one to three hidden layers of at most 200, 10 classes.`);
  if (!ofDigits) throw new RangeError(`its classes are called ${names.join(", ")}; on this page they are the digits 0 to 9, in this order.`);
  throw new RangeError("it standardizes its inputs or is calibrated; the equations of this page do neither.");
}

function pythonLines({ state, pass }) {
  const { hiddenLayer: l, hiddenNeuron: j, example, options } = state;
  const counts = Array.from(example.x, (x) => Math.round(16 * x));
  const rows = [...Array(8).keys()].map((r) => `    ${counts.slice(8 * r, 8 * r + 8).join(", ")},`);
  return [
    "import numpy as np",
    "import sigmax",
    "",
    `network = sigmax.Network.load("${FILE}")`,
    `x = np.array([[   # ${example.name}`,
    ...rows,
    "]], np.float32) / 16",
    `y = [${pass.label}]`,
    "result = network.backprop(x, y)",
    `print(result.deltas[${l - 1}][0, ${j}])       # δ of hidden layer ${l}, neuron ${j}: the number of section 6`,
    "print(network.gradient_check(x, y))   # section 9, for every parameter",
    `network.fit(x, y, epochs=1, learning_rate=${options.rate})`,
    "print(network.cost(x, y))             # lower than before",
  ].join("\n");
}

export function startOutside(store, sigmax) {
  byId("save").addEventListener("click", async () => {
    const bytes = await store.state.network.toNpz();
    const address = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
    element("a", { href: address, download: FILE }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
    say(byId("outside-message"), `${FILE} was handed to the browser, which puts it where downloads go.`);
  });
  byId("load").addEventListener("change", async () => {
    const [file] = byId("load").files;
    if (file === undefined) return;
    try {
      const network = await modelOf(sigmax, file);
      replaceNetwork(store, network, { epochs: network.epochsTrained, history: [measure(network, store.state.digits)] });
      say(byId("outside-message"), `${file.name} is loaded: a network of ${network.sizes.join("-")}, trained for ${network.epochsTrained} epochs.`);
    } catch (error) {
      say(byId("outside-message"), `${file.name} was not loaded: ${error.message} The network is as it was.`);
    }
    byId("load").value = "";
  });
  return (view) => say(byId("outside-code"), pythonLines(view));
}
