"""A user's program for type checkers: it reveals types, and has one error, in its last line."""
# ruff: noqa: F821, B018

import numpy as np
import sigmax

network = sigmax.Network([4, 8, 3], dtype="float32", seed=0)
reveal_type(network.n_parameters)
reveal_type(sigmax.instruction_sets())
reveal_type(sigmax.get_num_threads())
history = network.fit(np.zeros((5, 4)), np.zeros(5, int), epochs=1)
network.save("model.npz")
network.no_such_thing
