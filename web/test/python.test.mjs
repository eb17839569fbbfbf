// The numbers of the Python package, to the bit: every call, before and after training.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { OPTIMIZERS } from "../module/header.mjs";
import { OPTIONS } from "../module/options.mjs";
import { arraysOf, assertSame, expectedFolder, fits, python, sigmax } from "./shared.mjs";

const folder = expectedFolder();
const facts = JSON.parse(readFileSync(join(folder, "facts.json"), "utf8"));
const { exact } = facts;

function makeNetwork({ sizes, dtype, seed = "0", init }) {
    return sigmax.network({ sizes, dtype, seed: BigInt(seed), init });
}

function assertResults(network, X, y, expected, prefix) {
    const value = (name) => {
        const array = expected.get(`${prefix}/${name}`);
        return array.shape.length === 0 ? array.data[0] : array.data;
    };
    const layers = (arrays, name) => arrays.forEach((a, l) => assertSame(a, value(`${name}${l}`), exact, `${prefix} ${name}, layer ${l}`));
    const one = (actual, name) => assertSame(actual, value(name), exact, `${prefix} ${name}`);
    layers(network.weights, "weights");
    layers(network.biases, "biases");
    one(network.parameters(), "parameters");
    one(network.predictProba(X), "proba");
    assert.deepEqual(network.predict(X), Int32Array.from(value("labels"), Number));
    layers(network.weightedInputs(X), "weightedInputs");
    layers(network.activations(X), "activations");
    const { cost, accuracy } = network.cost(X, y);
    one(cost, "cost");
    one(accuracy, "accuracy");
    const backward = network.backprop(X, y);
    for (const name of ["deltas", "nablaWeights", "nablaBiases"]) layers(backward[name], name);
    one(backward.cost, "backpropCost");
}

fits.forEach((description, number) => {
    test(`case ${number}: ${description.sizes.join("-")}, ${JSON.stringify(description.fit)}`, async () => {
        const expected = await arraysOf(folder, `case-${number}.npz`);
        const X = expected.get("X").data, y = expected.get("y").data;
        const network = makeNetwork(description);
        assertResults(network, X, y, expected, "before");

        const stepped = network.copy();
        stepped.step(X, y, { rate: 0.25, l2: 0.01 });
        assertSame(stepped.parameters(), expected.get("step").data, exact, "step");
        assert.equal(stepped.epochsTrained, 0);

        for (const call of [0, 1]) {
            const history = network.fit(X, y, description.fit);
            for (const name of ["cost", "accuracy"])
                assertSame(Float64Array.from(history[name]), expected.get(`history${call}/${name}`).data, exact, `${name} of fit ${call}`);
            assert.deepEqual(history.correct, history.accuracy.map((share) => Math.round(share * description.rows)));
        }
        assertResults(network, X, y, expected, "after");

        const loaded = await sigmax.loadModel(readFileSync(join(folder, `model-${number}.npz`)));
        assertResults(loaded, X, y, expected, "after");
        assert.deepEqual([loaded.sizes, loaded.dtype, loaded.seed, loaded.epochsTrained], [network.sizes, network.dtype, network.seed, network.epochsTrained]);

        const path = join(folder, `from-node-${number}.npz`);
        writeFileSync(path, await network.toNpz());
        const inPython = JSON.parse(python("load_model.py", path));
        assert.equal(inPython.parameters, Buffer.from(network.parameters().buffer).toString("hex"));
        assert.deepEqual(inPython.sizes, description.sizes);
        assert.equal(inPython.dtype, network.dtype);
        assert.equal(inPython.seed, description.seed ?? "0");
        assert.equal(inPython.epochsTrained, 2 * description.fit.epochs);
        for (const each of [network, stepped, loaded]) each.free();
    });
});

test("a model file with preparation, temperature and class names", async () => {
    const expected = await arraysOf(folder, "prepared-results.npz");
    const X = expected.get("X").data, y = expected.get("y").data;
    const network = await sigmax.loadModel(readFileSync(join(folder, "prepared.npz")));
    assert.notEqual(network.temperature, 1);
    assert.deepEqual(network.classNames, ["Äpfel", "b", "\u{1F600}"]);
    assertSame(network.predictProba(X), expected.get("proba").data, exact, "proba");
    assertSame(network.weightedInputs(X)[0], expected.get("z").data, exact, "z");

    const path = join(folder, "prepared-from-node.npz");
    for (const copy of [network, network.copy()]) {
        writeFileSync(path, await copy.toNpz());
        const inPython = JSON.parse(python("load_model.py", path));
        assert.equal(inPython.temperature, network.temperature);
        for (const part of ["mean", "scale", "fill"]) assert.deepEqual(inPython.preparation[part], Array.from(network.preparation[part]));
        assert.deepEqual([inPython.classNames, inPython.classKind], [network.classNames, "str"]);
    }

    network.fit(X, y, { epochs: 1 });
    assertSame(network.parameters(), expected.get("parameters").data, exact, "parameters");
    assert.equal(network.temperature, 1);
});

test("a model file of version 2, of a network that was fitted on columns with names", async () => {
    const expected = await arraysOf(folder, "named-results.npz");
    const network = await sigmax.loadModel(readFileSync(join(folder, "named.npz")));
    assert.deepEqual(network.columnNames, ["Länge", "b", "c"]);
    const path = join(folder, "named-from-node.npz");
    for (const copy of [network, network.copy()]) {
        assertSame(copy.predictProba(expected.get("X").data), expected.get("proba").data, exact, "proba");
        writeFileSync(path, await copy.toNpz());
        assert.deepEqual(JSON.parse(python("load_model.py", path)).columnNames, network.columnNames);
    }
});

test("the equations by themselves", async () => {
    const expected = await arraysOf(folder, "equations.npz");
    for (const dtype of ["float32", "float64"]) {
        const value = (name) => expected.get(`${dtype}/${name}`).data;
        const z = value("z"), y = value("y");
        assertSame(sigmax.sigmoid(z), value("sigmoid"), exact, "sigmoid");
        assertSame(sigmax.sigmoidPrime(z), value("sigmoidPrime"), exact, "sigmoidPrime");
        assertSame(sigmax.softmax(z, 6), value("softmax"), exact, "softmax");
        assertSame(sigmax.softmaxJacobian(z.slice(0, 5)), value("softmaxJacobian"), exact, "softmaxJacobian");
        assertSame(sigmax.crossEntropy(z, y, 6), value("crossEntropy"), exact, "crossEntropy");
        assertSame(sigmax.outputDelta(z, y, 6), value("outputDelta"), exact, "outputDelta");
        assertSame(sigmax.softmax(z.slice(0, 5)), value("softmax").slice(0, 5), exact, "a single row");
        for (const [i, e] of sigmax.exp(z).entries()) assert.ok(Math.abs(e - Math.exp(z[i])) <= 1e-6 * Math.exp(z[i]));
    }
});

test("options and defaults are those of FitOptions", () => {
    const inPython = { rate: "learning_rate" };
    for (const [name, [standard]] of Object.entries(OPTIONS)) {
        const theirs = inPython[name] ?? name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
        if (name === "seed") continue; // of the network in Python
        if (name === "weightDecay") assert.equal(standard, facts.decay);
        else assert.equal(standard, facts.defaults[theirs], name);
    }
    const { lbfgs, ...rates } = facts.rates;
    assert.deepEqual(Object.fromEntries(Object.entries(OPTIMIZERS).map(([name, { rate }]) => [name, rate])), rates);
});
