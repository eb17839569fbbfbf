// A model file: what sigmax.files of the Python package describes.

import { asChoice, asInteger, asSizes, isFinitePositive, refuse, shown, SigmaxError } from "./checks.mjs";
import { DTYPES } from "./header.mjs";

const NEWEST_VERSION = 2n; // 1 is written where it is enough
const PREPARATION = ["mean", "scale", "fill"];
const REQUIRED = ["sizes", "dtype", "parameters", "seed", "epochs_trained"];
const NAMES = ["class_names", "class_kind", "column_names"]; // a program may ignore them
const KNOWN = [
    "format_version", "required_fields", ...REQUIRED, "temperature", ...PREPARATION.map((part) => `preparation_${part}`), ...NAMES,
];
const CHANGE_ANSWERS = KNOWN.slice(1).filter((name) => !["required_fields", "seed", "epochs_trained", ...NAMES].includes(name));
const FIELD = /^[a-z][a-z0-9_]*$/;
const OTHER_FILES = {
    checkpoint_version: "it is a checkpoint; expected what Network.save writes",
    bag_version: "it is a checkpoint of a bag; expected what Network.save writes",
};

function refuseModel(problem) {
    throw new SigmaxError(`not a sound model file: ${problem}`);
}

// The arrays of a file as { description, parameters, others }: what a network is made of, and what it has beside that.
export function asModel(arrays) {
    for (const [name, problem] of Object.entries(OTHER_FILES)) if (arrays.has(name)) refuseModel(problem);
    checkVersion(arrays);
    for (const name of REQUIRED) if (!arrays.has(name)) refuseModel(`${shown(name)} is missing`);
    const dtype = asChoice(single(arrays, "dtype", "str"), "dtype", DTYPES);
    const sizes = asSizes(Array.from(vector(arrays, "sizes", "int64"), Number));
    const others = {
        epochsTrained: asInteger(Number(single(arrays, "epochs_trained", "uint64")), "epochs_trained", 0),
        preparation: asPreparation(arrays, sizes[0]),
    };
    if (arrays.has("temperature")) {
        others.temperature = single(arrays, "temperature", "float64");
        if (!isFinitePositive(others.temperature)) refuse("temperature", others.temperature, "a finite number > 0");
    }
    if (arrays.has("class_names")) others.classNames = vector(arrays, "class_names", "str", sizes.at(-1));
    if (arrays.has("class_kind")) others.classKind = single(arrays, "class_kind", "str");
    if (arrays.has("column_names")) others.columnNames = listOfStrings(arrays, "column_names", sizes[0]);
    const description = { sizes, dtype, seed: single(arrays, "seed", "uint64") };
    return { description, parameters: vector(arrays, "parameters", dtype), others };
}

// In version 1 every array is known. In version 2 those are that required_fields names, and others may be ignored.
function checkVersion(arrays) {
    if (!arrays.has("format_version")) refuseModel('"format_version" is missing');
    const version = single(arrays, "format_version", "int64");
    if (version < 1n || version > NEWEST_VERSION)
        refuseModel(`format_version is ${version}; expected 1 to ${NEWEST_VERSION}: a later release may read it`);
    const unknown = [...arrays.keys()].find((name) => !KNOWN.includes(name) && (version === 1n || !FIELD.test(name)));
    if (unknown !== undefined) refuseModel(`it holds ${shown(unknown)}, which does not belong in a model`);
    if (version === 1n) return;
    if (!arrays.has("required_fields")) refuseModel(`format_version is ${version}, but "required_fields" is missing`);
    for (const name of listOfStrings(arrays, "required_fields")) {
        if (!arrays.has(name)) refuseModel(`required_fields has ${shown(name)}, which is missing`);
        if (!KNOWN.includes(name)) refuseModel(`it needs ${shown(name)}, which only a later release may know`);
    }
}

