/* The 1,797 digits of the package, and how one of them is painted. */

export const N_PIXELS = 64;
export const N_TRAINING = 1500; /* the first; the rest is held out */
const MOST_INK = 16;

/*
 * From the arrays of digits.npz: labels (1797), and pixels (64, 1797), whose columns are those of a stable sort by
 * label. Returns X, 64 numbers in 0 ... 1 for each digit, and the labels.
 */
export function digitsOf(arrays) {
  const labels = Int32Array.from(arrays.get("labels").data, Number);
  const pixels = arrays.get("pixels").data;
  const rows = labels.length;
  const order = [...labels.keys()].sort((a, b) => labels[a] - labels[b] || a - b);
  const X = new Float32Array(rows * N_PIXELS);
  order.forEach((row, column) => {
    for (let k = 0; k < N_PIXELS; k++) X[row * N_PIXELS + k] = pixels[k * rows + column] / MOST_INK;
  });
  return { X, labels, rows };
}

export function rowsOf(digits, begin, end) {
  return { X: digits.X.subarray(begin * N_PIXELS, end * N_PIXELS), labels: digits.labels.subarray(begin, end) };
}

/* Paints 64 numbers in 0 ... 1 as 8 by 8 pixels, 1 in ink. */
export function paint(canvas, x) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(8, 8);
  for (let k = 0; k < N_PIXELS; k++) {
    const grey = 255 - Math.round(235 * x[k]);
    image.data.set([grey, grey, grey, 255], 4 * k);
  }
  context.putImageData(image, 0, 0);
}
