"""The record of one run of the benchmark: samples, machine and versions, as one JSON file."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import json
from dataclasses import dataclass, field

from sigmax._bench.race import Result
from sigmax._bench.tables import machine
from sigmax._bench.workloads import Workload

PACKAGES = ("torch", "jax", "jaxlib", "scikit-learn", "scipy", "onnxruntime", "matplotlib")


def versions() -> dict[str, str]:
    """Return the version of each package that may take part, as far as it is installed."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


@dataclass
class Record:
    """The whole of a run; ``parts`` holds the results of each part by its name."""

    date: str
    machine: dict[str, str]
    versions: dict[str, str]
    rounds: int
    clock: str
    mnist: bool
    skipped: dict[str, list[str]]  # contender -> what is missing
    parts: dict[str, list[Result]] = field(default_factory=dict)
    memory: list[dict[str, float | str]] = field(default_factory=list)

    @classmethod
    def begin(cls, rounds: int, clock: str, mnist: bool, skipped: dict[str, list[str]]) -> Record:
        date = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
        return cls(date, machine(), versions(), rounds, clock, mnist, skipped)

    def of(self, part: str, threads: int | None = None) -> list[Result]:
        """Return the results of a part, of one number of threads if given."""
        results = self.parts.get(part, [])
        return [r for r in results if threads is None or r.threads == threads]

    def write(self, path: str) -> None:
        with open(path, "w", encoding="utf-8") as file:
            json.dump(dataclasses.asdict(self), file, indent=1)
            file.write("\n")

    @classmethod
    def read(cls, path: str) -> Record:
        with open(path, encoding="utf-8") as file:
            fields = json.load(file)
        parts = fields.pop("parts")
        record = cls(**fields)
        for part, results in parts.items():
            record.parts[part] = []
            for result in results:
                described = result.pop("workload")
                described["sizes"] = tuple(described["sizes"])
                record.parts[part].append(Result(Workload(**described), **result))
        return record
