/* "Your turn": a question about the digit in view, and what a wrong answer was probably made of. */
import { byId, line, number, numberOf, say, symbol, textOf } from "./dom.mjs";
import { bp2Terms } from "./numbers_backward.mjs";
import { strongest } from "./pass.mjs";

const TOLERANCE = 0.01; /* relative: numbers on the page are rounded to four digits */

/* A question: what is shown, the answer, and the mistakes, { value: words }, most likely first. */
const QUESTIONS = {
  bp1({ pass }, turn) {
    const a = pass.a[pass.last];
    const i = (pass.label + (turn % 2 === 0 ? 0 : 1 + (turn % (a.length - 1)))) % a.length;
    const y = i === pass.label ? 1 : 0;
    return {
      shown: [line("The label is ", String(pass.label), ". Output neuron ", String(i), " has ", symbol("a", i), " = ", number(a[i], { digits: 6 }), ". What is its error ", symbol("δ", i), "?")],
      answer: pass.deltas[pass.last][i],
      mistakes: [
        [y - a[i], "That is y − a. The error is the slope of the cost, a − y: at the label it is negative."],
        [y === 1 ? a[i] : a[i] - 1, y === 1 ? "This neuron is the label, so y = 1, not 0." : "This neuron is not the label, so y = 0, not 1."],
        [(a[i] - y) * a[i] * (1 - a[i]), "You multiplied by the slope a (1 − a). In BP1 it has cancelled."],
        [a[i] * (1 - a[i]), "That is a (1 − a), the derivative of softmax alone. The error has the targets in it, too."],
        [-Math.log(a[i]), "That is −ln a, a cost. The error is the slope of the cost: a − y."],
      ],
    };
  },

  bp2({ pass, state }, turn) {
    const l = state.hiddenLayer;
    const j = (state.hiddenNeuron + turn) % pass.sizes[l];
    const terms = bp2Terms(pass, l, j);
    const a = pass.a[l][j];
    const sum = terms.reduce((total, { product }) => total + product, 0);
    const most = strongest(terms.map(({ product }) => product), 1)[0];
    const n = pass.sizes[l];
    const row = j < terms.length ? [...terms.keys()].reduce((total, k) => total + terms[k].delta * pass.weights[l + 1][j * n + k], 0) : NaN;
    return {
      shown: [
        line("Hidden neuron ", String(j), " of layer ", String(l), " has ", symbol("a"), " = ", number(a, { digits: 6 }), `. The sum of δ w over the ${terms.length} neurons of the next layer is `, number(sum, { digits: 6 }), "."),
        line(`Its largest term, k = ${most}: `, number(terms[most].delta), " × ", number(terms[most].w), ". What is its error ", symbol("δ", `${l},${j}`), "?"),
      ],
      answer: pass.deltas[l][j],
      mistakes: [
        [-pass.deltas[l][j], "The sign is wrong. Nothing in BP2 changes it."],
        [sum, "You have the sum that comes back, but not the slope. Multiply by a (1 − a)."],
        [sum * a, "You multiplied by a alone. The slope is a (1 − a)."],
        [sum * (1 - a), "You multiplied by 1 − a alone. The slope is a (1 − a)."],
        [a * (1 - a), "That is the slope alone. Multiply it by the sum that comes back."],
        [terms[most].product * a * (1 - a), `That is the term of k = ${most} alone. All ${terms.length} terms count.`],
        [row * a * (1 - a), "You took row j of the weights. Backward, the errors come through column j."],
      ],
    };
  },

  bp4({ pass, state }, turn) {
    const { layer: l, neuron: j } = state;
    const before = pass.a[l - 1];
    const k = strongest(before, 12)[turn % 12];
    const delta = pass.deltas[l][j];
    const n = pass.sizes[l - 1];
    const w = pass.weights[l][j * n + k];
    return {
      shown: [line("Neuron ", String(j), " of layer ", String(l), " has ", symbol("δ"), " = ", number(delta, { digits: 6 }), " and the weight ", number(w, { digits: 6 }), " from neuron ", String(k), " of layer ", String(l - 1), ", whose activation is ", number(before[k], { digits: 6 }), ". What is ∂C/∂", symbol("w"), " for this digit?")],
      answer: pass.nablaWeights[l][j * n + k],
      mistakes: [
        [-delta * before[k], "The sign is wrong: the gradient is δ a. The minus belongs to the update."],
        [-state.options.rate * delta * before[k], "That is the change of the weight, −η δ a. The gradient is without −η."],
        [state.options.rate * delta * before[k], "The rate belongs to the update, not to the gradient."],
        [delta * w, "That is δ w, a term of BP2. The gradient of a weight is δ times the activation where it comes from."],
        [delta, "That is ∂C/∂b. For the weight, multiply by the activation where it comes from."],
        [delta * before[k] * before[k] * (1 - before[k]), "You multiplied by a slope. BP4 has none: it is in δ already."],
        [w * before[k], "That is w a, a term of z. The gradient of a weight is δ a."],
      ],
    };
  },
};

function near(answer, value) {
  return Number.isFinite(value) && Math.abs(answer - value) <= TOLERANCE * Math.abs(value);
}

/* What is said to an answer. */
export function responseTo(question, text) {
  const answer = numberOf(text);
  if (!Number.isFinite(answer)) return `“${text.trim()}” is no number. Write it like −0.0123 or 1.2e-3.`;
  if (near(answer, question.answer)) return `Right: the engine has ${textOf(question.answer, 6)}.`;
  const mistake = question.mistakes.find(([value]) => near(answer, value) && !near(value, question.answer));
  if (mistake !== undefined) return `Not yet. ${mistake[1]}`;
  const share = answer / question.answer;
  if (question.answer !== 0 && Math.abs(share - 1) < 0.1) return "Close, but more than 1 % off: take more digits.";
  const power = Math.log10(Math.abs(share));
  if (share > 0 && Math.abs(power - Math.round(power)) < 0.005) return "The digits are right, but the decimal point is not.";
  return "Not yet, and it is none of the usual mistakes. The equation and its numbers are in the section above.";
}

export function startExercise() {
  let view = null;
  let turn = 0;
  let question = null;

  const ask = () => {
    question = QUESTIONS[byId("exercise-kind").value](view, turn);
    byId("exercise-question").replaceChildren(...question.shown);
  };
  const clear = () => {
    byId("exercise-answer").value = "";
    say(byId("exercise-message"), "");
  };
  const fresh = () => {
    clear();
    ask();
  };
  byId("exercise-kind").addEventListener("change", fresh);
  byId("exercise-next").addEventListener("click", () => {
    turn++;
    fresh();
  });
  byId("exercise-show").addEventListener("click", () => say(byId("exercise-message"), `The answer is ${textOf(question.answer, 6)}.`));
  byId("exercise-form").addEventListener("submit", (event) => {
    event.preventDefault();
    say(byId("exercise-message"), responseTo(question, byId("exercise-answer").value));
  });
  return (next) => {
    view = next;
    const before = byId("exercise-question").textContent;
    ask();
    if (byId("exercise-question").textContent !== before) clear(); /* what stands there is about other numbers */
  };
}
