/* The central difference (C(w + h) − C(w − h)) / 2h, in float64: a check that knows no derivation. */

export const H = 1e-5;

/* Where the parameter `at` of W_l ("w") or b_l ("b") stands in the flat array: W_1, ..., W_L, then b_1, ..., b_L. */
export function placeOf(sizes, layer, kind, at) {
  let place = at;
  for (let l = 1; l < sizes.length; l++) {
    if (kind === "b" || l < layer) place += sizes[l] * sizes[l - 1];
    if (kind === "b" && l < layer) place += sizes[l];
  }
  return place;
}

/* Of the cost of one example with respect to one parameter of a float64 network, which is as before afterwards. */
export function central(twin, example, layer, kind, at) {
  const parameters = twin.parameters();
  const place = placeOf(twin.sizes, layer, kind, at);
  const difference = slopeAt(twin, parameters, place, Float64Array.from(example.x), [example.label]);
  twin.setParameters(parameters);
  return difference;
}

function slopeAt(twin, parameters, place, x, labels) {
  const before = parameters[place];
  const costAt = (value) => {
    parameters[place] = value;
    twin.setParameters(parameters);
    return twin.cost(x, labels).cost;
  };
  const difference = (costAt(before + H) - costAt(before - H)) / (2 * H);
  parameters[place] = before;
  return difference;
}

/*
 * All parameters of a network: { count, worst, relative, milliseconds }: the largest |numeric − analytic|, and that
 * over the largest |analytic|, as Network.gradient_check of the package has it.
 */
export function checkAll(network, example) {
  const begin = performance.now();
  const twin = network.astype("float64");
  try {
    const x = Float64Array.from(example.x);
    const labels = [example.label];
    const { nablaWeights, nablaBiases } = twin.backprop(x, labels);
    const analytic = [...nablaWeights, ...nablaBiases].flatMap((layer) => [...layer]);
    const parameters = twin.parameters();
    let worst = 0;
    let largest = 0;
    analytic.forEach((slope, place) => {
      worst = Math.max(worst, Math.abs(slopeAt(twin, parameters, place, x, labels) - slope));
      largest = Math.max(largest, Math.abs(slope));
    });
    return { count: analytic.length, worst, relative: worst / largest, milliseconds: performance.now() - begin };
  } finally {
    twin.free();
  }
}
