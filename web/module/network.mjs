// A network: its parameters in the memory of the C library, and a call of it for each method.

import {
    asChoice, asReals, asSeed, firstNotFinite, GREATEST_SEED, isList, refuse, SigmaxError,
} from "./checks.mjs";
import { CONSTANTS, DATA, DTYPES, INITS, OPTIMIZERS, PROGRESS, TRAINING } from "./header.mjs";
import { modelArrays } from "./model_file.mjs";
import { writeNpz } from "./npz_writing.mjs";
import { asOptions, OPTIONS, STEP_OPTIONS } from "./options.mjs";

const ALL_BATCHES = 2 ** 32 - 1;
const SEED_STEP = 0x9e3779b97f4a7c15n; // 2^64 / golden ratio, as in Python: seeds of dropout stay apart

// What a network has beside its description and its parameters.
const OTHERS = { epochsTrained: 0, temperature: 1, preparation: null, classNames: null, classKind: null, columnNames: null };

export const MADE_HERE = Symbol("made by instantiate");

export class Network {
    #memory;
    #handle;
    #arena; // the parameters
    #dtype; // one of DTYPES
    #description; // { sizes, dtype, seed }
    #others; // as OTHERS
    #registry;

    // With init, parameters as it says; without, parameters that its caller sets.
    constructor(key, memory, registry, { sizes, dtype, seed, init } = {}, others = {}) {
        if (key !== MADE_HERE)
            throw new SigmaxError("Network is not called; expected network(), loadModel() or copy() to make one");
        const { size } = (this.#dtype = DTYPES[dtype]);
        this.#memory = memory;
        this.#registry = registry;
        this.#description = { sizes: Object.freeze([...sizes]), dtype, seed };
        this.#others = { ...OTHERS, ...others };
        this.#handle = memory.borrow((take) => {
            const pointer = memory.zero(take(4), 4);
            const sizesInC = memory.write(take(4 * sizes.length), Uint32Array.from(sizes));
            memory.check(memory.c.sigmax_network_create(pointer, size, sizesInC, sizes.length));
            return memory.read(Uint32Array, pointer, 1)[0];
        });
        try {
            this.#arena = memory.allocate(this.parameterCount * size);
        } catch (error) {
            memory.c.sigmax_network_free(this.#handle);
            throw error;
        }
        registry.register(this, { memory, handle: this.#handle, arena: this.#arena }, this);
        if (init) memory.check(memory.c.sigmax_initialize(this.#handle, this.#arena, INITS[init], seed));
    }

    get sizes() {
        return this.#description.sizes;
    }

    get dtype() {
        return this.#description.dtype;
    }

    get seed() {
        return this.#description.seed;
    }

    get epochsTrained() {
        return this.#others.epochsTrained;
    }

    get temperature() {
        return this.#others.temperature;
    }

    get preparation() {
        return structuredClone(this.#others.preparation);
    }

    get classNames() {
        return structuredClone(this.#others.classNames);
    }

    get classKind() {
        return this.#others.classKind;
    }

    get columnNames() {
        return structuredClone(this.#others.columnNames);
    }

    free() {
        if (this.#handle === 0) return;
        this.#registry.unregister(this);
        release({ memory: this.#memory, handle: this.#handle, arena: this.#arena });
        this.#handle = this.#arena = 0;
    }

    get #live() {
        if (this.#handle !== 0) return this.#handle;
        throw new SigmaxError("this network was freed; expected one that free() was not called on");
    }

    get parameterCount() {
        return this.#memory.c.sigmax_parameter_count(this.#live) >>> 0;
    }

    get instructionSet() {
        return this.#memory.text(this.#memory.c.sigmax_instruction_set(this.#live));
    }

    get #neurons() {
        return this.sizes.slice(1).reduce((sum, n) => sum + n, 0);
    }

    parameters() {
        const count = this.parameterCount;
        return this.#memory.read(this.#dtype.array, this.#arena, count);
    }

    setParameters(flat) {
        const values = asReals(flat, "parameters", this.#dtype);
        if (values.length !== this.parameterCount)
            throw new SigmaxError(`parameters has ${values.length} numbers; expected ${this.parameterCount}`);
        const i = firstNotFinite(values);
        if (i >= 0) refuse(`parameters[${i}]`, flat[i], `a finite ${this.dtype}`);
        this.#memory.write(this.#arena, values);
    }

    get weights() {
        return this.#weightsOf(this.parameters());
    }

    get biases() {
        return this.#biasesOf(this.parameters());
    }

    // Copies of W_1, ..., W_L, of what is laid out as the parameters.
    #weightsOf(flat) {
        return this.sizes.slice(1).map((n, i) => {
            const start = this.#memory.c.sigmax_weight_offset(this.#live, i + 1) >>> 0;
            return flat.slice(start, start + n * this.sizes[i]);
        });
    }

    // Copies of b_1, ..., b_L, likewise.
    #biasesOf(flat) {
        return this.sizes.slice(1).map((n, i) => {
            const start = this.#memory.c.sigmax_bias_offset(this.#live, i + 1) >>> 0;
            return flat.slice(start, start + n);
        });
    }

    // Copies of (rows, n_l), l = 1 ... L, which stand one after the other.
    #units(flat, rows) {
        let end = 0;
        return this.sizes.slice(1).map((n) => flat.slice(end, (end += rows * n)));
    }

    // X prepared, checked, and in the network's dtype: { rows, X }.
    #inputs(given) {
        const [columns] = this.sizes;
        const { preparation } = this.#others;
        let X = asReals(given, "X", preparation === null ? this.#dtype : DTYPES.float64);
        if (X.length % columns !== 0)
            throw new SigmaxError(`X has ${X.length} numbers; expected a multiple of ${columns}, the columns of a row`);
        if (preparation !== null) X = this.#dtype.array.from(prepared(X, preparation, columns));
        const i = firstNotFinite(X);
        if (i >= 0)
            refuse(`X, row ${Math.floor(i / columns)}, column ${i % columns},`, given[i], `a finite ${this.dtype}`);
        return { rows: X.length / columns, X };
    }

    // X and the labels of its rows, which C takes as int64, here two halves of 32 bits: { rows, X, labels }.
    #examples(X, labels) {
        const inputs = this.#inputs(X);
        if (!isList(labels)) refuse("labels", labels, "an Int32Array, or an array of class numbers");
        if (inputs.rows === 0) throw new SigmaxError("X has no rows; expected at least one");
        if (labels.length !== inputs.rows)
            throw new SigmaxError(`labels has ${labels.length} entries; expected ${inputs.rows}, one for each row`);
        const classes = this.sizes.at(-1);
        const classNumbers = new Int32Array(2 * inputs.rows);
        for (let i = 0; i < inputs.rows; i++) {
            const number = typeof labels[i] === "bigint" ? Number(labels[i]) : labels[i];
            if (!Number.isInteger(number) || number < 0 || number >= classes)
                refuse(`labels[${i}]`, labels[i], `an integer from 0 to ${classes - 1}, a class of this network`);
            classNumbers[2 * i] = number;
        }
        return { ...inputs, labels: classNumbers };
    }

    // A sigmax_data of examples that are copied into memory.
    #data(take, { rows, X, labels }) {
        const memory = this.#memory;
        return memory.setFields(memory.zero(take(DATA.size), DATA.size), DATA, {
            X: memory.write(take(X.byteLength), X),
            labels: memory.write(take(labels.byteLength), labels),
            rows,
        });
    }

    // Raises the error of a call with these rows.
    #check(status, X, rows) {
        if (status === CONSTANTS.SIGMAX_NOT_A_NUMBER) {
            throw new SigmaxError(
                `X, row ${this.#firstNaN(X, rows)}: the network's outputs are NaN, because sums of products are too ` +
                    `large for ${this.dtype}; expected smaller numbers in this row, or smaller parameters`,
            );
        }
        this.#memory.check(status);
    }

    #firstNaN(X, rows) {
        const [columns] = this.sizes;
        return this.#memory.borrow((take) => {
            const row = take(columns * this.#dtype.size), label = take(8);
            let first = 0;
            for (let status = CONSTANTS.SIGMAX_OK; first < rows; first++) {
                this.#memory.write(row, X.subarray(first * columns, (first + 1) * columns));
                status = this.#memory.c.sigmax_predict(this.#live, this.#arena, row, 1, label);
                if (status !== CONSTANTS.SIGMAX_OK) break;
            }
            return first;
        });
    }

    // What call(pointer of X, rows, pointer of the result) writes: count numbers of a type for each row.
    #perRow(given, type, count, call) {
        const memory = this.#memory;
        this.#live;
        const { rows, X } = this.#inputs(given);
        return memory.borrow((take) => {
            const inputs = memory.write(take(X.byteLength), X);
            const result = take(rows * count * type.BYTES_PER_ELEMENT);
            this.#check(call(inputs, rows, result), X, rows);
            return memory.read(type, result, rows * count);
        });
    }

    predictProba(X) {
        const { c } = this.#memory;
        return this.#perRow(X, this.#dtype.array, this.sizes.at(-1), (inputs, rows, result) =>
            c.sigmax_predict_proba(this.#live, this.#arena, this.temperature, inputs, rows, result));
    }

    predict(X) {
        const { c } = this.#memory;
        const halves = this.#perRow(X, Int32Array, 2, (inputs, rows, result) =>
            c.sigmax_predict(this.#live, this.#arena, inputs, rows, result));
        return halves.filter((_, i) => i % 2 === 0);
    }

    activations(X) {
        return this.#layersOf(X, this.#memory.c.sigmax_activations);
    }

    weightedInputs(X) {
        return this.#layersOf(X, this.#memory.c.sigmax_weighted_inputs);
    }

    #layersOf(X, call) {
        const neurons = this.#neurons;
        const flat = this.#perRow(X, this.#dtype.array, neurons, (inputs, rows, result) =>
            call(this.#live, this.#arena, inputs, rows, result));
        return this.#units(flat, flat.length / neurons);
    }

    cost(X, labels) {
        const memory = this.#memory;
        this.#live;
        const examples = this.#examples(X, labels);
        return memory.borrow((take) => {
            const data = this.#data(take, examples), results = take(16);
            const status = memory.c.sigmax_cost(this.#live, this.#arena, this.temperature, data, results, results + 8);
            this.#check(status, examples.X, examples.rows);
            const [cost, correct] = memory.read(Float64Array, results, 2);
            return { cost, accuracy: correct / examples.rows };
        });
    }

    backprop(X, labels) {
        const memory = this.#memory, { array, size } = this.#dtype;
        this.#live;
        const examples = this.#examples(X, labels), { rows } = examples, units = rows * this.#neurons;
        return memory.borrow((take) => {
            const data = this.#data(take, examples), cost = take(8), nabla = take(this.parameterCount * size);
            const activations = take(units * size), deltas = take(units * size);
            const status = memory.c.sigmax_backprop(this.#live, this.#arena, data, cost, activations, deltas, nabla);
            this.#check(status, examples.X, rows);
            const gradient = memory.read(array, nabla, this.parameterCount);
            return {
                cost: memory.read(Float64Array, cost, 1)[0],
                deltas: this.#units(memory.read(array, deltas, units), rows),
                nablaWeights: this.#weightsOf(gradient),
                nablaBiases: this.#biasesOf(gradient),
            };
        });
    }

    fit(X, labels, given = {}) {
        const options = asOptions(given, Object.keys(OPTIONS), "fit");
        const seed = options.seed === null ? this.seed : asSeed(options.seed, "seed");
        this.#live;
        const examples = this.#examples(X, labels), { rows } = examples, memory = this.#memory;
        const history = { cost: [], correct: [], accuracy: [] };
        if (options.epochs === 0) return history;
        memory.borrow((take) => {
            const order = options.shuffle ? take(4 * rows) : 0;
            const masks = (seed + BigInt(this.epochsTrained) * SEED_STEP) & GREATEST_SEED;
            const training = this.#training(take, options, Math.min(options.batchSize, rows), masks, order);
            const data = this.#data(take, examples);
            const progress = memory.zero(take(PROGRESS.size), PROGRESS.size);
            for (let epoch = 0; epoch < options.epochs; epoch++) {
                if (options.shuffle) memory.c.sigmax_permutation(seed, BigInt(this.epochsTrained), order, rows);
                memory.setFields(progress, PROGRESS, { position: 0, cost: 0, n_correct: 0, batch: 0 });
                this.#train(data, training, progress, epoch);
                const correct = memory.field(progress, PROGRESS, "n_correct");
                history.cost.push(memory.field(progress, PROGRESS, "cost") / rows);
                history.correct.push(correct);
                history.accuracy.push(correct / rows);
                this.#others.temperature = 1; // what was calibrated is another network by now
                this.#others.epochsTrained++;
            }
        });
        return history;
    }

    step(X, labels, given = {}) {
        const options = asOptions(given, STEP_OPTIONS, "step");
        this.#live;
        const examples = this.#examples(X, labels), { rows } = examples, memory = this.#memory;
        return memory.borrow((take) => {
            const training = this.#training(take, options, rows, this.seed, 0);
            const data = this.#data(take, examples);
            const progress = memory.zero(take(PROGRESS.size), PROGRESS.size);
            this.#train(data, training, progress, 0);
            const correct = memory.field(progress, PROGRESS, "n_correct");
            return { cost: memory.field(progress, PROGRESS, "cost") / rows, correct, accuracy: correct / rows };
        });
    }

    // A sigmax_training, and the optimiser's state before the first update.
    #training(take, options, batchSize, seed, order) {
        const memory = this.#memory, { code } = OPTIMIZERS[options.optimizer];
        const stateBytes = (memory.c.sigmax_state_count(this.#live, code) >>> 0) * this.#dtype.size;
        return memory.setFields(memory.zero(take(TRAINING.size), TRAINING.size), TRAINING, {
            order,
            batch_size: batchSize,
            learning_rate: options.rate,
            l2: options.l2,
            l1: options.l1,
            clip_norm: options.clipNorm ?? 0,
            dropout: options.dropout,
            label_smoothing: options.labelSmoothing,
            seed,
            optimizer: code,
            momentum: options.momentum,
            beta1: options.beta1,
            beta2: options.beta2,
            rho: options.rho,
            epsilon: options.epsilon,
            weight_decay: options.weightDecay,
            state: stateBytes > 0 ? memory.zero(take(stateBytes), stateBytes) : 0,
        });
    }

    #train(data, training, progress, epoch) {
        const memory = this.#memory;
        const status = memory.c.sigmax_train(this.#live, this.#arena, data, training, progress, ALL_BATCHES);
        if (status === CONSTANTS.SIGMAX_DIVERGED) {
            const batch = memory.field(progress, PROGRESS, "batch");
            if (batch > 0) this.#others.temperature = 1; // the batches before it have changed the parameters
            throw new SigmaxError(
                `training diverged in epoch ${epoch}, batch ${batch} (both counted from 0): the cost or a parameter ` +
                    "became infinite or NaN; the parameters from before that batch are kept. Expected a smaller " +
                    "rate, or clipNorm: 1",
            );
        }
        memory.check(status);
    }

    copy() {
        return this.astype(this.dtype);
    }

    astype(dtype) {
        const description = { ...this.#description, dtype: asChoice(dtype, "dtype", DTYPES) };
        const parameters = this.parameters();
        const twin = new Network(MADE_HERE, this.#memory, this.#registry, description, this.#others);
        try {
            twin.setParameters(parameters);
        } catch (error) {
            twin.free();
            throw error;
        }
        return twin;
    }

    async toNpz() {
        return writeNpz(modelArrays(this));
    }
}

export function release({ memory, handle, arena }) {
    memory.c.sigmax_network_free(handle);
    memory.c.free(arena);
}

// x becomes (x - mean) / scale, a NaN fill beforehand, in float64: what Python's Preparation does.
function prepared(X, { mean, scale, fill }, columns) {
    return Float64Array.from(X, (x, i) => {
        const column = i % columns;
        const value = fill && Number.isNaN(x) ? fill[column] : x;
        return mean ? (value - mean[column]) / scale[column] : value;
    });
}
