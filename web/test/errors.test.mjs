// Bad input: an error in words that names the argument, the value and what was expected; nothing is changed.
import assert from "node:assert/strict";
import { test } from "node:test";

import { modelArrays } from "../module/model_file.mjs";
import { writeNpz } from "../module/npz_writing.mjs";
import { OPTIONS } from "../module/options.mjs";
import { instantiate, Network } from "../sigmax.mjs";
import { assertRefused, sigmax } from "./shared.mjs";

const X = [0, 0, 0, 1, 1, 0, 1, 1], labels = [0, 1, 1, 0];
const make = (more) => sigmax.network({ sizes: [2, 5, 2], seed: 1, ...more });

const BAD_NETWORKS = [
    [undefined, /sizes is undefined; expected at least two integers/],
    [null, /description is null; expected an object/],
    [3, /description is 3; expected an object/],
    [{ sizes: [2] }, /sizes is \[2\]; expected at least two integers/],
    [{ sizes: "2-2" }, /sizes is "2-2"; expected/],
    [{ sizes: [0, 2] }, /sizes\[0\] is 0; expected an integer from 1/],
    [{ sizes: [2, 1] }, /sizes\[1\] is 1; expected an integer from 2/],
    [{ sizes: [2, 2.5, 2] }, /sizes\[1\] is 2\.5; expected an integer/],
    [{ sizes: [2, "3", 2] }, /sizes\[1\] is "3"; expected an integer/],
    [{ sizes: [2, NaN] }, /sizes\[1\] is NaN; expected an integer/],
    [{ sizes: [2 ** 31 - 1, 2 ** 31 - 1, 2] }, /too large/],
    [{ sizes: [32_767, 32_767] }, /memory: there are no 4,294,836,224 bytes left; expected fewer rows, or a smaller/],
    [{ sizes: [2, 2], dtype: "float16" }, /dtype is "float16"; expected one of "float32", "float64"/],
    [{ sizes: [2, 2], dtype: "toString" }, /dtype is "toString"; expected/],
    [{ sizes: [2, 2], init: "zero" }, /init is "zero"; expected one of "lecun", "glorot", "large"/],
    [{ sizes: [2, 2], seed: -1 }, /seed is -1; expected an integer from 0 to 2\*\*64 - 1/],
    [{ sizes: [2, 2], seed: 2n ** 64n }, /seed is 18446744073709551616n; expected/],
    [{ sizes: [2, 2], seed: 0.5 }, /seed is 0\.5; expected/],
    [{ sizes: [2, 2], layers: 3 }, /network has no argument "layers"; it has sizes, dtype, seed, init/],
];

test("networks", async () => {
    for (const [description, words] of BAD_NETWORKS) await assertRefused(() => sigmax.network(description), words);
    await assertRefused(() => new Network(), /expected network\(\), loadModel\(\) or copy\(\)/);
});

const BAD_ROWS = [
    [5, /X is 5; expected a typed array, or an array of numbers/],
    [null, /X is null; expected/],
    [undefined, /X is undefined; expected/],
    [new DataView(new ArrayBuffer(8)), /X is an object \(DataView\); expected/],
    [[[0, 0]], /X\[0\] is \[0, 0\]; expected a number; rows stand one after the other/],
    [["0", "0"], /X\[0\] is "0"; expected a number/],
    [[1, 2, 3], /X has 3 numbers; expected a multiple of 2, the columns of a row/],
    [[0, 0, 0, NaN], /X, row 1, column 1, is NaN; expected a finite float32/],
    [[-Infinity, 0], /X, row 0, column 0, is -Infinity; expected a finite float32/],
    [Float64Array.of(0, 1e300), /X, row 0, column 1, is 1e\+300; expected a finite float32/],
];

test("rows", async () => {
    const network = make();
    for (const [rows, words] of BAD_ROWS) {
        for (const name of ["predictProba", "predict", "activations", "weightedInputs"]) await assertRefused(() => network[name](rows), words);
        for (const name of ["cost", "backprop", "fit", "step"]) await assertRefused(() => network[name](rows, labels), words);
    }
    for (const name of ["cost", "backprop", "fit", "step"]) await assertRefused(() => network[name]([], []), /X has no rows; expected at least one/);
    assert.deepEqual(network.predict([]), new Int32Array(0));
    assert.deepEqual(network.weightedInputs([]), [new Float32Array(0), new Float32Array(0)]);
});

