// What csrc/sigmax_api.h says; web/test/header.test.mjs compares.

export const CONSTANTS = {
    SIGMAX_OK: 0,
    SIGMAX_OUT_OF_MEMORY: 4,
    SIGMAX_DIVERGED: 8,
    SIGMAX_NOT_A_NUMBER: 11,
    SIGMAX_FLOAT32: 4,
    SIGMAX_FLOAT64: 8,
    SIGMAX_LECUN: 0,
    SIGMAX_GLOROT: 1,
    SIGMAX_LARGE: 2,
    SIGMAX_SGD: 0,
    SIGMAX_MOMENTUM: 1,
    SIGMAX_NESTEROV: 2,
    SIGMAX_RMSPROP: 3,
    SIGMAX_ADAM: 4,
    SIGMAX_ADAMW: 5,
};

// The fields of the structs, in order. A pointer and a size_t have 4 bytes here.
export const STRUCTS = {
    sigmax_data: {
        X: "pointer",
        labels: "pointer",
        targets: "pointer",
        rows: "size_t",
        sample_weight: "pointer",
        sparse: "pointer",
    },
    sigmax_training: {
        order: "pointer",
        batch_size: "size_t",
        learning_rate: "double",
        l2: "double",
        l1: "double",
        clip_norm: "double",
        dropout: "double",
        label_smoothing: "double",
        seed: "uint64_t",
        optimizer: "int",
        momentum: "double",
        beta1: "double",
        beta2: "double",
        rho: "double",
        epsilon: "double",
        weight_decay: "double",
        state: "pointer",
        workspace: "pointer",
        workspace_bytes: "size_t",
    },
    sigmax_progress: {
        position: "size_t",
        cost: "double",
        n_correct: "double",
        batch: "size_t",
        step: "uint64_t",
    },
};

// The bytes of each type, and how a DataView reads and writes it.
const TYPES = {
    pointer: [4, "Uint32"],
    size_t: [4, "Uint32"],
    int: [4, "Int32"],
    double: [8, "Float64"],
    uint64_t: [8, "BigUint64"],
};

// Each field at the next multiple of its size.
function layOut(fields) {
    const layout = { size: 0, fields: {} };
    for (const [name, type] of Object.entries(fields)) {
        const [bytes, kind] = TYPES[type];
        const offset = Math.ceil(layout.size / bytes) * bytes;
        layout.fields[name] = { offset, kind };
        layout.size = offset + bytes;
    }
    layout.size = Math.ceil(layout.size / 8) * 8;
    return layout;
}

export const DATA = layOut(STRUCTS.sigmax_data);
export const TRAINING = layOut(STRUCTS.sigmax_training);
export const PROGRESS = layOut(STRUCTS.sigmax_progress);

export const DTYPES = {
    float32: { size: CONSTANTS.SIGMAX_FLOAT32, array: Float32Array },
    float64: { size: CONSTANTS.SIGMAX_FLOAT64, array: Float64Array },
};
export const INITS = { lecun: CONSTANTS.SIGMAX_LECUN, glorot: CONSTANTS.SIGMAX_GLOROT, large: CONSTANTS.SIGMAX_LARGE };
// The code of each optimiser, and the rate that stands for none, as in Python.
export const OPTIMIZERS = {
    sgd: { code: CONSTANTS.SIGMAX_SGD, rate: 0.5 },
    momentum: { code: CONSTANTS.SIGMAX_MOMENTUM, rate: 0.1 },
    nesterov: { code: CONSTANTS.SIGMAX_NESTEROV, rate: 0.1 },
    rmsprop: { code: CONSTANTS.SIGMAX_RMSPROP, rate: 0.001 },
    adam: { code: CONSTANTS.SIGMAX_ADAM, rate: 0.001 },
    adamw: { code: CONSTANTS.SIGMAX_ADAMW, rate: 0.001 },
};