// The strings of an array that is JSON in UTF-8.
function listOfStrings(arrays, name, length = null) {
    let list = null;
    try {
        list = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(vector(arrays, name, "uint8")));
    } catch (error) {
        if (error instanceof SigmaxError) throw error;
        refuseModel(`${name} is not valid JSON: ${error.message}`);
    }
    if (!Array.isArray(list) || !list.every((text) => typeof text === "string"))
        refuseModel(`${name} is JSON, but no array of strings`);
    if (length !== null && list.length !== length)
        refuseModel(`${name} has ${list.length} strings; expected ${length}, one for each column`);
    return list;
}

function asPreparation(arrays, columns) {
    const given = PREPARATION.filter((part) => arrays.has(`preparation_${part}`));
    if (given.length === 0) return null;
    if (given.includes("mean") !== given.includes("scale"))
        refuseModel("expected preparation_mean and preparation_scale, or neither");
    const preparation = { mean: null, scale: null, fill: null };
    for (const part of given) {
        const name = `preparation_${part}`, values = vector(arrays, name, "float64", columns);
        const i = values.findIndex((x) => !(part === "scale" ? isFinitePositive(x) : Number.isFinite(x)));
        if (i >= 0) refuse(`${name}[${i}]`, values[i], part === "scale" ? "a finite number > 0" : "a finite number");
        preparation[part] = values;
    }
    return preparation;
}

function single(arrays, name, dtype) {
    const array = arrays.get(name);
    if (array.dtype !== dtype || array.shape.length !== 0)
        refuseModel(`${name} is ${array.dtype} (${array.shape}); expected ${dtype} ()`);
    return array.data[0];
}

function vector(arrays, name, dtype, length = null) {
    const array = arrays.get(name);
    if (array.dtype !== dtype || array.shape.length !== 1 || (length !== null && array.shape[0] !== length))
        refuseModel(`${name} is ${array.dtype} (${array.shape}); expected ${dtype} (${length ?? "n"},)`);
    return array.data;
}

// The arrays of a network's file, as writeNpz takes them.
export function modelArrays(network) {
    const arrays = {
        sizes: { descr: "<i8", shape: [network.sizes.length], data: BigInt64Array.from(network.sizes, BigInt) },
        dtype: text([network.dtype], []),
        parameters: reals(network.parameters()),
        seed: { descr: "<u8", shape: [], data: BigUint64Array.of(network.seed) },
        epochs_trained: { descr: "<u8", shape: [], data: BigUint64Array.of(BigInt(network.epochsTrained)) },
    };
    if (network.temperature !== 1) arrays.temperature = { ...reals(Float64Array.of(network.temperature)), shape: [] };
    for (const [part, values] of Object.entries(network.preparation ?? {}))
        if (values !== null) arrays[`preparation_${part}`] = reals(values);
    if (network.classNames !== null) arrays.class_names = text(network.classNames, [network.classNames.length]);
    if (network.classKind !== null) arrays.class_kind = text([network.classKind], []);
    if (network.columnNames === null) return { format_version: version(1n), ...arrays };
    const required = Object.keys(arrays).filter((name) => CHANGE_ANSWERS.includes(name));
    return { format_version: version(2n), required_fields: json(required), ...arrays, column_names: json(network.columnNames) };
}

function version(number) {
    return { descr: "<i8", shape: [], data: BigInt64Array.of(number) };
}

function json(strings) {
    const data = new TextEncoder().encode(JSON.stringify(strings));
    return { descr: "|u1", shape: [data.length], data };
}

function reals(data) {
    return { descr: data instanceof Float32Array ? "<f4" : "<f8", shape: [data.length], data };
}

// NumPy's strings: code points of 4 bytes, all strings as long as the longest, filled up with zeros.
function text(strings, shape) {
    const points = strings.map((string) => Array.from(string, (character) => character.codePointAt(0)));
    const length = Math.max(1, ...points.map((p) => p.length));
    const data = new Uint32Array(strings.length * length);
    points.forEach((p, i) => data.set(p, i * length));
    return { descr: `<U${length}`, shape, data };
}
