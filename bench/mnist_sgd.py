"""Accuracy on MNIST with plain SGD: 784-30-10 and 784-100-10, the mean of three seeds.

``python bench/mnist_sgd.py --mnist mnist.npz`` (or the path in SIGMAX_MNIST); the exit status is 1
when a mean is below its floor. Batch 10, rate 0.5, 30 epochs; pixels are divided by 255, all 60,000
images are trained on, and the last epoch counts.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

import numpy as np
import sigmax
from sigmax._bench_workloads import load_mnist
from sigmax.bench import table

FLOORS = {(784, 30, 10): 0.955, (784, 100, 10): 0.975}
BATCH, RATE = 10, 0.5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mnist", default=os.environ.get("SIGMAX_MNIST"), metavar="FILE.npz")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    if not arguments.mnist or not os.path.exists(arguments.mnist):
        where = f"{arguments.mnist!r} does not exist" if arguments.mnist else "no file given"
        print(f"skipped: {where}; --mnist FILE.npz or SIGMAX_MNIST names MNIST as an .npz file")
        return 0
    digits = load_mnist(arguments.mnist)
    rows, passed = [], True
    for sizes, floor in FLOORS.items():
        accuracies, start = [], time.perf_counter()
        for seed in arguments.seeds:
            network = sigmax.Network(sizes, dtype="float32", seed=seed, init="lecun")
            network.fit(
                digits["x_train"],
                digits["y_train"],
                epochs=arguments.epochs,
                batch_size=BATCH,
                learning_rate=RATE,
            )
            accuracies.append(network.accuracy(digits["x_test"], digits["y_test"]))
        mean = float(np.mean(accuracies))
        passed &= mean >= floor
        seconds = (time.perf_counter() - start) / len(accuracies)
        rows.append(
            [
                "-".join(map(str, sizes)),
                " ".join(f"{100 * a:.2f}" for a in accuracies),
                f"{100 * mean:.2f} %",
                f"{100 * floor:.1f} %",
                "yes" if mean >= floor else "NO",
                f"{seconds:.1f}",
            ]
        )
    print(f"MNIST, batch {BATCH}, rate {RATE}, {arguments.epochs} epochs, seeds {arguments.seeds}")
    print(table(["network", "test accuracy, %", "mean", "floor", "reached", "s per run"], rows))
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
