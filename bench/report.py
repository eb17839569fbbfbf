"""Tables of a run, for the terminal and for the Markdown report."""

from __future__ import annotations

from collections.abc import Sequence

from record import Record
from sigmax._bench.race import Result
from sigmax._bench.tables import microseconds, table
from sweeps import cliffs

# The goals on one core: speed relative to the best peer, and share of the peak.
GOALS = {
    "tiny": (2.0, None),
    "letter": (1.5, None),
    "online": (1.8, None),
    "nielsen30": (2.0, None),
    "nielsen100": (1.4, None),
    "simard800": (1.05, 0.88),
    "hinton": (1.1, 0.87),
    "deep": (1.1, 0.88),
    "one_row": (2.0, None),
    "many_rows": (1.25, None),
}
GOALS_TWO_CORES = dict.fromkeys(("simard800", "hinton", "deep"), (1.05, None))
GOAL_CLIFF = 0.25
GOAL_SHUFFLED = 1.10
GOAL_FLOAT64 = 0.45

Table = tuple[list[str], list[list[str]]]


def best_peer(result: Result) -> str | None:
    """Return the fastest contender that is not sigmax, or None."""
    peers = [name for name in result.samples if not name.startswith("sigmax")]
    return min(peers, key=result.median) if peers else None


def _against(value: float, goal: float | None, form: str = "{:.2f}") -> str:
    text = form.format(value)
    if goal is None:
        return text
    return f"{text} ({'≥' if value >= goal else '<'} {form.format(goal)})"


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def times_table(results: Sequence[Result]) -> Table:
    """Return microseconds per step of every contender, with half the distance of the quartiles."""
    names = list(dict.fromkeys(name for result in results for name in result.samples))
    rows = []
    for result in results:
        cells = [
            f"{microseconds(result.median(n))} ± {_percent(result.spread(n))}"
            if n in result.samples
            else "-"
            for n in names
        ]
        rows.append([result.workload.title, *cells])
    return ["workload, us per step", *names], rows


def standing_table(results: Sequence[Result], record: Record) -> Table:
    """Return how sigmax stands against its peers, the peak, and (on more cores) one core."""
    rows = []
    for result in results:
        if "sigmax" not in result.samples:
            continue
        goals = GOALS if result.threads == 1 else GOALS_TWO_CORES
        goal, goal_share = goals.get(result.workload.name, (None, None))
        best = best_peer(result)
        ratio = {n: result.ratio("sigmax", n) for n in result.samples}
        single = [
            r
            for part in ("training", "inference")
            for r in record.of(part, 1)
            if r.workload == result.workload and "sigmax" in r.samples
        ]
        rows.append(
            [
                result.workload.title,
                best or "-",
                _against(ratio[best], goal) if best else "-",
                f"{ratio['numpy']:.2f}" if "numpy" in ratio else "-",
                f"{ratio['torch_eager']:.2f}" if "torch_eager" in ratio else "-",
                f"{result.rate('sigmax') / 1e9:.1f}",
                f"{result.peak / 1e9:.0f}",
                _against(100 * result.share("sigmax"), goal_share and 100 * goal_share, "{:.0f} %"),
            ]
        )
        if result.threads > 1:
            one = single[0].median("sigmax") if single else None
            rows[-1].append(f"{one / result.median('sigmax'):.2f}" if one else "-")
    headings = [
        "workload",
        "best peer",
        "x best peer",
        "x numpy",
        "x torch_eager",
        "GFLOP/s",
        "peak",
        "of peak",
    ]
    if rows and len(rows[0]) > len(headings):
        headings.append("x one core")
    return headings, rows


def sweep_table(results: Sequence[Result]) -> Table:
    """Return the rate of every contender at each point of a sweep, in GFLOP/s."""
    names = list(results[0].samples)
    rows = [
        [
            r.workload.title,
            microseconds(r.median("sigmax")) if "sigmax" in r.samples else "-",
            *(f"{r.rate(n) / 1e9:.1f}" for n in names),
            _percent(r.share("sigmax")) if "sigmax" in r.samples else "-",
        ]
        for r in results
    ]
    return ["workload", "sigmax us", *(f"{n} GFLOP/s" for n in names), "sigmax of peak"], rows


def cliff_sentence(results: Sequence[Result]) -> str:
    """Return a sentence on where time per flop grows most between neighbours of a sweep."""
    if len(results) < 2 or "sigmax" not in results[0].samples:
        return ""
    fall, before, after = cliffs(list(results))[0]
    return (
        f"Largest growth of sigmax's time per flop between neighbours: {_percent(fall)}, "
        f"from {before.workload.name} to {after.workload.name} (goal: {_percent(GOAL_CLIFF)})."
    )


