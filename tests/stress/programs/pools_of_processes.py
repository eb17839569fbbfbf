"""Networks trained in a pool of processes. Argument: fork, spawn, forkserver or loky."""

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import sigmax


def work(seed):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(300, 200)).astype(np.float32), rng.integers(0, 5, 300)
    network = sigmax.Network((200, 300, 5), seed=seed)
    network.fit(X, y, epochs=2, batch_size=100)
    return network, network.predict_proba(X).tobytes()


if __name__ == "__main__":
    expected = [work(seed)[1] for seed in range(6)]
    kind = sys.argv[1]
    if kind == "loky":
        from joblib import Parallel, delayed

        answers = Parallel(n_jobs=2, backend="loky")(delayed(work)(seed) for seed in range(6))
    else:
        context = multiprocessing.get_context(kind)
        with ProcessPoolExecutor(2, mp_context=context) as pool:
            answers = list(pool.map(work, range(6)))
    for seed, (network, probabilities) in enumerate(answers):
        assert probabilities == expected[seed]
        assert network.parameters.tobytes() == work(seed)[0].parameters.tobytes()
