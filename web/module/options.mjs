// The options of training, as FitOptions of the Python package has them.

import { isAtLeast0, isFinitePositive, isSeed, isShare, refuse, SEED, shown, SigmaxError } from "./checks.mjs";
import { OPTIMIZERS } from "./header.mjs";

const OPTIMIZER_NAMES = Object.keys(OPTIMIZERS);
const POSITIVE = [isFinitePositive, "a finite number > 0"];
const AT_LEAST_0 = [isAtLeast0, "a finite number >= 0"];
const SHARE = [isShare, "a number from 0 to below 1"];

// The options of training: default, check, what is expected, and the optimisers that use it where not all do.
export const OPTIONS = {
    epochs: [30, (x) => Number.isSafeInteger(x) && x >= 0, "an integer >= 0"],
    batchSize: [10, (x) => Number.isSafeInteger(x) && x >= 1, "an integer >= 1"],
    rate: [null, ...POSITIVE],
    optimizer: ["sgd", (x) => OPTIMIZER_NAMES.includes(x), `one of ${OPTIMIZER_NAMES.map(shown).join(", ")}`],
    momentum: [0.9, ...SHARE, ["momentum", "nesterov"]],
    beta1: [0.9, ...SHARE, ["adam", "adamw"]],
    beta2: [0.999, ...SHARE, ["adam", "adamw"]],
    rho: [0.99, ...SHARE, ["rmsprop"]],
    epsilon: [1e-8, ...POSITIVE, ["rmsprop", "adam", "adamw"]],
    weightDecay: [0.01, ...AT_LEAST_0, ["adamw"]],
    l2: [0, ...AT_LEAST_0],
    l1: [0, ...AT_LEAST_0],
    clipNorm: [null, ...POSITIVE],
    dropout: [0, ...SHARE],
    labelSmoothing: [0, ...SHARE],
    shuffle: [true, (x) => typeof x === "boolean", "true or false"],
    seed: [null, isSeed, SEED],
};
export const STEP_OPTIONS = ["rate", "l2", "l1", "clipNorm", "labelSmoothing"];

export function asOptions(given, allowed, call) {
    if (given === null || typeof given !== "object") refuse("options", given, "an object, like { rate: 0.5 }");
    for (const name of Object.keys(given)) {
        if (!allowed.includes(name))
            throw new SigmaxError(`${call} has no option ${shown(name)}; it has ${allowed.join(", ")}`);
    }
    const options = {};
    for (const [name, [standard, isValid, expected]] of Object.entries(OPTIONS)) {
        const value = given[name] ?? standard;
        if (value !== null && !isValid(value)) refuse(name, value, expected);
        options[name] = value;
    }
    for (const [name, [standard, , , users]] of Object.entries(OPTIONS)) {
        if (users && !users.includes(options.optimizer) && options[name] !== standard)
            refuse(name, options[name], `an optimizer that uses it, ${users.map(shown).join(" or ")}`);
    }
    options.rate ??= OPTIMIZERS[options.optimizer].rate;
    return options;
}
