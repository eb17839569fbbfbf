"""A training that Ctrl-C may end, with 42. Prints "ready", then its costs.

Arguments: the checkpoint, or "" for none; "new" or "resume"; the model; the optimiser. What fit
imports when it needs it is imported before: Python 3.11 turns a Ctrl-C that comes while a class of
the standard library is made into a RuntimeError.
"""

import sys

import numpy as np
import sigmax
from sigmax._formats import archive  # noqa: F401
from sigmax._training import checkpoint_file, fit, resuming  # noqa: F401

path, resume, out, optimizer = sys.argv[1:]
rng = np.random.default_rng(3)
X = rng.normal(size=(3000, 20)).astype(np.float32)
y = (X @ rng.normal(size=(20, 4))).argmax(axis=1)
network = sigmax.Network([20, 30, 4], seed=9)
options = {
    **{"epochs": 40, "optimizer": optimizer, "dropout": 0.25, "validation_fraction": 0.2},
    **{"early_stopping": "cost", "patience": 40, "schedule": "cosine", "batch_size": 7},
}
try:
    print("ready", flush=True)
    if resume == "resume":
        history = network.fit(X, y, resume=path)
    else:
        history = network.fit(X, y, checkpoint=path if path else None, **options)
    network.save(out)
    print(repr([history.cost, history.val_cost, history.best_epoch]), flush=True)
except KeyboardInterrupt:
    sys.exit(42)
