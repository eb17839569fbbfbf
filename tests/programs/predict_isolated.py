"""Prints the shape of a prediction, as JSON. Argument: the folder of the package, for python -I."""

import json
import sys

sys.path.insert(0, sys.argv[1])

import sigmax

network = sigmax.Network([3, 4, 2], seed=0)
print(json.dumps(network.predict_proba([[1, 2, 3]]).shape))
