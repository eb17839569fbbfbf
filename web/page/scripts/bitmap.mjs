/*
 * From a drawing to 8 by 8 counts, as the data were made: the inked part of a bitmap of 32 by 32 is cropped, scaled until
 * it fills the height (or the width, where it is wider than high), put in the middle, and counted in blocks of 4 by 4.
 */

export const SIZE = 32;
const BLOCK = 4;
const BLOCK_PIXELS = BLOCK * BLOCK;

/* The box around the ink, or null where there is none. */
function boxOf(bitmap) {
  let box = null;
  bitmap.forEach((ink, at) => {
    if (ink === 0) return;
    const x = at % SIZE;
    const y = Math.floor(at / SIZE);
    box ??= { left: x, right: x, top: y, bottom: y };
    box = { left: Math.min(box.left, x), right: Math.max(box.right, x), top: Math.min(box.top, y), bottom: Math.max(box.bottom, y) };
  });
  return box;
}

/* bitmap: SIZE * SIZE of 0 or 1. Returns 64 numbers in 0 ... 1, or null where nothing is drawn. */
export function countsOf(bitmap) {
  const box = boxOf(bitmap);
  if (box === null) return null;
  const width = box.right - box.left + 1;
  const height = box.bottom - box.top + 1;
  const scale = SIZE / Math.max(width, height);
  const shift = { x: (SIZE - width * scale) / 2, y: (SIZE - height * scale) / 2 };
  const x = new Float32Array((SIZE / BLOCK) ** 2);
  for (let row = 0; row < SIZE; row++) {
    for (let column = 0; column < SIZE; column++) {
      const u = box.left + Math.floor((column + 0.5 - shift.x) / scale);
      const v = box.top + Math.floor((row + 0.5 - shift.y) / scale);
      const inside = u >= box.left && u <= box.right && v >= box.top && v <= box.bottom;
      if (inside && bitmap[v * SIZE + u] === 1) x[8 * Math.floor(row / BLOCK) + Math.floor(column / BLOCK)] += 1 / BLOCK_PIXELS;
    }
  }
  return x;
}

/* Inks a round spot. */
export function ink(bitmap, x, y, radius) {
  for (let v = Math.floor(y - radius); v <= y + radius; v++) {
    for (let u = Math.floor(x - radius); u <= x + radius; u++) {
      const inside = u >= 0 && u < SIZE && v >= 0 && v < SIZE;
      if (inside && (u + 0.5 - x) ** 2 + (v + 0.5 - y) ** 2 <= radius ** 2) bitmap[v * SIZE + u] = 1;
    }
  }
}
