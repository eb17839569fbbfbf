// sigmax for browsers and Node: the C library, compiled to WebAssembly, without dependencies.
//
// sigmax.d.mts describes what is exported. The memory of the C library belongs to this module alone: what goes in is
// copied there, and what comes out is a copy, because a memory that grows detaches every view of it.

import {
    asChoice, asInteger, asReals, asSeed, asSizes, isList, refuse, shown, SigmaxError,
} from "./module/checks.mjs";
import { DTYPES, INITS } from "./module/header.mjs";
import { Memory } from "./module/memory.mjs";
import { asModel } from "./module/model_file.mjs";
import { MADE_HERE, Network, release } from "./module/network.mjs";
import { readNpz } from "./module/npz.mjs";

export { Network, SigmaxError };

export const VERSION = "0.1.0";

class Sigmax {
    #memory;
    #registry = new FinalizationRegistry(release);

    constructor(memory) {
        this.#memory = memory;
        this.version = VERSION;
        this.instructionSet = memory.text(memory.c.sigmax_instruction_set_name(0));
        this.compiler = memory.text(memory.c.sigmax_compiler());
    }

    network(description = {}) {
        if (description === null || typeof description !== "object")
            refuse("description", description, "an object, like { sizes: [784, 30, 10] }");
        const { sizes, dtype = "float32", seed = 0, init = "lecun", ...others } = description;
        const [unknown] = Object.keys(others);
        if (unknown !== undefined)
            throw new SigmaxError(`network has no argument ${shown(unknown)}; it has sizes, dtype, seed, init`);
        return this.#new({
            sizes: asSizes(sizes),
            dtype: asChoice(dtype, "dtype", DTYPES),
            seed: asSeed(seed, "seed"),
            init: asChoice(init, "init", INITS),
        });
    }

    #new(description, others) {
        return new Network(MADE_HERE, this.#memory, this.#registry, description, others);
    }

    async loadModel(bytes) {
        const { description, parameters, others } = asModel(await readNpz(bytes));
        const network = this.#new(description, others);
        try {
            network.setParameters(parameters);
        } catch (error) {
            network.free();
            throw error;
        }
        return network;
    }

    readNpz(bytes) {
        return readNpz(bytes);
    }

    exp(z) {
        return this.#each(z, "sigmax_exp");
    }

    sigmoid(z) {
        return this.#each(z, "sigmax_sigmoid");
    }

    sigmoidPrime(z) {
        return this.#each(z, "sigmax_sigmoid_prime");
    }

    #each(z, equation) {
        const n = columnsOf(z, 1);
        return this.#compute(z, n, null, (c, size, inputs, result) => c[equation](size, inputs, result, n));
    }

    softmax(z, rows = 1) {
        const k = columnsOf(z, rows);
        return this.#compute(z, rows * k, null, (c, size, inputs, result) =>
            c.sigmax_softmax(size, inputs, result, rows, k));
    }

    softmaxJacobian(z) {
        const k = columnsOf(z, 1);
        return this.#compute(z, k * k, null, (c, size, inputs, result) =>
            c.sigmax_softmax_jacobian(size, inputs, result, k));
    }

    crossEntropy(z, y, rows = 1) {
        const k = columnsOf(z, rows);
        return this.#compute(z, rows, Float64Array, (c, size, inputs, result, put) =>
            c.sigmax_cross_entropy(size, inputs, put(y), result, rows, k));
    }

    outputDelta(z, y, rows = 1) {
        const k = columnsOf(z, rows);
        return this.#compute(z, rows * k, null, (c, size, inputs, result, put) =>
            c.sigmax_output_delta(size, inputs, put(y), result, rows, k));
    }

    // What call writes: count numbers, of z's type unless another is given. put copies targets y of z's shape.
    #compute(z, count, type, call) {
        const memory = this.#memory, dtype = z instanceof Float32Array ? DTYPES.float32 : DTYPES.float64;
        const values = asReals(z, "z", dtype);
        return memory.borrow((take) => {
            const result = take(count * (type ?? dtype.array).BYTES_PER_ELEMENT);
            const inputs = memory.write(take(values.byteLength), values);
            const put = (y) => memory.write(take(values.byteLength), asTargets(y, values.length, dtype));
            memory.check(call(memory.c, dtype.size, inputs, result, put));
            return memory.read(type ?? dtype.array, result, count);
        });
    }

    permutation(seed, epoch, n) {
        const memory = this.#memory, numbers = [asSeed(seed, "seed"), asSeed(epoch, "epoch")];
        asInteger(n, "n", 0, 2 ** 29);
        return memory.borrow((take) => {
            const order = take(4 * n);
            memory.c.sigmax_permutation(...numbers, order, n);
            return memory.read(Uint32Array, order, n);
        });
    }
}

function columnsOf(z, rows) {
    if (!isList(z)) refuse("z", z, "a typed array, or an array of numbers");
    asInteger(rows, "rows", 1);
    if (z.length % rows === 0) return z.length / rows;
    throw new SigmaxError(`z has ${z.length} numbers; expected a multiple of ${rows}, the rows`);
}

function asTargets(y, count, dtype) {
    const values = asReals(y, "y", dtype);
    if (values.length !== count) throw new SigmaxError(`y has ${values.length} numbers; expected ${count}, as z has`);
    const i = values.findIndex((value) => !(value >= 0));
    if (i >= 0) refuse(`y[${i}]`, y[i], "a number >= 0");
    return values;
}

export async function instantiate(source) {
    let instance;
    try {
        const made = await WebAssembly.instantiate(source, {});
        instance = made instanceof WebAssembly.Instance ? made : made.instance;
    } catch (error) {
        throw new SigmaxError(
            `wasmBytes: no WebAssembly that runs here: ${error.message}; expected the bytes of sigmax.wasm, and a ` +
                "browser with SIMD, which all have since 2023",
        );
    }
    if (typeof instance.exports.sigmax_train !== "function")
        throw new SigmaxError("wasmBytes: another WebAssembly module; expected the bytes of sigmax.wasm");
    instance.exports._initialize?.();
    return new Sigmax(new Memory(instance.exports));
}
