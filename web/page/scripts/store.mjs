/*
 * The state of the page, and who wants to know when it changes. Changes of one frame are shown together.
 *
 *     network   the network; it is changed in place, and `changed` says so
 *     digits    X, labels, rows
 *     example   { x (64), label, name }: the digit in view
 *     layer, neuron            the chosen neuron, layer 1 ... L
 *     hiddenLayer, hiddenNeuron, outputNeuron   the last chosen of each kind
 *     source    the neuron of the layer before, from which the chosen weight leads
 *     options   { rate, batchSize, init, hidden: [30] }
 *     history   [{ epochs, cost, accuracy }] on the digits held out
 */
export function createStore(state) {
  const listeners = [];
  let waiting = false;
  const tell = () => {
    waiting = false;
    for (const listener of listeners) listener(state);
  };
  return {
    state,
    subscribe(listener) {
      listeners.push(listener);
    },
    change(patch = {}) {
      Object.assign(state, patch);
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(tell);
    },
    tell,
  };
}

/* Shows another network; a chosen neuron that it lacks becomes its last one. */
export function replaceNetwork(store, network, patch) {
  const { state } = store;
  if (network !== state.network) state.network.free();
  const layer = Math.min(state.hiddenLayer, network.sizes.length - 2);
  const neuron = Math.min(state.hiddenNeuron, network.sizes[layer] - 1);
  store.change({ network, layer, neuron, hiddenLayer: layer, hiddenNeuron: neuron, source: null, ...patch });
}

/* Chooses a neuron: of the output layer, or hidden. */
export function choose(store, layer, neuron) {
  const { network } = store.state;
  const last = network.sizes.length - 1;
  const kind = layer === last ? { outputNeuron: neuron } : { hiddenLayer: layer, hiddenNeuron: neuron };
  store.change({ layer, neuron, ...kind, source: null });
}
