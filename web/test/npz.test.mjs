// Reading and writing .npz files: every type, both orders; damaged files are errors in words.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { deflateRawSync } from "node:zlib";

import { crc32, writeNpz } from "../module/npz_writing.mjs";
import { SigmaxError } from "../sigmax.mjs";
import { arraysOf, assertRefused, expectedFolder, inTree, sigmax } from "./shared.mjs";

const folder = expectedFolder();

for (const name of ["kinds.npz", "kinds-packed.npz"]) {
    test(`every type: ${name}`, async () => {
        const arrays = await arraysOf(folder, name);
        const entry = (key) => [arrays.get(key).dtype, arrays.get(key).shape, arrays.get(key).data];
        assert.deepEqual(entry("f4"), ["float32", [2], Float32Array.of(1.5, -2.5)]);
        assert.deepEqual(entry("f8"), ["float64", [], Float64Array.of(0.1)]);
        assert.deepEqual(entry("bool"), ["bool", [2], Uint8Array.of(1, 0)]);
        assert.deepEqual(entry("i1"), ["int8", [3], Int8Array.of(0, 1, 2)]);
        assert.deepEqual(entry("u2"), ["uint16", [3], Uint16Array.of(0, 1, 2)]);
        assert.deepEqual(entry("i4"), ["int32", [3], Int32Array.of(0, 1, 2)]);
        assert.deepEqual(entry("u8"), ["uint64", [3], BigUint64Array.of(0n, 1n, 2n)]);
        assert.deepEqual(entry("text"), ["str", [3], ["ab", "c\0d", ""]]);
        assert.deepEqual(entry("fortran"), ["int64", [2, 3, 4], BigInt64Array.from({ length: 24 }, (_, i) => BigInt(i))]);
        assert.deepEqual(entry("empty"), ["float64", [0, 3], new Float64Array(0)]);
    });
}

