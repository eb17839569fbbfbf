"""The whole benchmark: sigmax against every peer that is installed.

``python bench/run.py`` runs all parts; see ``--help``. Every sample is kept in the JSON file, from
which tables and picture can be made again (``--load``).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence

import memory
import sweeps
from contenders import CONTENDERS, VARIANTS
from record import Record
from report import markdown, terminal
from sigmax._bench.race import race
from sigmax._bench.workers import CLOCK_HELP, CLOCKS, Worker, contender_class, cpus_for
from sigmax._bench.workloads import INFERENCE, TRAINING, Workload

PARTS = ("training", "inference", "batch", "width", "options", "memory")
SWEEP_CONTENDERS = ("sigmax", "numpy", "jax_scan")
SWEEP_ROUNDS = 5
SAMPLE_SECONDS = 0.25


def _comma_list(known: Sequence[str], what: str):
    def parse(text: str) -> list[str]:
        names = [name for name in text.split(",") if name]
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(
                    f"no {what} {name!r}; there are {', '.join(known)}"
                )
        return names

    return parse


def _threads(text: str) -> list[int]:
    try:
        counts = [int(n) for n in text.split(",")]
        for n in counts:
            cpus_for(n)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return sorted(set(counts))


def arguments_of(argv: Sequence[str] | None) -> argparse.Namespace:
    names = [w.name for w in TRAINING + INFERENCE]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add(
        "--parts",
        type=_comma_list(PARTS, "part"),
        default=list(PARTS),
        help="some of " + ",".join(PARTS),
    )
    add(
        "--workloads",
        type=_comma_list(names, "workload"),
        default=names,
        help="some of " + ",".join(names),
    )
    add(
        "--contenders",
        type=_comma_list(list(CONTENDERS), "contender"),
        default=list(CONTENDERS),
        help="some of " + ",".join(CONTENDERS),
    )
    add(
        "--threads", type=_threads, default=[1], metavar="1,2", help="cores to race on (default: 1)"
    )
    add("--clock", choices=list(CLOCKS), default="wall", help=CLOCK_HELP)
    add("--rounds", type=int, default=11, help="samples of each contender (default: 11)")
    add("--mnist", metavar="FILE.npz", help="use MNIST where the sizes are 784-...-10")
    add("--json", metavar="FILE", help="write all samples")
    add("--load", metavar="FILE", help="race nothing, read an earlier run's JSON")
    add("--plot", metavar="FILE.png", help="draw the picture (needs matplotlib)")
    add("--markdown", metavar="FILE.md", help="write the report")
    arguments = parser.parse_args(argv)
    if arguments.rounds < 1:
        parser.error(f"--rounds is {arguments.rounds}, expected at least 1")
    if arguments.clock == "cpu" and arguments.threads != [1]:
        parser.error("--clock cpu is for --threads 1: processor time adds up all threads")
    return arguments


class Race:
    """One run: times workloads, stores results in the record, prints a line for each."""

    def __init__(self, record: Record, mnist: str | None, json: str | None) -> None:
        self._record, self._mnist, self._json = record, mnist, json

    def run(
        self,
        part: str,
        workloads: Sequence[Workload],
        names: Sequence[str],
        threads: int,
        rounds: int,
    ) -> None:
        """Race every workload; each contender keeps one process throughout."""
        results = self._record.parts.setdefault(part, [])
        known = CONTENDERS | VARIANTS
        with contextlib.ExitStack() as stack:
            workers = [
                stack.enter_context(Worker(n, known[n], threads, self._record.clock)) for n in names
            ]
            for workload in workloads:
                if not any(worker.does(workload) for worker in workers):
                    continue
                result = race(
                    workload, workers, rounds=rounds, seconds=SAMPLE_SECONDS, mnist=self._mnist
                )
                results.append(result)
                if self._json:  # an hour's samples survive a contender that fails
                    self._record.write(self._json)
                medians = ", ".join(f"{n} {result.median(n) * 1e6:.4g}" for n in result.samples)
                print(
                    f"{part}, {threads} thread(s): {workload.title}: us {medians}",
                    file=sys.stderr,
                    flush=True,
                )


def run_parts(arguments: argparse.Namespace) -> Record:
    """Run the requested parts and return the record."""
    missing = {name: contender_class(CONTENDERS[name]).missing() for name in arguments.contenders}
    skipped = {name: packages for name, packages in missing.items() if packages}
    for name, packages in skipped.items():
        print(f"skipped: {name}, {', '.join(packages)} not installed", file=sys.stderr)
    names = [name for name in arguments.contenders if name not in skipped]
    record = Record.begin(arguments.rounds, arguments.clock, bool(arguments.mnist), skipped)
    runner = Race(record, arguments.mnist, arguments.json)
    for part, all_workloads in (("training", TRAINING), ("inference", INFERENCE)):
        workloads = [w for w in all_workloads if w.name in arguments.workloads]
        if part in arguments.parts and workloads:
            for threads in arguments.threads:
                runner.run(part, workloads, names, threads, arguments.rounds)
    sweepers = [name for name in names if name in SWEEP_CONTENDERS]
    for part, points in (("batch", sweeps.batch_sweep()), ("width", sweeps.width_sweep())):
        if part in arguments.parts and sweepers:
            runner.run(part, points, sweepers, 1, min(arguments.rounds, SWEEP_ROUNDS))
    if "options" in arguments.parts and "sigmax" in names:
        workloads = sweeps.option_workloads(arguments.workloads)
        runner.run("options", workloads, ["sigmax", *VARIANTS], 1, arguments.rounds)
    if "memory" in arguments.parts and "sigmax" in names:
        if memory.can_measure():
            trained = [w.name for w in TRAINING if w.name in arguments.workloads]
            record.memory = [memory.measure(name) for name in trained]
        else:
            print("skipped: memory, this system has no resettable high-water mark", file=sys.stderr)
    return record


def main(argv: Sequence[str] | None = None) -> int:
    arguments = arguments_of(argv)
    record = Record.read(arguments.load) if arguments.load else run_parts(arguments)
    if arguments.json:
        record.write(arguments.json)
    print(terminal(record))
    if arguments.plot:
        from plot import draw

        draw(record, arguments.plot)
    if arguments.markdown:
        folder = os.path.dirname(os.path.abspath(arguments.markdown))
        plot = (
            os.path.relpath(arguments.plot, folder).replace(os.sep, "/") if arguments.plot else None
        )
        with open(arguments.markdown, "w", encoding="utf-8") as file:
            file.write(markdown(record, plot))
    return 0


if __name__ == "__main__":
    sys.exit(main())
