// The memory of the C library: copies, growth, freeing; the one-file form; the example of README.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import * as joined from "../build/sigmax.mjs";
import { instantiate } from "../sigmax.mjs";
import { assertRefused, inTree, read, sigmax, wasm } from "./shared.mjs";

const X = [0, 0, 0, 1, 1, 0, 1, 1], labels = [0, 1, 1, 0];

// A module of its own, how many bytes its memory has, and how often free() of C was called.
async function fresh() {
    const compiled = await WebAssembly.compile(wasm);
    let memory, freed = 0;
    const { instantiate: original } = WebAssembly;
    WebAssembly.instantiate = async (...args) => {
        const instance = await original.call(WebAssembly, ...args);
        const { exports } = instance;
        memory = exports.memory;
        const free = (pointer) => {
            freed++;
            exports.free(pointer);
        };
        return { instance: { exports: { ...exports, free } } };
    };
    try {
        return { module: await instantiate(compiled), bytes: () => memory.buffer.byteLength, freed: () => freed };
    } finally {
        WebAssembly.instantiate = original;
    }
}

test("what is returned is a copy", () => {
    const network = sigmax.network({ sizes: [2, 5, 2] });
    const before = network.parameters();
    for (const array of [network.parameters(), ...network.weights, ...network.biases, network.predictProba(X), ...network.activations(X)]) array.fill(7);
    assert.deepEqual(network.parameters(), before);
    const given = Float32Array.from(before);
    network.setParameters(given);
    given.fill(7);
    assert.deepEqual(network.parameters(), before);
    const inputs = Float32Array.from(X);
    network.fit(inputs, labels, { epochs: 3 });
    assert.deepEqual(inputs, Float32Array.from(X));
});

test("a memory that grows takes nothing with it", async () => {
    const { module, bytes } = await fresh();
    const small = module.network({ sizes: [2, 5, 2], seed: 3 });
    const [weights, probabilities] = [small.weights, small.predictProba(X)], before = bytes();
    const large = module.network({ sizes: [1000, 1000, 10] });
    const rows = new Float32Array(1000 * 1000).fill(0.5);
    assert.equal(large.predict(rows).length, 1000);
    large.fit(rows, new Int32Array(1000), { epochs: 1, batchSize: 100, optimizer: "adam" });
    assert.ok(bytes() > before + 8e6, `${before} to ${bytes()}`);
    assert.deepEqual(small.weights, weights);
    assert.deepEqual(small.predictProba(X), probabilities);
    assert.equal(weights[0].length, 10); // not detached
});

test("1,000 networks leave nothing behind", async () => {
    const { module, bytes } = await fresh();
    const round = async () => {
        const network = module.network({ sizes: [64, 30, 10] });
        network.fit(new Float32Array(640), new Int32Array(10), { epochs: 2, optimizer: "adam" });
        network.step(new Float32Array(640), new Int32Array(10));
        network.weightedInputs(new Float32Array(640)), network.backprop(new Float32Array(640), new Int32Array(10));
        await assertRefused(() => network.predict([NaN]), /X/);
        await assertRefused(() => network.fit(new Float32Array(640).fill(3e38), new Int32Array(10), { rate: 1e308 }), /diverged/);
        network.copy().free();
        network.free();
        module.softmaxJacobian(new Float32Array(100));
    };
    for (let i = 0; i < 20; i++) await round();
    const before = bytes();
    for (let i = 0; i < 1000; i++) await round();
    assert.equal(bytes(), before);
});

const withCollector = { skip: globalThis.gc ? false : "needs node --expose-gc" };

test("what was freed is not freed again when it is collected", withCollector, async () => {
    const { module, freed } = await fresh();
    (() => module.network({ sizes: [2, 5, 2] }).free())();
    const before = freed();
    assert.ok(before > 0);
    (() => module.network({ sizes: [2, 5, 2] }))();
    for (let turn = 0; turn < 20 && freed() < before + 3; turn++) {
        globalThis.gc();
        await new Promise((resolve) => setTimeout(resolve, 5));
    }
    // Two by the second one's making, and one of its parameters.
    assert.equal(freed(), before + 3);
});