def options_table(results: Sequence[Result]) -> Table:
    """Return the price of shuffling and of double precision."""
    rows = []
    for r in results:
        shuffled = r.median("sigmax_shuffled") / r.median("sigmax")
        double = r.median("sigmax") / r.median("sigmax_float64")
        rows.append(
            [
                r.workload.title,
                *(
                    microseconds(r.median(n))
                    for n in ("sigmax", "sigmax_shuffled", "sigmax_float64")
                ),
                f"{shuffled:.2f} ({'≤' if shuffled <= GOAL_SHUFFLED else '>'} {GOAL_SHUFFLED:.2f})",
                _against(double, GOAL_FLOAT64 if r.workload.name in GOALS_TWO_CORES else None),
            ]
        )
    headings = ["workload, us per step", "sigmax", "shuffled", "float64"]
    return [*headings, "shuffled / unshuffled", "float64 rate / float32 rate"], rows


def memory_table(record: Record) -> Table:
    """Return peak memory beyond X and y, in MiB."""
    keys = ("data", "parameters", "batch_arrays", "measured", "allowed")
    rows = [[str(m["workload"]), *(f"{m[key]:.2f}" for key in keys)] for m in record.memory]
    headings = [
        "workload, MiB",
        "X and y",
        "parameters",
        "one batch's arrays",
        "peak beyond X and y",
    ]
    return [*headings, "3 x parameters + batch + 1"], rows


def sections(record: Record) -> list[tuple[str, str, list[Table]]]:
    """Return the report as (heading, text, tables)."""
    found = []
    for part, what in (
        ("training", "Training, one step of mini-batch SGD"),
        ("inference", "Inference, one call"),
    ):
        for threads in sorted({r.threads for r in record.of(part)}):
            results = record.of(part, threads)
            cores = "one core" if threads == 1 else f"{threads} cores"
            tables = [times_table(results), standing_table(results, record)]
            found.append((f"{what}, {cores}", "", [t for t in tables if t[1]]))
    for part, what in (
        ("batch", "Batch sweep, 784-100-10"),
        ("width", "Width sweep, 784-w-w-10, batch 128"),
    ):
        if results := record.of(part):
            found.append((f"{what}, one core", cliff_sentence(results), [sweep_table(results)]))
    if results := record.of("options"):
        found.append(("Shuffling and double precision, one core", "", [options_table(results)]))
    if record.memory:
        text = "The goal is the last column plus room for packed panels."
        found.append(("Peak memory of a fit", text, [memory_table(record)]))
    return found


def preface(record: Record) -> list[str]:
    """Return date, machine, versions and what the figures mean, a paragraph each."""
    rows = "MNIST where the sizes are 784-...-10, random elsewhere" if record.mnist else "random"
    machine = ", ".join(f"{key} {value}" for key, value in record.machine.items())
    versions = ", ".join(f"{key} {value}" for key, value in record.versions.items())
    skipped = [
        f"Skipped: {name}, {', '.join(missing)} not installed."
        for name, missing in record.skipped.items()
    ]
    return [
        f"Date: {record.date}. Rounds: {record.rounds}. Clock: {record.clock}. Data: {rows}.",
        f"Machine: {machine}.",
        f"Peers: {versions}.",
        "float32 unless said otherwise. Every contender runs in a process of its own, pinned to as "
        "many cores as it has threads, and has arrived at the same parameters (or probabilities) "
        "before it is timed. Medians over the rounds, ± half the distance of the quartiles. flops "
        "of a training step: (6 weights - 2 n_0 n_1) batch. The peak is that of fused "
        "multiply-adds on registers, measured in the same rounds.",
        *skipped,
    ]


def terminal(record: Record) -> str:
    """Return the whole report as plain text."""
    blocks = ["\n".join(preface(record))]
    for heading, text, tables in sections(record):
        blocks.append("\n".join(part for part in (heading, "-" * len(heading), text) if part))
        blocks += [table(*t) for t in tables]
    return "\n\n".join(blocks)


def markdown(record: Record, plot: str | None = None) -> str:
    """Return the whole report as Markdown, with the plot at the given address."""
    blocks = ["# Speed and memory: results of the last run", *preface(record)]
    blocks.append("Written by `python bench/run.py --markdown`.")
    if plot:
        blocks.append(f"![speed of sigmax and its peers]({plot})")
    for heading, text, tables in sections(record):
        blocks.append(f"## {heading}")
        if text:
            blocks.append(text)
        for headings, rows in tables:
            rule = ["---"] + ["---:"] * (len(headings) - 1)
            blocks.append(
                "\n".join("| " + " | ".join(row) + " |" for row in [headings, rule, *rows])
            )
    return "\n\n".join(blocks) + "\n"
