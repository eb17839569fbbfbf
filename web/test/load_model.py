"""Prints what a model file holds as JSON, for the tests in Node: ``load_model.py path``."""

import json
import sys

from sigmax import files

stored = files.load(sys.argv[1])
network = stored.network
preparation = network.preparation
print(
    json.dumps(
        {
            "sizes": network.sizes,
            "dtype": network.dtype.name,
            "seed": str(network.seed),
            "epochsTrained": network.epochs_trained,
            "parameters": network.parameters.tobytes().hex(),
            "temperature": network.temperature,
            "preparation": preparation
            and {part: getattr(preparation, part).tolist() for part in ("mean", "scale", "fill")},
            "classNames": stored.class_names,
            "classKind": stored.class_kind,
            "columnNames": network.column_names,
        }
    )
)
