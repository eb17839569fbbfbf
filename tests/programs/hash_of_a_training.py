"""Prints a hash of the parameters and the last cost of a training.

Arguments: the folder of test_determinism.py, the dtype, and the options of fit as JSON.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, sys.argv[1])

from test_determinism import sha256, trained

network, history = trained(sys.argv[2], **json.loads(sys.argv[3]))
print(sha256(network.parameters), history.cost[-1].hex())
