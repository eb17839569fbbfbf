"""Train on 10,000 sparse rows of 20,000 columns: dense they are 800 MB, their entries 1 MB.

Argument: options of fit, as JSON; with "nan" some entries are NaN. Prints by how many KiB the most
memory grew.
"""

import json
import sys

import numpy as np
import scipy.sparse as sp
import sigmax
from memory import peak

options = json.loads(sys.argv[1])
rng = np.random.default_rng(0)
rows, columns, per_row = 10_000, 20_000, 12
indices = np.sort(rng.integers(0, columns // per_row, (rows, per_row)), axis=1)
indices += np.arange(per_row) * (columns // per_row)
entries = rng.random(indices.size, np.float32)
X = sp.csr_array(
    (entries, indices.ravel().astype(np.int32), np.arange(rows + 1) * per_row),
    shape=(rows, columns),
)
if "nan" in options:
    X.data[::7] = np.nan
y = rng.integers(0, 2, rows)
network = sigmax.Network([columns, 2], seed=0)
network.fit(abs(X[:20]) > 2, y[:20], epochs=1)
before = peak()
network = sigmax.Network([columns, 2], seed=0)
network.fit(X, y, epochs=1, batch_size=256, X_val=X[:3000], y_val=y[:3000], **options)
network.predict(X)
network.cost(X, y)
network.calibrate(X[:300], y[:300])
print(peak() - before)
