"""Prints, as JSON, the error of registering. Argument: "absent" or "old" threadpoolctl."""

import json
import sys
import types

OLD = types.SimpleNamespace(__version__="3.1")
sys.modules["threadpoolctl"] = OLD if sys.argv[1] == "old" else None

import sigmax  # noqa: E402

try:
    sigmax.register_threadpoolctl()
except ImportError as error:
    print(json.dumps(str(error)))
