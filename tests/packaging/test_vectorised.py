"""A watch on the compiler: is the arithmetic vector code on every instruction set?

Nothing here is an absolute time. Rates are compared with the peak of the same instruction set,
measured in the same process in turn, and float32 with float64: a vector holds twice as many floats,
while scalar code takes as long for the one as for the other.
"""

import json
import os
import subprocess
import sys

import pytest
import sigmax
from source_tree import ROOT

MEASURE = ROOT / "tests" / "measure_rates.py"

# Scalar multiply-adds can at best reach 1 / lanes of the peak: 25 % on four lanes, 6 % on sixteen.
# Where a vector has two lanes only, the comparison of the precisions decides.
LEAST_SHARE_OF_PEAK = 0.3
LEAST_GAIN_OF_FLOAT32 = 1.4

# A neighbour may take a processor away for a while; scalar code fails however often it is asked.
ATTEMPTS = 10


def rates(instruction_set):
    """What measure_rates.py prints in a process that computes with the instruction set."""
    process = subprocess.run(
        [sys.executable, str(MEASURE)],
        env={**os.environ, "SIGMAX_ISA": instruction_set},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


def shortcomings(measured):
    """What is too slow for vector code, in words."""
    result = []
    for dtype, rate in measured.items():
        for job in ("training", "prediction"):
            share = rate[job] / rate["peak"]
            if share < LEAST_SHARE_OF_PEAK:
                result.append(
                    f"{dtype} {job} reaches {share:.0%} of the peak, expected at least"
                    f" {LEAST_SHARE_OF_PEAK:.0%}"
                )
    for job, rate in measured["float32"].items():
        gain = rate / measured["float64"][job]
        if gain < LEAST_GAIN_OF_FLOAT32:
            result.append(
                f"float32 {job} runs at {gain:.2f} times the rate of float64, expected at least"
                f" {LEAST_GAIN_OF_FLOAT32}"
            )
    return result


@pytest.mark.parametrize("name", sigmax.instruction_sets())
def test_runs_as_vector_code(name):
    for _ in range(ATTEMPTS):
        found = shortcomings(rates(name))
        if not found:
            return
    pytest.fail(f"{name}: {'; '.join(found)}")


def test_scalar_rates_would_be_noticed():
    scalar = {"peak": 8e9, "training": 1e9, "prediction": 1e9}
    assert len(shortcomings({"float32": scalar, "float64": scalar})) == 7
