/*
 * One example through the network, forward and backward: what the numbers of the page are read from. Lists begin with
 * layer 0, so that a[l], z[l], deltas[l], weights[l] are those of layer l; all of it comes from the engine.
 */
export function passOf(network, example) {
  const { x, label } = example;
  const z = [null, ...network.weightedInputs(x)];
  const a = [x, ...network.activations(x)];
  const { deltas, nablaWeights, nablaBiases, cost } = network.backprop(x, [label]);
  return {
    label,
    sizes: network.sizes,
    last: network.sizes.length - 1,
    z,
    a,
    deltas: [null, ...deltas],
    weights: [null, ...network.weights],
    biases: [null, ...network.biases],
    nablaWeights: [null, ...nablaWeights],
    nablaBiases: [null, ...nablaBiases],
    cost,
  };
}

/* Where the strongest of some numbers stand, strongest first. */
export function strongest(values, count) {
  return [...values.keys()].sort((i, j) => Math.abs(values[j]) - Math.abs(values[i])).slice(0, count);
}
