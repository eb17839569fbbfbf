"""The short benchmark, ``sigmax bench``: C against NumPy, in under 20 seconds.

The repository's ``bench/run.py`` is the whole benchmark, against every peer; it uses the same
parts: the workloads (``_bench.workloads``), the contenders (``_bench.contenders``), their processes
(``_bench.workers``), the agreement and the rounds (``_bench.race``).
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Sequence

from sigmax._bench.race import Result, race
from sigmax._bench.tables import machine, microseconds, table
from sigmax._bench.workers import CLOCK_HELP, CLOCKS, ContenderError, Worker, cpus_for
from sigmax._bench.workloads import INFERENCE, TRAINING, named
from sigmax._command.arguments import Parser

ROUNDS = 15
SECONDS = 12.0  # of rounds; starting, data and the comparison of results take additional time

CONTENDERS = {
    "sigmax": "sigmax._bench.contenders:Sigmax",
    "numpy": "sigmax._bench.contenders:NumPy",
}


def short_table(results: Sequence[Result]) -> str:
    """Return the table of ``sigmax bench``: a line per workload, times in microseconds per step."""
    rows = [
        [
            result.workload.title,
            microseconds(result.median("sigmax")),
            f"{100 * result.spread('sigmax'):.0f} %",
            microseconds(result.median("numpy")),
            f"{result.ratio('sigmax', 'numpy'):.2f}",
            f"{result.rate('sigmax') / 1e9:.1f}",
            f"{100 * result.share('sigmax'):.0f} %",
        ]
        for result in results
    ]
    headings = [
        "workload",
        "sigmax us/step",
        "spread",
        "numpy us/step",
        "ratio",
        "GFLOP/s",
        "of peak",
    ]
    return table(headings, rows)


def _parser() -> Parser:
    parser = Parser(
        prog="sigmax bench",
        allow_abbrev=False,
        description="Train the same networks with sigmax and with NumPy: float32, plain SGD, "
        "pinned to the same cores. The peak is that of fused multiply-adds on registers, measured "
        "in the same run.",
    )
    names = ",".join(workload.name for workload in TRAINING + INFERENCE)
    add = parser.add_argument
    add("--workloads", metavar="NAMES", help=f"some of {names} (default: all that train)")
    add("--threads", type=int, default=1, help="threads and cores for each (default: 1)")
    add("--seconds", type=float, default=SECONDS, help="about how long (default: %(default)s)")
    add("--clock", choices=list(CLOCKS), default="wall", help=CLOCK_HELP)
    add("--mnist", metavar="FILE.npz", help="MNIST, to be used where the sizes are 784-...-10")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``sigmax bench``, print its table and return the exit status.

    The status is 1 when the two reach different parameters, or one of them fails.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments after ``bench``; None takes them from the command line.

    Raises
    ------
    SystemExit
        argparse's own: code 2 for wrong arguments, 0 after --help.

    Examples
    --------
    >>> main(["--workloads", "tiny,letter", "--seconds", "2"])  # doctest: +SKIP
    """
    parser = _parser()
    arguments = parser.parse_args(argv)
    threads = arguments.threads
    if not arguments.seconds > 0:
        parser.error(f"--seconds is {arguments.seconds}, expected a number above 0")
    if arguments.clock == "cpu" and threads != 1:
        parser.error(f"--threads is {threads}, expected 1 with --clock cpu")
    try:
        cpus_for(threads)
        names = (arguments.workloads or ",".join(w.name for w in TRAINING)).split(",")
        workloads = named(names)
    except ValueError as error:
        parser.error(str(error))

    print(", ".join(f"{key} {value}" for key, value in machine().items()), flush=True)
    end = time.monotonic() + arguments.seconds
    results = []
    try:
        with contextlib.ExitStack() as stack:
            workers = [
                stack.enter_context(Worker(name, where, threads, arguments.clock))
                for name, where in CONTENDERS.items()
            ]
            for i, workload in enumerate(workloads):
                left = max(0.0, end - time.monotonic()) / (len(workloads) - i)
                results.append(
                    race(
                        workload,
                        workers,
                        rounds=ROUNDS,
                        seconds=min(0.1, left / 20),
                        until=time.monotonic() + left,
                        mnist=arguments.mnist,
                    )
                )
    except ContenderError as error:
        print(f"sigmax bench: {error}", file=sys.stderr)
        return 1
    print(short_table(results))
    peaks = sorted(result.peak for result in results)
    print(
        f"{threads} thread(s); peak {peaks[len(peaks) // 2] / 1e9:.0f} GFLOP/s; "
        f"spread: half the distance of the quartiles; both arrived at the same parameters"
    )
    return 0
