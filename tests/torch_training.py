"""Fifty updates by PyTorch, for every optimiser: what the reference and the C code have to match.

``python tests/torch_training.py`` records them in torch_training.json, which needs PyTorch (2.x,
float64 on a CPU); the tests need the file alone. Every term comes from PyTorch where it has one:
autograd, cross_entropy with its label_smoothing, clip_grad_norm_, and the optimisers with their
weight_decay, which is l2 for all but AdamW.
"""

import json
from pathlib import Path

import numpy as np
from reference_training import Training, dropout_masks, flatten

RECORD = Path(__file__).with_suffix(".json")

SIZES = (6, 5, 4, 3)
ROWS, BATCH_SIZE, EPOCHS = 23, 5, 10  # five updates an epoch, the last one on three rows

RATES = {
    "sgd": 0.5,
    "momentum": 0.1,
    "nesterov": 0.1,
    "rmsprop": 0.001,
    "adam": 0.001,
    "adamw": 0.001,
}
ALL_TERMS = {
    "l2": 0.02,
    "l1": 0.003,
    "clip_norm": 0.25,
    "dropout": 0.3,
    "label_smoothing": 0.1,
    "seed": 11,
}
CASES = {
    name: Training(name, rate, weight_decay=0.01 if name == "adamw" else 0.0)
    for name, rate in RATES.items()
} | {
    f"{name}, all terms": Training(
        name, 10 * rate if rate < 0.01 else rate, weight_decay=0.1, **ALL_TERMS
    )
    for name, rate in RATES.items()
}


def sequence(shape, multiplier):
    """Numbers in -1 ... 1 that no version of NumPy can change."""
    return (np.arange(np.prod(shape)) * multiplier % 10_007 / 5_003.5 - 1.0).reshape(shape)


def problem():
    """Start weights, biases, X (23, 6), labels (23,), and weights of the rows with a mean of 1."""
    shapes = list(zip(SIZES[1:], SIZES[:-1], strict=True))
    weights = [sequence(shape, 7919 + 2 * l) for l, shape in enumerate(shapes)]  # noqa: E741
    biases = [sequence((n,), 6007 + 2 * l) for l, n in enumerate(SIZES[1:])]  # noqa: E741
    sample_weight = 1.5 + sequence((ROWS,), 4001)
    X, labels = sequence((ROWS, SIZES[0]), 3571), np.arange(ROWS) * 31 % 7 % SIZES[-1]
    return weights, biases, X, labels, sample_weight / sample_weight.mean()


def weights_of_rows(case, sample_weight):
    """The cases with all terms weight the rows, the others do not."""
    return sample_weight if "all terms" in case else np.ones(ROWS)


def torch_optimizer(training, weights, biases):
    import torch

    def groups(decay):
        return [{"params": weights, "weight_decay": decay}, {"params": biases, "weight_decay": 0.0}]

    rate, l2 = training.learning_rate, training.l2
    momentum, betas = training.momentum, (training.beta1, training.beta2)
    makers = {
        "sgd": lambda: torch.optim.SGD(groups(l2), rate),
        "momentum": lambda: torch.optim.SGD(groups(l2), rate, momentum),
        "nesterov": lambda: torch.optim.SGD(groups(l2), rate, momentum, nesterov=True),
        "rmsprop": lambda: torch.optim.RMSprop(groups(l2), rate, training.rho, training.epsilon),
        "adam": lambda: torch.optim.Adam(groups(l2), rate, betas, training.epsilon),
        "adamw": lambda: torch.optim.AdamW(
            groups(training.weight_decay), rate, betas, training.epsilon
        ),
    }
    return makers[training.optimizer]()


def train_in_torch(case):
    """The parameters after fifty updates, flat, and the last epoch's sum of s_x C_x."""
    import torch

    training = CASES[case]
    weights, biases, X, labels, sample_weight = problem()
    W = [torch.tensor(w, requires_grad=True) for w in weights]
    b = [torch.tensor(v, requires_grad=True) for v in biases]
    X, labels = torch.tensor(X), torch.tensor(labels)
    s = torch.tensor(weights_of_rows(case, sample_weight))
    optimizer = torch_optimizer(training, W, b)
    step = 0
    for _ in range(EPOCHS):
        total = 0.0
        for first in range(0, ROWS, BATCH_SIZE):
            rows = slice(first, min(first + BATCH_SIZE, ROWS))
            m = rows.stop - rows.start
            masks = dropout_masks(SIZES, m, training.dropout, training.seed, step)
            a = X[rows]
            for w, v, mask in zip(W[:-1], b[:-1], masks, strict=True):
                a = torch.sigmoid(a @ w.T + v) * torch.tensor(mask)
            costs = s[rows] * torch.nn.functional.cross_entropy(
                a @ W[-1].T + b[-1],
                labels[rows],
                reduction="none",
                label_smoothing=training.label_smoothing,
            )
            optimizer.zero_grad()
            costs.mean().backward()
            if training.clip_norm > 0.0:
                torch.nn.utils.clip_grad_norm_([*W, *b], training.clip_norm)
            # PyTorch has no l1, and AdamW no l2 beside its own decay.
            for w in W:
                w.grad += training.l1 * w.detach().sign()
                if training.optimizer == "adamw":
                    w.grad += training.l2 * w.detach()
            optimizer.step()
            total += float(costs.detach().sum())
            step += 1
    arrays = ([p.detach().numpy() for p in parameters] for parameters in (W, b))
    return flatten(*arrays), total


def recorded():
    """What PyTorch gave when it was last recorded: for each case the parameters and the cost."""
    cases = json.loads(RECORD.read_text(encoding="utf-8"))["cases"]
    return {name: (np.array(case["parameters"]), case["cost"]) for name, case in cases.items()}


def record():
    import torch

    results = {name: train_in_torch(name) for name in CASES}
    cases = {
        name: {"cost": cost, "parameters": parameters.tolist()}
        for name, (parameters, cost) in results.items()
    }
    text = json.dumps({"torch": torch.__version__, "cases": cases}, indent=0)
    RECORD.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    record()
