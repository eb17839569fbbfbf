// A model file: what sigmax.files of the Python package describes.

import { asChoice, asInteger, asSizes, isFinitePositive, refuse, shown, SigmaxError } from "./checks.mjs";
import { DTYPES } from "./header.mjs";

const FORMAT_VERSION = 1n;
const PREPARATION = ["mean", "scale", "fill"];
const REQUIRED = ["format_version", "sizes", "dtype", "parameters", "seed", "epochs_trained"];
const OPTIONAL = ["temperature", "class_names", "class_kind", ...PREPARATION.map((part) => `preparation_${part}`)];

function refuseModel(problem) {
    throw new SigmaxError(`not a sound model file: ${problem}`);
}

// The arrays of a file as { description, parameters, others }: what a network is made of, and what is set afterwards.
export function asModel(arrays) {
    if (arrays.has("checkpoint_version")) refuseModel("it is a checkpoint; expected what Network.save writes");
    for (const name of REQUIRED) if (!arrays.has(name)) refuseModel(`${shown(name)} is missing`);
    const other = [...arrays.keys()].find((name) => !REQUIRED.includes(name) && !OPTIONAL.includes(name));
    if (other !== undefined) refuseModel(`it holds ${shown(other)}, which does not belong in a model`);
    const version = single(arrays, "format_version", "int64");
    if (version !== FORMAT_VERSION) refuseModel(`format_version is ${version}; expected ${FORMAT_VERSION}`);
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
    const description = { sizes, dtype, seed: single(arrays, "seed", "uint64") };
    return { description, parameters: vector(arrays, "parameters", dtype), others };
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
        format_version: { descr: "<i8", shape: [], data: BigInt64Array.of(FORMAT_VERSION) },
        sizes: { descr: "<i8", shape: [network.sizes.length], data: BigInt64Array.from(network.sizes, BigInt) },
        dtype: text([network.dtype], []),
        parameters: reals(network.parameters()),
        seed: { descr: "<u8", shape: [], data: BigUint64Array.of(network.seed) },
        epochs_trained: { descr: "<u8", shape: [], data: BigUint64Array.of(BigInt(network.epochsTrained)) },
    };
    if (network.temperature !== 1) arrays.temperature = { ...reals(Float64Array.of(network.temperature)), shape: [] };
    for (const part of PREPARATION) {
        const values = network.preparation?.[part];
        if (values) arrays[`preparation_${part}`] = reals(values);
    }
    if (network.classNames !== null) arrays.class_names = text(network.classNames, [network.classNames.length]);
    if (network.classKind !== null) arrays.class_kind = text([network.classKind], []);
    return arrays;
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
