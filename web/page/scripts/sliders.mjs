/* Softmax by sliders: one z_i moves every a_j, and their sum stays 1. */
import { byId, element, say, textOf } from "./dom.mjs";

const START = [1, 0, -1, 2];

export function startSliders(sigmax) {
  const rows = START.map((z, i) => {
    const slider = element("input", { type: "range", min: -5, max: 5, step: 0.1, value: z, id: `slider-${i}`, "aria-label": `z ${i + 1}` });
    const value = element("output", { for: `slider-${i}` });
    const bar = element("span", {});
    const share = element("span", { class: "share", id: `share-${i}` });
    const derivative = element("span", { class: "derivative" });
    const row = element("div", { class: "slider-row" }, element("span", {}, element("i", {}, "z"), element("sub", {}, String(i + 1)), " = ", value), slider, element("span", { class: "bar" }, bar), share, derivative);
    return { slider, value, bar, share, derivative, row };
  });
  byId("sliders").querySelector(".slider-rows").replaceChildren(...rows.map(({ row }) => row));

  const show = (moved) => {
    const z = Float64Array.from(rows, ({ slider }) => Number(slider.value));
    const a = sigmax.softmax(z);
    const jacobian = sigmax.softmaxJacobian(z);
    rows.forEach(({ slider, value, bar, share, derivative }, j) => {
      say(value, z[j].toFixed(1).replace("-", "−"));
      bar.style.width = `${100 * a[j]}%`;
      say(share, `a = ${a[j].toFixed(4)}`);
      const slope = jacobian[j * z.length + moved];
      say(derivative, `∂a/∂z${moved + 1} = ${textOf(slope, 3)}`);
      slider.setAttribute("aria-valuetext", `z ${textOf(z[j], 2)}, a ${textOf(a[j], 3)}`);
    });
    say(byId("sliders-sum"), a.reduce((sum, a_j) => sum + a_j, 0).toFixed(10));
  };
  rows.forEach(({ slider }, i) => slider.addEventListener("input", () => show(i)));
  show(0);
}
