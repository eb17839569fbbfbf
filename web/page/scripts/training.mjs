/* Training: the options, the buttons, the curve. */
import { byId, numberOf, say, textOf } from "./dom.mjs";
import { lineChart } from "./chart.mjs";
import { N_PIXELS, N_TRAINING, rowsOf } from "./digits.mjs";
import { replaceNetwork } from "./store.mjs";

const CLASSES = 10;
const NETWORK_SEED = 0;
const MOST_EPOCHS = 500; /* then "Train" stops */

export function newNetwork(sigmax, options, dtype = "float32") {
  return sigmax.network({ sizes: [N_PIXELS, ...options.hidden, CLASSES], dtype, seed: NETWORK_SEED, init: options.init });
}

/* How good the network is on the digits held out. */
export function measure(network, digits) {
  const held = rowsOf(digits, N_TRAINING, digits.rows);
  const { cost, accuracy } = network.cost(held.X, held.labels);
  return { cost, accuracy };
}

/* The rate that was typed, or an error in words. */
export function rateOf(text) {
  const rate = numberOf(text);
  if (Number.isNaN(rate)) {
    throw new RangeError(`The rate must be a number, but it is “${text.trim()}”. 0.5 learns well here.`);
  }
  if (!Number.isFinite(rate) || rate <= 0) {
    throw new RangeError(`The rate must be finite and greater than 0, but it is ${text.trim()}. At 0 nothing is learned; 0.5 learns well here.`);
  }
  return rate;
}

/* Returns the rate of the panel, or null; the message below it says what is wrong with it, or nothing. */
export function checkRate() {
  try {
    const rate = rateOf(byId("rate").value);
    byId("rate").removeAttribute("aria-invalid");
    say(byId("training-message"), "");
    return rate;
  } catch (error) {
    byId("rate").setAttribute("aria-invalid", "true");
    say(byId("training-message"), error.message);
    return null;
  }
}

function isMuchWorse(cost, before) {
  return !(cost <= 3 * before) && !(cost <= 1);
}

export function startTraining(store, sigmax) {
  let frame = null; /* of the next epoch, while training */
  let position = 0;
  const { state } = store;

  /*
   * Does the work at the rate of the panel. Where it fails, or an epoch makes the cost much larger, says so, and the network is
   * as before; a step is kept, for one digit alone may do so at a good rate. Returns whether the network has changed.
   */
  const attempt = (work, isEpoch) => {
    const rate = checkRate();
    if (rate === null) return false;
    state.options.rate = rate;
    const saved = state.network.copy();
    const before = measure(saved, state.digits).cost;
    const best = Math.min(...state.history.map(({ cost }) => cost));
    let problem = "";
    try {
      work(state.options);
      const { cost } = measure(state.network, state.digits);
      if (isEpoch && isMuchWorse(cost, before)) problem = `At this rate the steps are too long: the cost went from ${textOf(before, 3)} to ${textOf(cost, 3)}.`;
      else if (isMuchWorse(cost, best)) say(byId("training-message"), `The cost is ${textOf(cost, 3)}, and it was ${textOf(best, 3)}: a step was too long. Take a smaller rate, and train for some epochs or start again.`);
    } catch (error) {
      problem = error.message;
    }
    if (problem === "") {
      saved.free();
      return true;
    }
    state.network.free();
    state.network = saved;
    say(byId("training-message"), `${problem} The network is as it was before. Take a smaller rate.`);
    return false;
  };

  const epoch = () => {
    const went = attempt((options) => {
      const { X, labels } = rowsOf(state.digits, 0, N_TRAINING);
      state.network.fit(X, labels, { epochs: 1, batchSize: options.batchSize, rate: options.rate });
    }, true);
    if (went) {
      state.epochs++;
      state.history.push(measure(state.network, state.digits));
    }
    store.change();
    return went;
  };

  /* While training, a screen reader is not given each epoch: it reads the last one. */
  const stop = () => {
    if (frame === null) return;
    cancelAnimationFrame(frame);
    frame = null;
    say(byId("train"), "Train");
    byId("progress").removeAttribute("aria-live");
    store.change();
  };

  const run = () => {
    frame = requestAnimationFrame(run);
    if (!epoch() || state.epochs >= MOST_EPOCHS) stop();
  };

  const reset = () => {
    stop();
    position = 0;
    const network = newNetwork(sigmax, state.options);
    replaceNetwork(store, network, { epochs: 0, history: [measure(network, state.digits)] });
    checkRate();
  };

  byId("train").addEventListener("click", () => {
    if (frame !== null) {
      stop();
      return;
    }
    say(byId("train"), "Stop");
    byId("progress").setAttribute("aria-live", "off");
    run();
  });
  byId("epoch").addEventListener("click", epoch);
  byId("step").addEventListener("click", () => {
    const end = Math.min(position + state.options.batchSize, N_TRAINING);
    const { X, labels } = rowsOf(state.digits, position, end);
    if (attempt(({ rate }) => state.network.step(X, labels, { rate }))) position = end % N_TRAINING;
    store.change();
  });
  byId("step-digit").addEventListener("click", () => {
    attempt(({ rate }) => state.network.step(state.example.x, [state.example.label], { rate }));
    store.change();
  });
  byId("reset").addEventListener("click", reset);
  byId("rate").addEventListener("change", () => {
    state.options.rate = checkRate() ?? state.options.rate;
    store.change();
  });
  byId("batch").addEventListener("change", () => {
    state.options.batchSize = Number(byId("batch").value);
    position = 0;
    store.change();
  });
  for (const id of ["init", "hidden"]) {
    byId(id).addEventListener("change", () => {
      state.options.init = byId("init").value;
      state.options.hidden = byId("hidden").value.split(",").map(Number);
      reset();
    });
  }

  return () => {
    const { cost, accuracy } = measure(state.network, state.digits);
    const { history } = state;
    say(byId("progress"), `${state.epochs} ${state.epochs === 1 ? "epoch" : "epochs"}. On the 297 digits held out: cost ${textOf(cost, 3)}, ${(100 * accuracy).toFixed(1)} % right.`);
    const costs = history.map((entry) => entry.cost);
    lineChart(byId("curve"), [{ name: "cost, held out", values: costs, kind: "first" }], { high: Math.max(0.5, ...costs.filter(Number.isFinite)) });
  };
}