const BAD_LABELS = [
    [undefined, /labels is undefined; expected an Int32Array/],
    ["0110", /labels is "0110"; expected an Int32Array/],
    [[0, 1, 1], /labels has 3 entries; expected 4, one for each row/],
    [[0, 1, 2, 0], /labels\[2\] is 2; expected an integer from 0 to 1/],
    [[0, 1, -1, 0], /labels\[2\] is -1; expected an integer/],
    [[0, 1, 0.5, 0], /labels\[2\] is 0\.5; expected an integer/],
    [[0, 1, "1", 0], /labels\[2\] is "1"; expected an integer/],
    [[0, 1, null, 0], /labels\[2\] is null; expected an integer/],
    [BigInt64Array.of(0n, 1n, 2n ** 40n, 0n), /labels\[2\] is 1099511627776n; expected an integer/],
];

test("labels", async () => {
    const network = make();
    for (const [bad, words] of BAD_LABELS)
        for (const name of ["cost", "backprop", "fit", "step"]) await assertRefused(() => network[name](X, bad), words);
});

const BAD_OPTIONS = [
    [{ epochs: -1 }, /epochs is -1; expected an integer >= 0/],
    [{ epochs: 1.5 }, /epochs is 1\.5; expected/],
    [{ batchSize: 0 }, /batchSize is 0; expected an integer >= 1/],
    [{ rate: 0 }, /rate is 0; expected a finite number > 0/],
    [{ rate: NaN }, /rate is NaN; expected/],
    [{ rate: Infinity }, /rate is Infinity; expected/],
    [{ rate: "0.5" }, /rate is "0\.5"; expected/],
    [{ l2: -1 }, /l2 is -1; expected a finite number >= 0/],
    [{ l1: NaN }, /l1 is NaN; expected/],
    [{ clipNorm: 0 }, /clipNorm is 0; expected a finite number > 0/],
    [{ dropout: 1 }, /dropout is 1; expected a number from 0 to below 1/],
    [{ labelSmoothing: -0.1 }, /labelSmoothing is -0\.1; expected/],
    [{ shuffle: 1 }, /shuffle is 1; expected true or false/],
    [{ seed: "x" }, /seed is "x"; expected an integer/],
    [{ optimizer: "lbfgs" }, /optimizer is "lbfgs"; expected one of "sgd", "momentum"/],
    [{ optimizer: "toString" }, /optimizer is "toString"; expected/],
    [{ momentum: 0.5 }, /momentum is 0\.5; expected an optimizer that uses it, "momentum" or "nesterov"/],
    [{ optimizer: "momentum", momentum: 1 }, /momentum is 1; expected a number from 0 to below 1/],
    [{ optimizer: "adam", weightDecay: 0.5 }, /weightDecay is 0\.5; expected an optimizer that uses it, "adamw"/],
    [{ optimizer: "adam", beta1: 1 }, /beta1 is 1; expected/],
    [{ optimizer: "rmsprop", epsilon: 0 }, /epsilon is 0; expected/],
    [{ learningRate: 1 }, /fit has no option "learningRate"; it has epochs, batchSize, rate/],
    [null, /options is null; expected an object/],
    [3, /options is 3; expected an object/],
];

test("options", async () => {
    const network = make(), before = network.parameters();
    for (const [options, words] of BAD_OPTIONS) await assertRefused(() => network.fit(X, labels, options), words);
    await assertRefused(() => network.step(X, labels, { dropout: 0.5 }), /step has no option "dropout"/);
    assert.deepEqual(network.parameters(), before);
    assert.equal(network.epochsTrained, 0);
    for (const name of Object.keys(OPTIONS)) network.fit(X, labels, { epochs: 0, [name]: undefined });
});

test("what a network is can be read alone, and what is read is a copy", async () => {
    const network = make();
    for (const name of ["sizes", "dtype", "seed", "epochsTrained", "temperature", "preparation", "classNames", "classKind", "columnNames"]) {
        const before = network[name];
        assert.throws(() => (network[name] = -3), TypeError, name);
        assert.deepEqual(network[name], before);
    }
});

test("a fit that is refused leaves the temperature", async () => {
    const temperature = { descr: "<f8", shape: [], data: Float64Array.of(2) };
    const network = await sigmax.loadModel(writeNpz({ ...modelArrays(make()), temperature }));
    assert.equal(network.temperature, 2);
    await assertRefused(() => network.fit(X, labels, { rate: 1e300 }), /diverged in epoch 0, batch 0/);
    await assertRefused(() => network.fit(X, [0], {}), /labels has 1 entries/);
    network.fit(X, labels, { epochs: 0 });
    assert.equal(network.temperature, 2);
    network.fit(X, labels, { epochs: 1 });
    assert.equal(network.temperature, 1);
});

