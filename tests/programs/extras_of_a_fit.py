"""Prints which of the packages that are extras a fit and a prediction have imported."""

import sys

import numpy as np
import sigmax

network = sigmax.Network([2, 2], seed=0)
network.fit(np.ones((4, 2)), [0, 1, 0, 1], epochs=1)
network.predict([[0, 0]])
extras = {"matplotlib", "pandas", "scipy", "sklearn", "tqdm"}
print(*sorted(extras & {name.split(".")[0] for name in sys.modules}))
