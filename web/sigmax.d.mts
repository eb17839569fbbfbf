/**
 * sigmax in browsers and in Node: a fully connected network with sigmoid hidden layers, softmax output and
 * cross-entropy cost. The arithmetic is that of the C library (csrc/sigmax_api.h), compiled to WebAssembly with SIMD; its
 * results are, to the bit, those of the Python package on x86-64 with SIGMAX_ISA=baseline.
 *
 * Names and equations are those of M. Nielsen, Neural Networks and Deep Learning, chapter 2. Layers are numbered as in
 * the derivation: the inputs are layer 0, a_0 = X; the first hidden layer is l = 1, and L is the output. Lists over
 * layers begin with l = 1.
 *
 * Rows are examples. A matrix is a flat array, one row after the other. Arrays that are returned are copies. What is
 * wrong throws a SigmaxError that names the argument, its value and what was expected, and changes nothing.
 */

export const VERSION: string;

/** What every function here throws. */
export class SigmaxError extends Error {}

export type Dtype = "float32" | "float64";
export type Reals = Float32Array | Float64Array;
/** Numbers that are taken: any typed array, or an array. One of the network's dtype is used without a conversion. */
export type Numbers =
    | readonly number[]
    | Float32Array
    | Float64Array
    | Int8Array
    | Uint8Array
    | Uint8ClampedArray
    | Int16Array
    | Uint16Array
    | Int32Array
    | Uint32Array;
/** Class numbers, integers from 0 to n_L - 1, one for each row. */
export type Labels = Numbers | BigInt64Array | BigUint64Array;
/** An integer from 0 to 2**64 - 1. */
export type Seed = number | bigint;

export interface NetworkDescription {
    /** Inputs, hidden layers if any, classes: at least two integers >= 1, the last >= 2. */
    sizes: readonly number[];
    /** "float32" unless given. */
    dtype?: Dtype;
    /** Of initial weights, shuffles and dropout; 0 unless given. */
    seed?: Seed;
    /** "lecun" unless given; "large" is Nielsen's: all weights and biases normal with variance 1. */
    init?: "lecun" | "glorot" | "large";
}

/** What a plain step of gradient descent takes. */
export interface StepOptions {
    /** The learning rate, > 0: W <- W - rate dC/dW. */
    rate?: number;
    /** Penalties on weights, >= 0; 0 unless given. */
    l2?: number;
    l1?: number;
    /** The largest norm of a batch's gradient; a larger one is scaled down. None unless given. */
    clipNorm?: number | null;
    /** From 0 to below 1. */
    labelSmoothing?: number;
}

/** The options of Network.fit in Python, with its defaults. One that the optimizer does not use is an error. */
export interface FitOptions extends StepOptions {
    /** 30 unless given. */
    epochs?: number;
    /** Rows for each update; 10 unless given. */
    batchSize?: number;
    /** "sgd" unless given. The rate is 0.5 for sgd, 0.1 for momentum and nesterov, 0.001 for the others unless given. */
    optimizer?: "sgd" | "momentum" | "nesterov" | "rmsprop" | "adam" | "adamw";
    momentum?: number;
    beta1?: number;
    beta2?: number;
    rho?: number;
    epsilon?: number;
    weightDecay?: number;
    /** The share of hidden neurons left out of each update, from 0 to below 1. */
    dropout?: number;
    /** A new random order in each epoch; true unless given. */
    shuffle?: boolean;
    /** Of these shuffles and masks; the network's unless given. */
    seed?: Seed;
}

/** Sums over the rows of an epoch, each taken before its batch's update. */
export interface History {
    /** The mean cost of each epoch in nats. */
    cost: number[];
    /** How many rows were classified correctly in each epoch. */
    correct: number[];
    /** The same as a share of the rows. */
    accuracy: number[];
}

/** One forward and one backward pass over n rows. */
export interface Backprop {
    /** C, the mean over the rows in nats. */
    cost: number;
    /** delta_1, ..., delta_L, each (n, n_l): the errors of the single rows (BP1, BP2). */
    deltas: Reals[];
    /** dC/dW_1, ..., dC/dW_L, each (n_l, n_{l-1}): means over the rows (BP4). */
    nablaWeights: Reals[];
    /** dC/db_1, ..., dC/db_L, each (n_l): means over the rows (BP3). */
    nablaBiases: Reals[];
}

/** x becomes (x - mean) / scale, and before that NaN becomes fill; each has n_0 numbers, or is null. */
export interface Preparation {
    mean: Float64Array | null;
    scale: Float64Array | null;
    fill: Float64Array | null;
}

/** A network. Made by Sigmax.network, Sigmax.loadModel and copy. */
export class Network {
    private constructor();

    // Each of these can be read, and setting one throws a TypeError.

