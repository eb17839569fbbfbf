"""Eight tests, which pytest-xdist runs on two processes with two threads each."""

import numpy as np
import pytest
import sigmax


@pytest.mark.parametrize("seed", range(8))
def test_fit(seed):
    X = np.random.default_rng(seed).normal(size=(300, 200))
    sigmax.set_num_threads(2)
    network = sigmax.Network([200, 300, 3], seed=seed)
    history = network.fit(X, np.arange(300) % 3, epochs=2, batch_size=300)
    assert len(history.cost) == 2