test("the digits of the package", async () => {
    const arrays = await sigmax.readNpz(readFileSync(inTree("python", "sigmax", "_command", "digits.npz")));
    assert.deepEqual(arrays.get("pixels").shape, [64, 1797]);
    assert.equal(Math.max(...arrays.get("pixels").data), 16);
    assert.deepEqual(Array.from(arrays.get("labels").data.slice(0, 12)), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
});

test("the checksum is that of zip archives", () => {
    assert.equal(crc32(new TextEncoder().encode("123456789")), 0xcbf43926);
});

const trained = sigmax.network({ sizes: [3, 4, 2], seed: 5, dtype: "float64" });
trained.fit([1, 2, 3, 4, 5, 6], [0, 1], { epochs: 3 });
const file = await trained.toNpz();

test("a round trip", async () => {
    const twin = await sigmax.loadModel(file);
    assert.deepEqual(twin.parameters(), trained.parameters());
    assert.deepEqual([twin.sizes, twin.dtype, twin.seed, twin.epochsTrained], [[3, 4, 2], "float64", 5n, 3]);
    assert.deepEqual(await twin.toNpz(), file);
    assert.deepEqual((await sigmax.loadModel(file.buffer)).parameters(), trained.parameters());
    const shifted = new Uint8Array(file.length + 3);
    shifted.set(file, 3);
    assert.deepEqual((await sigmax.loadModel(shifted.subarray(3))).parameters(), trained.parameters());
});

// A stored and a packed file, cut anywhere and with any byte changed: an error in words, or what was there before.
for (const [name, content] of [["stored", file], ["packed", readFileSync(join(folder, "case-3.npz"))]]) {
    test(`damaged files: ${name}`, async () => {
        const sound = await sigmax.readNpz(content);
        const step = Math.max(1, Math.floor(content.length / 700));
        let refused = 0;
        const attempt = async (bytes, what) => {
            try {
                const arrays = await sigmax.readNpz(bytes);
                for (const [key, array] of arrays) if (sound.has(key)) assert.deepEqual(array.data, sound.get(key).data, what);
            } catch (error) {
                assert.ok(error instanceof SigmaxError, `${what}: ${error}`);
                assert.match(error.message, /not a sound \.npz file: ./);
                refused++;
            }
        };
        for (let length = 0; length < content.length; length += step) await attempt(content.slice(0, length), `cut to ${length}`);
        assert.equal(refused, Math.ceil(content.length / step));
        for (let at = 0; at < content.length; at += step) {
            const damaged = content.slice();
            damaged[at] ^= 1 << at % 8;
            await attempt(damaged, `byte ${at}`);
        }
        assert.ok(refused > (1.5 * content.length) / step, `${refused}`);
    });
}

test("what is no archive", async () => {
    await assertRefused(() => sigmax.readNpz(new Uint8Array(0)), /does not start like an \.npz archive/);
    await assertRefused(() => sigmax.readNpz(new TextEncoder().encode("x".repeat(100))), /does not start like/);
    await assertRefused(() => sigmax.readNpz("model.npz"), /^bytes is "model\.npz"; expected an ArrayBuffer/);
    await assertRefused(() => sigmax.readNpz(undefined), /^bytes is undefined; expected/);
    await assertRefused(() => sigmax.loadModel(null), /^bytes is null; expected/);
});

test("an array that unpacks to more than it says", async () => {
    const packed = readFileSync(join(folder, "case-3.npz"));
    const view = new DataView(packed.buffer, packed.byteOffset, packed.length);
    const directory = view.getUint32(packed.length - 6, true);
    view.setUint32(directory + 24, 10, true);
    await assertRefused(() => sigmax.readNpz(packed), /damaged: "X\.npy" cannot be unpacked/);
});

test("an array that unpacks to a thousand times its bytes is left after what it says", async () => {
    const zeros = 64e6, content = deflateRawSync(new Uint8Array(zeros));
    const file = Buffer.from(writeNpz({ a: { descr: "|u1", shape: [content.length], data: content } }));
    // The values alone, as if they were the packed array.
    const start = file.indexOf(content), directory = file.readUInt32LE(file.length - 6);
    const packed = Buffer.concat([file.subarray(0, 30), content, file.subarray(directory)]);
    packed.writeUInt16LE(0, 26);
    const entry = 30 + content.length;
    packed.writeUInt16LE(8, entry + 10);
    packed.writeUInt32LE(content.length, entry + 20);
    packed.writeUInt32LE(1000, entry + 24);
    packed.writeUInt32LE(entry, packed.length - 6);
    assert.ok(start > 0);
    const original = globalThis.DecompressionStream;
    let unpacked = 0;
    globalThis.DecompressionStream = class {
        constructor(format) {
            const { readable, writable } = new original(format);
            const transform = (piece, controller) => {
                unpacked += piece.length;
                controller.enqueue(piece);
            };
            Object.assign(this, { writable, readable: readable.pipeThrough(new TransformStream({ transform })) });
        }
    };
    try {
        await assertRefused(() => sigmax.readNpz(packed), /damaged: "a\.npy" cannot be unpacked/);
    } finally {
        globalThis.DecompressionStream = original;
    }
    assert.ok(unpacked > 1000 && unpacked < zeros / 4, `${unpacked} bytes`);
});

const int64 = (...values) => ({ descr: "<i8", shape: [values.length], data: BigInt64Array.from(values, BigInt) });
const scalar = (array) => ({ ...array, shape: [] });
const string = (text) => ({ descr: `<U${text.length}`, shape: [], data: Uint32Array.from(text, (c) => c.codePointAt(0)) });

const bytes = (text) => ({ descr: "|u1", shape: [new TextEncoder().encode(text).length], data: new TextEncoder().encode(text) });
const version2 = (arrays, required) => ({ ...arrays, format_version: scalar(int64(2)), required_fields: bytes(JSON.stringify(required)) });

// The arrays of a sound model with 2 inputs and 2 classes.
const model = () => ({
    format_version: scalar(int64(1)),
    sizes: int64(2, 2),
    dtype: string("float32"),
    parameters: { descr: "<f4", shape: [6], data: new Float32Array(6) },
    seed: { descr: "<u8", shape: [], data: BigUint64Array.of(7n) },
    epochs_trained: { descr: "<u8", shape: [], data: BigUint64Array.of(1n) },
});

const FAULTS = [
    ["missing", ({ seed, ...rest }) => rest, /"seed" is missing/],
    ["checkpoint", (arrays) => ({ ...arrays, checkpoint_version: scalar(int64(1)) }), /it is a checkpoint/],
    ["unknown", (arrays) => ({ ...arrays, extra: int64(1) }), /it holds "extra"/],
    ["version", (arrays) => ({ ...arrays, format_version: scalar(int64(3)), extra: int64(1) }), /format_version is 3; expected 1 to 2/],
    ["version 0", (arrays) => ({ ...arrays, format_version: scalar(int64(0)) }), /format_version is 0; expected 1 to 2/],
    ["bag", (arrays) => ({ ...arrays, bag_version: scalar(int64(1)) }), /it is a checkpoint of a bag/],
    ["no list", (arrays) => ({ ...arrays, format_version: scalar(int64(2)) }), /version is 2, but "required_fields" is missing/],
    ["needed", (arrays) => ({ ...version2(arrays, ["sizes", "extra"]), extra: int64(1) }), /it needs "extra", which only a later release may know/],
    ["needed and missing", (arrays) => version2(arrays, ["temperature"]), /required_fields has "temperature", which is missing/],
    ["no field", (arrays) => ({ ...version2(arrays, []), "Extra!": int64(1) }), /it holds "Extra!"/],
    ["no JSON", (arrays) => ({ ...version2(arrays, []), column_names: bytes("[") }), /column_names is not valid JSON/],
    ["no strings", (arrays) => ({ ...version2(arrays, []), column_names: bytes("[1, 2]") }), /column_names is JSON, but no array of strings/],
    ["a column more", (arrays) => ({ ...version2(arrays, []), column_names: bytes('["a", "b", "c"]') }), /column_names has 3 strings; expected 2/],
    ["dtype", (arrays) => ({ ...arrays, dtype: string("float16") }), /dtype is "float16"; expected one of "float32", "float64"/],
    ["sizes", (arrays) => ({ ...arrays, sizes: int64(2) }), /sizes is \[2\]; expected at least two/],
    ["one class", (arrays) => ({ ...arrays, sizes: int64(2, 1) }), /sizes\[1\] is 1; expected an integer from 2/],
    ["type of sizes", (arrays) => ({ ...arrays, sizes: { descr: "<f8", shape: [2], data: Float64Array.of(2, 2) } }), /sizes is float64 \(2\); expected int64 \(n,\)/],
    ["count", (arrays) => ({ ...arrays, parameters: { descr: "<f4", shape: [5], data: new Float32Array(5) } }), /parameters has 5 numbers; expected 6/],
    ["precision", (arrays) => ({ ...arrays, parameters: { descr: "<f8", shape: [6], data: new Float64Array(6) } }), /parameters is float64 \(6\); expected float32/],
    ["NaN", (arrays) => ({ ...arrays, parameters: { descr: "<f4", shape: [6], data: Float32Array.of(0, 0, NaN, 0, 0, 0) } }), /parameters\[2\] is NaN; expected a finite float32/],
    ["temperature", (arrays) => ({ ...arrays, temperature: { descr: "<f8", shape: [], data: Float64Array.of(-1) } }), /temperature is -1; expected a finite number > 0/],
    ["half a preparation", (arrays) => ({ ...arrays, preparation_mean: { descr: "<f8", shape: [2], data: new Float64Array(2) } }), /expected preparation_mean and preparation_scale/],
    ["its length", (arrays) => ({ ...arrays, preparation_fill: { descr: "<f8", shape: [3], data: new Float64Array(3) } }), /preparation_fill is float64 \(3\); expected float64 \(2,\)/],
    ["its scale", (arrays) => ({ ...arrays, preparation_mean: { descr: "<f8", shape: [2], data: new Float64Array(2) }, preparation_scale: { descr: "<f8", shape: [2], data: Float64Array.of(1, 0) } }), /preparation_scale\[1\] is 0; expected a finite number > 0/],
    ["names", (arrays) => ({ ...arrays, class_names: { descr: "<U1", shape: [3], data: Uint32Array.of(97, 98, 99) } }), /class_names is str \(3\); expected str \(2,\)/],
    ["a code point", (arrays) => ({ ...arrays, class_kind: { descr: "<U1", shape: [], data: Uint32Array.of(0x110000) } }), /"class_kind" holds 1114112, which is no code point/],
    ["epochs", (arrays) => ({ ...arrays, epochs_trained: { descr: "<u8", shape: [], data: BigUint64Array.of(2n ** 60n) } }), /epochs_trained is/],
];

test("in version 2 an array that is not required may be ignored", async () => {
    const file = { ...version2(model(), ["sizes", "dtype", "parameters"]), notes_of_later: int64(1), column_names: bytes('["ä", "b"]') };
    const network = await sigmax.loadModel(writeNpz(file));
    for (const each of [network, network.copy(), await sigmax.loadModel(await network.toNpz())])
        assert.deepEqual(each.columnNames, ["ä", "b"]);
    const arrays = await sigmax.readNpz(await network.toNpz());
    assert.equal(arrays.get("format_version").data[0], 2n);
    assert.deepEqual(JSON.parse(new TextDecoder().decode(arrays.get("required_fields").data)), ["sizes", "dtype", "parameters"]);
});

test("models with a fault", async () => {
    assert.deepEqual((await sigmax.loadModel(writeNpz(model()))).predict([1, 2]), Int32Array.of(0));
    for (const [name, change, words] of FAULTS) {
        await assertRefused(() => sigmax.loadModel(writeNpz(change(model()))), words).catch((error) => {
            throw new Error(`${name}: ${error.message}`);
        });
    }
});

test("arrays of types that are not read", async () => {
    for (const [array, words] of [
        [{ descr: ">f8", shape: [1], data: Float64Array.of(1) }, /"a" has type ">f8"; expected one of/],
        [{ descr: "|O", shape: [1], data: Float64Array.of(1) }, /"a" has type "\|O"/],
        [{ descr: "<f8", shape: [2], data: Float64Array.of(1) }, /promises 16 bytes of values; 8 are there/],
        [{ descr: "<f8", shape: [2 ** 40, 2 ** 40], data: Float64Array.of(1) }, /promises \S+ bytes of values; 8 are there/],
        [{ descr: "<f8', '", shape: [1], data: Float64Array.of(1) }, /its header is not that of an array/],
    ]) {
        await assertRefused(() => sigmax.readNpz(writeNpz({ a: array })), words);
    }
});
