"""The picture of a run: relative speed, share of the peak, and the two sweeps."""

from __future__ import annotations

from record import Record
from report import best_peer

COLOURS = {
    "sigmax": "#c1272d",
    "numpy": "#4a7ebb",
    "torch_eager": "#e08e3c",
    "torch_compile": "#f0c27b",
    "jax_scan": "#4f9d69",
    "sklearn_mlp": "#8d6bb1",
    "onnxruntime_inference": "#7a7a7a",
}


def _speed(axes, results):
    """Speed of every contender relative to the best peer, a group of bars per workload."""
    names = list(dict.fromkeys(name for r in results for name in r.samples))
    height = 0.8 / len(names)
    for i, name in enumerate(names):
        places, values = [], []
        for j, r in enumerate(results):
            if name in r.samples:
                places.append(j + (i - len(names) / 2 + 0.5) * height)
                values.append(r.ratio(name, best_peer(r) or name))
        axes.barh(places, values, height, label=name, color=COLOURS.get(name))
    axes.axvline(1.0, color="black", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_yticks(range(len(results)), [r.workload.name for r in results])
    axes.invert_yaxis()
    axes.set_xlabel("speed relative to the best peer, one core")
    axes.legend(fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4)


def _share(axes, results):
    """Share of the FMA peak, sigmax beside the best peer."""
    places = range(len(results))
    for shift, name_of, label, colour in (
        (-0.2, lambda r: "sigmax", "sigmax", COLOURS["sigmax"]),
        (0.2, best_peer, "best peer", "#888888"),
    ):
        values = [100 * r.share(name) if (name := name_of(r)) in r.samples else 0 for r in results]
        axes.bar([p + shift for p in places], values, 0.4, label=label, color=colour)
    axes.set_xticks(places, [r.workload.name for r in results], rotation=45, ha="right")
    axes.set_ylim(0, 100)
    axes.set_ylabel("share of the peak, %")
    axes.legend(fontsize="small")


def _sweep(axes, results, what, value_of):
    for name in results[0].samples:
        rates = [r.rate(name) / 1e9 for r in results]
        axes.plot([value_of(r) for r in results], rates, ".-", label=name, color=COLOURS.get(name))
    axes.plot([value_of(r) for r in results], [r.peak / 1e9 for r in results], "k:", label="peak")
    axes.set_xscale("log", base=2)
    axes.set_xlabel(what)
    axes.set_ylabel("GFLOP/s")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize="small")


def draw(record: Record, path: str) -> None:
    """Write the picture as a PNG. Needs matplotlib."""
    try:
        import matplotlib
    except ImportError as error:
        raise SystemExit("--plot needs matplotlib: pip install matplotlib") from error
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    panels = []
    results = record.of("training", 1) + record.of("inference", 1)
    if results:
        panels += [lambda a: _speed(a, results), lambda a: _share(a, results)]
    if batch := record.of("batch"):
        panels.append(lambda a: _sweep(a, batch, "batch, 784-100-10", lambda r: r.workload.batch))
    if width := record.of("width"):
        panels.append(
            lambda a: _sweep(
                a, width, "width w, 784-w-w-10, batch 128", lambda r: r.workload.sizes[1]
            )
        )
    if not panels:
        raise SystemExit(
            "--plot: nothing to draw; run training or inference on one thread, or a sweep"
        )
    rows = (len(panels) + 1) // 2
    figure, axes = plt.subplots(
        rows, 2, figsize=(13, 6.5 * rows), squeeze=False, layout="constrained"
    )
    for panel, a in zip(panels, axes.flat, strict=False):
        panel(a)
    for a in axes.flat[len(panels) :]:
        a.set_axis_off()
    figure.suptitle(
        f"{record.machine['processor']}, {record.machine['instruction set']}, {record.date}"
    )
    figure.savefig(path, dpi=110)
    plt.close(figure)
