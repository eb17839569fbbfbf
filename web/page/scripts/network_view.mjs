/* The panel: the digit's picture, and every neuron as a button, coloured by its activation. */
import { byId, element, say, textOf } from "./dom.mjs";
import { N_TRAINING, paint, rowsOf } from "./digits.mjs";
import { choose } from "./store.mjs";
import { checkRate } from "./training.mjs";

/* Blue by activation on white; the text is black or white, whichever has more contrast (WCAG 2: above 4.5 then). */
function colours(button, activation) {
  const share = Math.min(1, Math.max(0, activation));
  const rgb = [8, 69, 148].map((full) => Math.round(255 + (full - 255) * share));
  const linear = rgb.map((c) => (c <= 10 ? c / 3295 : ((c / 255 + 0.055) / 1.055) ** 2.4));
  button.style.backgroundColor = `rgb(${rgb})`;
  button.style.color = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.179 ? "#000" : "#fff";
}

/* A toolbar: one of its buttons can be reached with Tab, the others with the arrow keys. */
function moveByArrows(event, buttons, columns) {
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns, Home: -buttons.length, End: buttons.length };
  const step = steps[event.key];
  if (step === undefined) return;
  event.preventDefault();
  const to = Math.min(buttons.length - 1, Math.max(0, buttons.indexOf(event.target) + step));
  buttons[to].focus();
  buttons[to].click();
}

function layerOf(store, layer, size, isOutput, label) {
  const buttons = [...Array(size).keys()].map((neuron) => {
    const button = element("button", { type: "button", class: isOutput ? "output" : "neuron", "data-layer": layer, "data-neuron": neuron });
    if (isOutput) {
      button.append(element("span", {}, String(neuron)), element("span", { class: "bar" }, element("span")), element("span", { class: "share" }));
    } else {
      button.append(String(neuron));
    }
    button.addEventListener("click", () => choose(store, layer, neuron));
    return button;
  });
  const bar = element("div", { role: "toolbar", "aria-label": label, class: isOutput ? "outputs" : "neurons" }, buttons);
  bar.addEventListener("keydown", (event) => moveByArrows(event, buttons, isOutput ? 1 : 10));
  return { buttons, elements: [element("p", { class: "layer-name" }, label), bar] };
}

export function startNetworkView(store) {
  let layers = [];
  let shape = "";

  const build = (sizes) => {
    shape = String(sizes);
    layers = sizes.slice(1).map((size, i) => {
      const isOutput = i === sizes.length - 2;
      const name = isOutput ? `Output layer: the probability of each class` : `Hidden layer ${i + 1}: ${size} neurons`;
      return layerOf(store, i + 1, size, isOutput, name);
    });
    byId("layers").replaceChildren(...layers.flatMap((layer) => layer.elements));
  };

  const show = ({ state, pass }) => {
    if (shape !== String(pass.sizes)) build(pass.sizes);
    const { example } = state;
    const guess = pass.a[pass.last].indexOf(Math.max(...pass.a[pass.last]));
    paint(byId("picture"), example.x);
    byId("picture").setAttribute("aria-label", `8 by 8 pixels, ${example.name}, label ${pass.label}`);
    say(byId("digit-caption"), `${example.name[0].toUpperCase()}${example.name.slice(1)}: a ${pass.label}. The network says ${guess}${guess === pass.label ? "." : ", which is wrong."}`);
    layers.forEach(({ buttons }, i) => {
      const l = i + 1;
      const chosen = l === pass.last ? state.outputNeuron : l === state.hiddenLayer ? state.hiddenNeuron : -1;
      buttons.forEach((button, j) => {
        const a = pass.a[l][j];
        button.setAttribute("aria-pressed", String(l === state.layer && j === state.neuron));
        button.classList.toggle("kept", j === chosen);
        button.tabIndex = j === Math.max(0, chosen) ? 0 : -1;
        if (l === pass.last) {
          button.querySelector(".bar > span").style.width = `${100 * a}%`;
          say(button.querySelector(".share"), a.toFixed(3));
          button.setAttribute("aria-label", `${j}: output neuron, probability ${a.toFixed(3)}${j === pass.label ? ", the label" : ""}`);
          button.classList.toggle("label", j === pass.label);
        } else {
          colours(button, a);
          button.setAttribute("aria-label", `${j}: neuron of hidden layer ${l}, activation ${textOf(a, 2)}`);
        }
      });
    });
  };

  byId("previous-digit").addEventListener("click", () => showDigit(store, step(store, -1)));
  byId("next-digit").addEventListener("click", () => showDigit(store, step(store, 1)));
  byId("next-wrong").addEventListener("click", () => nextWrong(store));
  byId("picture").addEventListener("click", (event) => {
    const box = byId("picture").getBoundingClientRect();
    const at = (position, begin, length) => Math.min(7, Math.max(0, Math.floor((8 * (position - begin)) / length)));
    if (store.state.layer === 1) store.change({ source: 8 * at(event.clientY, box.top, box.height) + at(event.clientX, box.left, box.width) });
  });
  return show;
}

export function exampleOf(digits, row) {
  const { X, labels } = rowsOf(digits, row, row + 1);
  return { x: X.slice(), label: labels[0], name: `digit no. ${row}${row < N_TRAINING ? "" : " (held out)"}`, row };
}

function step({ state }, by) {
  const { digits, example } = state;
  return ((example.row ?? -1) + by + digits.rows) % digits.rows;
}

function showDigit(store, row) {
  checkRate();
  store.change({ example: exampleOf(store.state.digits, row), source: null });
}

/* The next digit that the network gets wrong. */
function nextWrong(store) {
  const { network, digits } = store.state;
  const guesses = network.predict(digits.X);
  const begin = step(store, 1);
  for (let i = 0; i < digits.rows; i++) {
    const row = (begin + i) % digits.rows;
    if (Number(guesses[row]) !== digits.labels[row]) return showDigit(store, row);
  }
  return say(byId("training-message"), `The network gets all ${digits.rows} digits right.`);
}