    /** n_0, ..., n_L. */
    readonly sizes: readonly number[];
    readonly dtype: Dtype;
    readonly seed: bigint;
    /** Epochs that fit has completed; with the seed, it determines the next shuffle. */
    readonly epochsTrained: number;
    /** T in softmax(z_L / T) of predictProba and cost; 1, or what a model file says, until fit completes an epoch. */
    readonly temperature: number;
    /** What a model file says is done to every X; null where it says nothing. */
    readonly preparation: Preparation | null;
    /** The names of the classes, and what they name ("str", "int", ...), of a model file that has them. */
    readonly classNames: string[] | null;
    readonly classKind: string | null;
    /** The names of the columns of X, of a model file that has them. */
    readonly columnNames: string[] | null;
    readonly parameterCount: number;
    readonly instructionSet: string;

    /** W_1, ..., W_L, each (n_l, n_{l-1}), where w_jk goes from neuron k to neuron j; copies. */
    readonly weights: Reals[];
    /** b_1, ..., b_L, each (n_l); copies. */
    readonly biases: Reals[];
    /** All weights, then all biases, in a flat copy. */
    parameters(): Reals;
    /** Sets all of them, finite, in that order. */
    setParameters(flat: Numbers): void;

    /** a_L (n, n_L), the probabilities of the classes. Zero rows are allowed, here and below. */
    predictProba(X: Numbers): Reals;
    /** The class of each row: its first largest probability. */
    predict(X: Numbers): Int32Array;
    /** z_1, ..., z_L, each (n, n_l): z_l = a_{l-1} W_l^T + b_l. */
    weightedInputs(X: Numbers): Reals[];
    /** a_1, ..., a_L, each (n, n_l): sigmoid(z_l), and softmax(z_L). */
    activations(X: Numbers): Reals[];
    /** The mean cost in nats, and the share of rows that are classified correctly. At least one row. */
    cost(X: Numbers, labels: Labels): { cost: number; accuracy: number };
    /** Cost, errors and gradient of these rows; changes nothing. At least one row. */
    backprop(X: Numbers, labels: Labels): Backprop;

    /** Trains, with the bits of Network.fit in Python. When training diverges, the parameters from before stay. */
    fit(X: Numbers, labels: Labels, options?: FitOptions): History;
    /** One update of plain gradient descent with all these rows as a batch; cost and correct are from before it. */
    step(X: Numbers, labels: Labels, options?: StepOptions): { cost: number; correct: number; accuracy: number };

    copy(): Network;
    /** A copy in another precision. */
    astype(dtype: Dtype): Network;
    /** The contents of a model file, which sigmax.Network.load reads in Python. */
    toNpz(): Promise<Uint8Array>;
    /** Gives the memory back, which is done at the latest when the network is collected. Nothing else works then. */
    free(): void;
}

/** An array of an .npz file, in C order. 64-bit integers are BigInts, strings an array. */
export interface NpzArray {
    /** NumPy's name: "float32", "uint8", "int64", "bool", ..., "str". */
    dtype: string;
    shape: number[];
    data: Reals | Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array | BigInt64Array | BigUint64Array | string[];
}

export interface Sigmax {
    readonly version: string;
    /** "baseline". */
    readonly instructionSet: string;
    /** Name and version of the compiler that made the module. */
    readonly compiler: string;

    network(description: NetworkDescription): Network;
    /** The network of a model file that sigmax.Network.save or toNpz wrote. */
    loadModel(bytes: BufferSource): Promise<Network>;
    /** The arrays of an .npz file, by name; stored or packed by deflate. */
    readNpz(bytes: BufferSource): Promise<Map<string, NpzArray>>;

    // The equations by themselves. The result has z's dtype: float32 for a Float32Array, float64 for all else.

    /** e^z, 1 / (1 + e^-z), a (1 - a) with a = sigmoid(z), of each number. */
    exp(z: Numbers): Reals;
    sigmoid(z: Numbers): Reals;
    sigmoidPrime(z: Numbers): Reals;
    /** e^(z_i) / sum_j e^(z_j) for each row; z is one row unless rows is given. */
    softmax(z: Numbers, rows?: number): Reals;
    /** (k, k): da_j/dz_i = a_i (1 - a_i) where j = i, and -a_j a_i elsewhere. */
    softmaxJacobian(z: Numbers): Reals;
    /** (rows): -sum_i y_i ln softmax(z)_i, computed from z. */
    crossEntropy(z: Numbers, y: Numbers, rows?: number): Float64Array;
    /** BP1: a_L sum_j y_j - y. */
    outputDelta(z: Numbers, y: Numbers, rows?: number): Reals;
    /** The order of 0 ... n-1 in which fit takes the rows in an epoch. */
    permutation(seed: Seed, epoch: Seed, n: number): Uint32Array;
}

/** Makes the functions ready: wasmBytes are the contents of sigmax.wasm, or a module compiled from them. */
export function instantiate(wasmBytes: BufferSource | WebAssembly.Module): Promise<Sigmax>;
