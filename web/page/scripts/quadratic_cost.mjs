/*
 * The quadratic cost C_x = (1/2) sum_j (a_j - y_j)^2 on the same network. The engine has the cross-entropy alone, so the
 * errors of the output layer and BP2 to BP4 are written out here, in float64; the activations are the engine's.
 */

/* delta_i = sum_j (a_j - y_j) da_j/dz_i = sum_j (a_j - y_j) J_ji, J (k, k) being the Jacobian of softmax. */
export function quadraticDelta(a, jacobian, label) {
  const k = a.length;
  return Float64Array.from(a, (_, i) => {
    let sum = 0;
    for (let j = 0; j < k; j++) sum += (a[j] - (j === label ? 1 : 0)) * jacobian[j * k + i];
    return sum;
  });
}

/* The same from a alone: delta_i = a_i ((a_i - y_i) - sum_j (a_j - y_j) a_j). */
export function quadraticDeltaOf(a, label) {
  const error = Float64Array.from(a, (a_j, j) => a_j - (j === label ? 1 : 0));
  const mean = error.reduce((sum, e_j, j) => sum + e_j * a[j], 0);
  return error.map((e_i, i) => a[i] * (e_i - mean));
}

/* The gradient of the quadratic cost, mean over the rows, laid out as the parameters. */
export function quadraticGradient(network, X, labels) {
  const { sizes } = network;
  const rows = labels.length;
  const last = sizes.length - 1;
  const activations = [X, ...network.activations(X)];
  const weights = [null, ...network.weights];
  const nablaWeights = sizes.slice(1).map((n, i) => new Float64Array(n * sizes[i]));
  const nablaBiases = sizes.slice(1).map((n) => new Float64Array(n));
  for (let r = 0; r < rows; r++) {
    const of = (l) => activations[l].subarray(r * sizes[l], (r + 1) * sizes[l]);
    let delta = quadraticDeltaOf(of(last), labels[r]);
    for (let l = last; l >= 1; l--) {
      const before = of(l - 1);
      const n = sizes[l - 1];
      delta.forEach((delta_j, j) => {
        nablaBiases[l - 1][j] += delta_j / rows;
        for (let k = 0; k < n; k++) nablaWeights[l - 1][j * n + k] += (delta_j * before[k]) / rows;
      });
      if (l > 1) {
        const next = delta;
        delta = Float64Array.from(before, (a, k) => a * (1 - a) * next.reduce((sum, d, j) => sum + d * weights[l][j * n + k], 0));
      }
    }
  }
  return [...nablaWeights, ...nablaBiases].flatMap((layer) => [...layer]);
}

/* One step downhill on the quadratic cost. */
export function quadraticStep(network, X, labels, rate) {
  const gradient = quadraticGradient(network, X, labels);
  network.setParameters(network.parameters().map((w, i) => w - rate * gradient[i]));
}