test("training that diverges keeps the parameters from before the batch", async () => {
    const network = make(), before = network.parameters();
    for (const rate of [1e300, Number.MAX_VALUE]) {
        await assertRefused(() => network.fit(X, labels, { rate }), /diverged in epoch 0, batch 0 .* Expected a smaller rate, or clipNorm: 1/);
        await assertRefused(() => network.step(X, labels, { rate }), /diverged/);
        assert.deepEqual(network.parameters(), before);
    }
    network.fit(X, labels, { rate: 1e9, epochs: 2, batchSize: 2 }); // large, and finite
    assert.equal(network.epochsTrained, 2);
    const [one, two] = [make(), make()];
    one.fit(X, labels, { epochs: 1, batchSize: 1, shuffle: false });
    await assertRefused(() => two.fit([...X, 3e38, 3e38], [...labels, 0], { epochs: 3, batchSize: 1, shuffle: false, rate: 1e38 }), /diverged in epoch 0, batch \d/);
    assert.equal(two.epochsTrained, 0);
    assert.ok(two.parameters().every(Number.isFinite));
});

test("outputs that are NaN name the row", async () => {
    const network = sigmax.network({ sizes: [2, 2] });
    network.setParameters([3e38, -3e38, 3e38, -3e38, 0, 0]);
    for (const call of [() => network.predict([0, 0, 3e38, 3e38]), () => network.predictProba([0, 0, 3e38, 3e38]), () => network.cost([0, 0, 3e38, 3e38], [0, 1]), () => network.backprop([0, 0, 3e38, 3e38], [0, 1])])
        await assertRefused(call, /X, row 1: the network's outputs are NaN, .* too large for float32; expected smaller numbers/);
    assert.ok(Number.isNaN(network.weightedInputs([3e38, 3e38])[0][0]));
});

test("parameters", async () => {
    const network = make(), before = network.parameters();
    await assertRefused(() => network.setParameters([1, 2]), /parameters has 2 numbers; expected 27/);
    await assertRefused(() => network.setParameters(new Float32Array(27).fill(NaN)), /parameters\[0\] is NaN; expected a finite float32/);
    await assertRefused(() => network.setParameters(new Float64Array(27).fill(1e39)), /parameters\[0\] is 1e\+39; expected a finite float32/);
    await assertRefused(() => network.setParameters("x"), /parameters is "x"; expected/);
    assert.deepEqual(network.parameters(), before);
    const large = make({ dtype: "float64" });
    large.setParameters(new Float64Array(27).fill(1e300));
    await assertRefused(() => large.astype("float32"), /parameters\[0\] is 1e\+300; expected a finite float32/);
    await assertRefused(() => large.astype("int8"), /dtype is "int8"/);
});

test("equations", async () => {
    for (const name of ["exp", "sigmoid", "sigmoidPrime", "softmax", "softmaxJacobian"]) {
        await assertRefused(() => sigmax[name](null), /z is null; expected a typed array/);
        await assertRefused(() => sigmax[name](["1"]), /z\[0\] is "1"; expected a number/);
    }
    await assertRefused(() => sigmax.softmax([1, 2, 3], 2), /z has 3 numbers; expected a multiple of 2, the rows/);
    await assertRefused(() => sigmax.softmax([1, 2, 3], 0), /rows is 0; expected an integer >= 1/);
    await assertRefused(() => sigmax.outputDelta([1, 2], [1]), /y has 1 numbers; expected 2, as z has/);
    await assertRefused(() => sigmax.crossEntropy([1, 2], [1, -1]), /y\[1\] is -1; expected a number >= 0/);
    await assertRefused(() => sigmax.crossEntropy([1, 2], [1, NaN]), /y\[1\] is NaN; expected a number >= 0/);
    await assertRefused(() => sigmax.permutation(-1, 0, 3), /seed is -1/);
    await assertRefused(() => sigmax.permutation(0, 0, -3), /n is -3; expected/);
    assert.ok(Number.isNaN(sigmax.sigmoid([NaN])[0]));
    assert.deepEqual(sigmax.softmax([]), new Float64Array(0));
});

test("bytes that are not the module", async () => {
    await assertRefused(() => instantiate(new Uint8Array(4)), /wasmBytes: no WebAssembly that runs here/);
    await assertRefused(() => instantiate("sigmax.wasm"), /wasmBytes: no WebAssembly/);
    const empty = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
    await assertRefused(() => instantiate(empty), /wasmBytes: another WebAssembly module; expected the bytes of sigmax\.wasm/);
});
