/* Drawing a digit: by pointer or by keyboard, on 32 by 32, until the network reads it. */
import { byId, say, textOf } from "./dom.mjs";
import { SIZE, countsOf, ink } from "./bitmap.mjs";
import { paint } from "./digits.mjs";

const RADIUS = 1.9; /* a stroke of nearly 4 of 32, as in the data */

export function startDrawing(store) {
  const canvas = byId("drawing-canvas");
  const bitmap = new Uint8Array(SIZE * SIZE);
  const pen = { x: SIZE / 2, y: SIZE / 2, down: false, shown: false };
  let last = null;

  const show = () => {
    const context = canvas.getContext("2d");
    const image = context.createImageData(SIZE, SIZE);
    bitmap.forEach((inked, at) => image.data.set(inked === 1 ? [20, 20, 20, 255] : [255, 255, 255, 255], 4 * at));
    if (pen.shown) image.data.set(pen.down ? [200, 60, 20, 255] : [8, 69, 148, 255], 4 * (Math.floor(pen.y) * SIZE + Math.floor(pen.x)));
    context.putImageData(image, 0, 0);
    paint(byId("drawing-counts"), countsOf(bitmap) ?? new Float32Array(64));
  };

  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return { x: (SIZE * (event.clientX - box.left)) / box.width, y: (SIZE * (event.clientY - box.top)) / box.height };
  };
  const stroke = (from, to) => {
    const steps = Math.max(1, Math.ceil(2 * Math.hypot(to.x - from.x, to.y - from.y)));
    for (let i = 0; i <= steps; i++) ink(bitmap, from.x + ((to.x - from.x) * i) / steps, from.y + ((to.y - from.y) * i) / steps, RADIUS);
    show();
  };

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pen.shown = false;
    last = place(event);
    stroke(last, last);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (last === null) return;
    const next = place(event);
    stroke(last, next);
    last = next;
  });
  for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, () => (last = null));
  canvas.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key !== " " && !(event.key in steps)) return;
    event.preventDefault();
    pen.shown = true;
    if (event.key === " ") {
      pen.down = !pen.down;
      say(byId("drawing-result"), pen.down ? "The pen is down." : "The pen is up.");
    } else {
      const [x, y] = steps[event.key];
      pen.x = Math.min(SIZE - 0.5, Math.max(0.5, pen.x + x));
      pen.y = Math.min(SIZE - 0.5, Math.max(0.5, pen.y + y));
    }
    if (pen.down) ink(bitmap, pen.x, pen.y, RADIUS);
    show();
  });

  byId("drawing-clear").addEventListener("click", () => {
    bitmap.fill(0);
    say(byId("drawing-result"), "");
    show();
  });
  byId("drawing-use").addEventListener("click", () => {
    const x = countsOf(bitmap);
    if (x === null) {
      say(byId("drawing-result"), "Nothing is drawn yet: draw a digit first.");
      return;
    }
    const a = store.state.network.predictProba(x);
    const guess = a.indexOf(Math.max(...a));
    const advice = store.state.epochs === 0 ? " It has not been trained yet: choose “Train” above." : "";
    say(byId("drawing-result"), `The network reads a ${guess}, with probability ${textOf(a[guess], 3)}.${advice} All numbers of this page are now those of your drawing.`);
    store.change({ example: { x, label: Number(byId("drawing-label").value), name: "your drawing" }, source: null });
  });
  byId("drawing-label").addEventListener("change", () => {
    const { example } = store.state;
    if (example.name === "your drawing") store.change({ example: { ...example, label: Number(byId("drawing-label").value) } });
  });
  show();
}
