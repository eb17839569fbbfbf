"""Train on a mapped file of 250 MiB where 60 MiB are allowed. Argument: the file's dtype.

The file, X in the working directory, is a hole, so that it takes no space on the disk; mapped files
are not counted. Prints whether the prediction has a row for each, and whether the costs agree.
"""

import resource
import sys

import numpy as np
import sigmax

columns, dtype = 1000, np.dtype(sys.argv[1])
rows = (250 << 20) // columns // dtype.itemsize
X = np.memmap("X", dtype, "w+", shape=(rows, columns))
X[0] = X[-1] = 1
X.flush()
X = np.memmap("X", dtype, "r", shape=(rows, columns))
y = np.zeros(rows, np.uint8)
network = sigmax.Network([columns, 2], seed=0)
network.fit(np.zeros((9, columns)), np.zeros(9, int), epochs=1)  # starts the threads
with open("/proc/self/statm") as file:
    used = int(file.read().split()[5]) * resource.getpagesize()
limit = used + (60 << 20)
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
try:
    np.ones(limit, np.uint8)
except MemoryError:
    pass
else:
    raise SystemExit("the limit does not hold")
network = sigmax.Network([columns, 2], seed=0)
history = network.fit(X, y, epochs=1, batch_size=1000, X_val=X, y_val=y, standardize=True)
print(network.predict(X).shape == (rows,), network.cost(X, y) == history.val_cost[0])