test("networks that nobody frees are collected", withCollector, async () => {
    const { module, bytes } = await fresh();
    const some = async (n) => {
        for (let i = 0; i < n; i++) module.network({ sizes: [640, 300, 10] }); // 0.8 MB each
        for (let turn = 0; turn < 3; turn++) {
            await new Promise((resolve) => setTimeout(resolve, 5));
            globalThis.gc();
        }
        await new Promise((resolve) => setTimeout(resolve, 5));
    };
    await some(10);
    const before = bytes();
    for (let i = 0; i < 10; i++) await some(10);
    assert.ok(bytes() <= before + 10e6, `${before} to ${bytes()}`);
});

test("a network that was freed", async () => {
    const network = sigmax.network({ sizes: [2, 5, 2] });
    network.free();
    network.free();
    const calls = [
        ...["predict", "predictProba", "activations", "weightedInputs"].map((name) => () => network[name](X)),
        ...["cost", "backprop", "fit", "step"].map((name) => () => network[name](X, labels)),
        ...["parameters", "copy", "toNpz"].map((name) => () => network[name]()),
        ...["weights", "biases", "parameterCount", "instructionSet"].map((name) => () => network[name]),
        () => network.setParameters(new Float32Array(27)),
    ];
    for (const call of calls) await assertRefused(call, /this network was freed/);
    assert.deepEqual(network.sizes, [2, 5, 2]);
});

test("memory that runs out is an error, and the rest goes on", async () => {
    const { module } = await fresh();
    const network = module.network({ sizes: [2, 5, 2], seed: 3 }), before = network.predictProba(X);
    // All but 128 KB of what a memory can have.
    for (let i = 0; i < 3; i++) {
        await assertRefused(() => module.network({ sizes: [32_767, 32_767] }), /memory: there are no 4,294,836,224 bytes left/);
        assert.deepEqual(network.predictProba(X), before);
    }
    assert.equal(module.network({ sizes: [1000, 100, 10] }).predict(new Float32Array(1000)).length, 1);
});

test("the order of the rows is a permutation", () => {
    const order = sigmax.permutation(5, 1, 100);
    assert.deepEqual(order.slice().sort(), Uint32Array.from({ length: 100 }, (_, i) => i));
    assert.notDeepEqual(order, sigmax.permutation(5, 2, 100));
});

test("modules joined into one file are the same", async () => {
    assert.doesNotMatch(read("web", "build", "sigmax.mjs"), /^import /m);
    const other = await joined.instantiate(wasm);
    const [one, two] = [sigmax, other].map((module) => {
        const network = module.network({ sizes: [2, 8, 2], dtype: "float64" });
        network.fit(X, labels, { epochs: 5 });
        return network.parameters();
    });
    assert.deepEqual(one, two);
    await assert.rejects(async () => other.network({}), joined.SigmaxError);
    assert.equal(joined.VERSION, sigmax.version);
});

test("the example of README", async () => {
    const [, example] = read("web", "README.md").match(/```js\n([^]*?)```/);
    const printed = [];
    const body = example.replace(/^import .*\n/gm, "").replaceAll('"web/build/sigmax.wasm"', "wasmPath");
    const run = new Function("instantiate", "readFile", "wasmPath", "console", `return (async () => {${body}\nreturn bytes;})()`);
    const bytes = await run(instantiate, readFileSync, inTree("web", "build", "sigmax.wasm"), { log: (...values) => printed.push(...values) });
    assert.ok(Math.abs(printed[0] - 0.00066) < 0.00001, `${printed[0]}`);
    assert.deepEqual(printed[1], Int32Array.from(labels));
    assert.deepEqual((await sigmax.loadModel(bytes)).predict(X), Int32Array.from(labels));
});
