/* Training: the options, the buttons, the curve. */
import { byId, say, textOf } from "./dom.mjs";
import { lineChart } from "./chart.mjs";
import { N_PIXELS, N_TRAINING, rowsOf } from "./digits.mjs";

const CLASSES = 10;
const NETWORK_SEED = 0;

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
  const rate = Number(text.trim().replace(",", ".").replace("−", "-"));
  if (text.trim() === "" || Number.isNaN(rate)) {
    throw new RangeError(`The rate must be a number, but it is “${text.trim()}”. 0.5 learns well here.`);
  }
  if (!Number.isFinite(rate) || rate <= 0) {
    throw new RangeError(`The rate must be finite and greater than 0, but it is ${text.trim()}. At 0 nothing is learned; 0.5 learns well here.`);
  }
  return rate;
}

export function startTraining(store, sigmax) {
  let running = false;
  let position = 0;
  const { state } = store;

  /* Reads the rate, does the work, and says in words what went wrong. Returns whether it went well. */
  const attempt = (work) => {
    const message = byId("training-message");
    try {
      state.options.rate = rateOf(byId("rate").value);
      byId("rate").removeAttribute("aria-invalid");
    } catch (error) {
      byId("rate").setAttribute("aria-invalid", "true");
      say(message, error.message);
      return false;
    }
    const { network } = state;
    const saved = { parameters: network.parameters(), epochs: network.epochsTrained };
    const before = measure(network, state.digits);
    let after = before;
    try {
      work(state.options);
      after = measure(network, state.digits);
    } catch (error) {
      network.setParameters(saved.parameters);
      network.epochsTrained = saved.epochs;
      say(message, `${error.message} The network is as it was before. Take a smaller rate, or start again.`);
      return false;
    }
    const worse = after.cost > 3 * before.cost && after.cost > 1;
    say(message, worse ? `At this rate the steps are too long: the cost went from ${textOf(before.cost, 3)} to ${textOf(after.cost, 3)}. Take a smaller rate and start again.` : "");
    return !worse;
  };

  const epochs = () =>
    attempt((options) => {
      const { X, labels } = rowsOf(state.digits, 0, N_TRAINING);
      state.network.fit(X, labels, { epochs: 1, batchSize: options.batchSize, rate: options.rate });
      const now = measure(state.network, state.digits);
      state.epochs++;
      state.history.push(now);
    });

  const stop = () => {
    running = false;
    say(byId("train"), "Train");
  };

  const run = () => {
    if (!running) return;
    if (!epochs() || state.epochs >= 500) stop();
    store.change();
    requestAnimationFrame(run);
  };

  const reset = () => {
    stop();
    position = 0;
    state.network.free();
    const network = newNetwork(sigmax, state.options);
    const last = network.sizes.length - 1;
    say(byId("training-message"), "");
    store.change({
      network,
      epochs: 0,
      history: [measure(network, state.digits)],
      hiddenLayer: Math.min(state.hiddenLayer, last - 1),
      layer: 1,
      neuron: state.hiddenLayer === 1 ? state.hiddenNeuron : 0,
      source: null,
    });
  };

  byId("train").addEventListener("click", () => {
    running = !running;
    say(byId("train"), running ? "Stop" : "Train");
    run();
  });
  byId("epoch").addEventListener("click", () => {
    epochs();
    store.change();
  });
  byId("step").addEventListener("click", () => {
    attempt((options) => {
      const end = Math.min(position + options.batchSize, N_TRAINING);
      const { X, labels } = rowsOf(state.digits, position, end);
      state.network.step(X, labels, { rate: options.rate });
      position = end % N_TRAINING;
    });
    store.change();
  });
  byId("step-digit").addEventListener("click", () => {
    attempt((options) => state.network.step(state.example.x, [state.example.label], { rate: options.rate }));
    store.change();
  });
  byId("reset").addEventListener("click", reset);
  byId("rate").addEventListener("change", () => {
    attempt(() => {});
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
