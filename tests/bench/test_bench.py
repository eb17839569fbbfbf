"""The bench measures what it says: contenders agree, a wrong one is found out, tables come out.

Nothing here asserts a time.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sigmax._bench.contenders import NumPy, NumPyFloat64, Sigmax, parameter_count, split
from sigmax._bench.race import Result, _short, check_agreement, race, reference_result
from sigmax._bench.workers import ContenderError, Runner, Worker, cpus_for, peak
from sigmax._bench.workloads import (
    INFERENCE,
    TRAINING,
    Workload,
    data,
    initial_parameters,
    named,
)
from sigmax._command import bench
from source_tree import ROOT

BENCH = ROOT / "bench"
SMALL = Workload("small", (7, 6, 5, 4), 5, 8)
SMALL_ONLINE = Workload("small_online", (7, 6, 4), 1, 20)
SMALL_INFERENCE = Workload("small_inference", (7, 6, 4), 3, 2, inference=True)


class WrongRate(NumPy):
    name = "wrong_rate"

    def setup(self, sizes, X, y, batch, rate):
        super().setup(sizes, X, y, batch, 1.01 * rate)


class Dies(NumPy):
    name = "dies"

    def train(self, epochs):
        os._exit(3)


class Raises(NumPy):
    name = "raises"

    def train(self, epochs):
        raise ArithmeticError("seven")


class Reports(NumPy):
    """Its parameters are the OMP_NUM_THREADS and the cores that its process began with."""

    name = "reports"

    def parameters(self):
        return [int(os.environ["OMP_NUM_THREADS"]), *(cpus_for(1) or [])]


def in_process(contender, workload):
    runner = Runner(contender)
    runner.setup(workload, None)
    return runner.result()


def race_with(workload, *wheres):
    workers = [Worker(where.split(":")[1].lower(), where) for where in wheres]
    try:
        return race(workload, workers, rounds=2, seconds=0.001)
    finally:
        for worker in workers:
            worker.__exit__(None, None, None)


@pytest.fixture
def bench_folder(monkeypatch):
    if not BENCH.is_dir():
        pytest.skip("bench/ is not beside the tests")
    monkeypatch.syspath_prepend(str(BENCH))


def test_flops_by_hand():
    weights = 784 * 30 + 30 * 10
    assert named(["nielsen30"])[0].flops == (6 * weights - 2 * 784 * 30) * 10
    assert named(["many_rows"])[0].flops == 2 * (784 * 100 + 100 * 10) * 10_000


def test_no_workload_of_the_bench_is_cut_short_for_agreement():
    assert all(_short(workload) == workload for workload in TRAINING + INFERENCE)
    assert _short(TRAINING[0].replace(steps=60_000)).steps == 2000


def test_the_workloads_have_distinct_names_and_an_unknown_one_is_named():
    names = [w.name for w in TRAINING + INFERENCE]
    assert len(set(names)) == len(names)
    with pytest.raises(ValueError, match=r"'tony'.*tiny"):
        named(["tony"])


def test_data_are_the_same_twice_and_hold_every_class():
    X, y = data(SMALL.replace(steps=100))
    again, labels = data(SMALL.replace(steps=100))
    np.testing.assert_array_equal(X, again)
    np.testing.assert_array_equal(y, labels)
    assert X.shape == (500, 7) and X.dtype == np.float32
    assert set(y) == {0, 1, 2, 3}


def test_data_from_mnist(tmp_path):
    images = np.arange(12 * 784, dtype=np.uint64).reshape(12, 28, 28).astype(np.uint8)
    labels = (np.arange(12) % 10).astype(np.uint8)
    path = tmp_path / "digits.npz"
    np.savez(path, x_train=images, y_train=labels, x_test=images[:2], y_test=labels[:2])
    X, y = data(Workload("digits", (784, 3, 10), 5, 3), mnist=str(path))
    assert X.shape == (15, 784)  # repeated, since there are only 12
    np.testing.assert_array_equal(X[12:], X[:3])
    assert X[0, 255] == 1.0
    np.testing.assert_array_equal(y[:12], labels)
    assert data(SMALL, mnist=str(path))[0].shape == (40, 7)  # other sizes: not MNIST


def test_split_gives_views_of_every_parameter():
    flat = np.arange(parameter_count((3, 4, 2)), dtype=np.float32)
    weights, biases = split(flat, (3, 4, 2))
    assert [w.shape for w in weights] == [(4, 3), (2, 4)]
    np.testing.assert_array_equal(np.concatenate([*map(np.ravel, weights), *biases]), flat)
    weights[1][0, 0] = -1
    assert flat[12] == -1


@pytest.mark.parametrize("workload", [SMALL, SMALL_ONLINE, SMALL_INFERENCE], ids=lambda w: w.name)
@pytest.mark.parametrize("contender", [Sigmax, NumPy])
def test_both_arrive_where_float64_does(contender, workload):
    check_agreement(
        contender.name, workload, in_process(contender(), workload), reference_result(workload)
    )


def test_numpy_step_is_the_gradient_of_backprop():
    import sigmax

    one_step = SMALL.replace(steps=1)
    X, y = data(one_step)
    network = sigmax.Network(SMALL.sizes, dtype="float64", seed=0)
    start = initial_parameters(SMALL.sizes).astype(np.float64)
    network.parameters[:] = start
    gradient = network.backprop(X.astype(np.float64), y)
    flat = np.concatenate([*map(np.ravel, gradient.nabla_w), *gradient.nabla_b])
    assert np.abs(flat).max() > 0
    result = in_process(NumPyFloat64(), one_step)
    np.testing.assert_allclose(result, start - SMALL.rate * flat, rtol=0, atol=1e-14)


def test_doing_nothing_is_a_disagreement():
    reference = reference_result(SMALL)
    with pytest.raises(ContenderError, match="idle, small: W_1 is off by"):
        check_agreement("idle", SMALL, initial_parameters(SMALL.sizes), reference)


@pytest.mark.parametrize("layer", [1, 2, 3])
def test_a_forgotten_bias_is_a_disagreement(layer):
    reference = reference_result(SMALL)
    result = reference.copy()
    start = initial_parameters(SMALL.sizes)
    split(result, SMALL.sizes)[1][layer - 1][:] = split(start, SMALL.sizes)[1][layer - 1]
    with pytest.raises(ContenderError, match=f"b_{layer} is off by"):
        check_agreement("forgetful", SMALL, result, reference)


def test_nan_and_a_wrong_shape_are_disagreements():
    reference = reference_result(SMALL)
    result = reference.copy()
    result[3] = np.nan
    with pytest.raises(ContenderError, match="W_1"):
        check_agreement("nan", SMALL, result, reference)
    with pytest.raises(ContenderError, match="shape"):
        check_agreement("short", SMALL, result[1:], reference)
    probabilities = reference_result(SMALL_INFERENCE)
    with pytest.raises(ContenderError, match="probabilities differ"):
        check_agreement("off", SMALL_INFERENCE, probabilities + 1e-3, probabilities)


def test_race_gives_every_contender_a_sample_per_round():
    result = race_with(
        SMALL, "sigmax._bench.contenders:Sigmax", "sigmax._bench.contenders:SigmaxFloat64"
    )
    assert {name: len(samples) for name, samples in result.samples.items()} == {
        "sigmax": 2,
        "sigmaxfloat64": 2,
    }
    assert all(s > 0 for samples in result.samples.values() for s in samples)
    assert len(result.peaks) == 2 and result.peak > 0


@pytest.mark.parametrize(
    ("contender", "message"),
    [
        ("WrongRate", "wrongrate, small: W_1 is off by"),
        ("Dies", "dies: its process ended during 'result'"),
        ("Raises", "(?s)raises: 'result' failed.*ArithmeticError: seven"),
    ],
)
def test_a_contender_that_fails_or_disagrees_ends_the_race(contender, message):
    with pytest.raises(ContenderError, match=message):
        race_with(SMALL, f"test_bench:{contender}")


def test_a_worker_has_its_threads_and_cores_and_leaves_ours_alone(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    before, environment = cpus_for(1), dict(os.environ)
    with Worker("reports", "test_bench:Reports") as worker:
        assert dict(os.environ) == environment
        worker.call("setup", SMALL, None)
        threads, *cpus = worker.call("result")
        assert threads == 1
        assert before is None or list(cpus) == before
    assert cpus_for(1) == before
    assert not worker._process.is_alive()


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no affinity on this system")
def test_more_threads_than_cores_is_refused():
    too_many = len(os.sched_getaffinity(0)) + 1
    with pytest.raises(ValueError, match=f"threads is {too_many}, expected at most"):
        cpus_for(too_many)


def test_peak_is_positive_in_both_precisions():
    assert peak("float32", 1) > 1e8
    assert peak("float64", 1) > 1e8


def test_statistics_by_hand():
    samples = {"sigmax": [1e-6, 2e-6, 3e-6], "numpy": [4e-6, 6e-6, 8e-6]}
    result = Result(SMALL, 1, peaks=[4e9, 2e9, 3e9], samples=samples)
    assert result.median("sigmax") == 2e-6
    assert result.spread("sigmax") == pytest.approx(0.25)  # quartiles 1.5 and 2.5
    assert result.ratio("sigmax", "numpy") == pytest.approx(3.0)
    assert result.rate("sigmax") == pytest.approx(SMALL.flops / 2e-6)
    assert result.share("sigmax") == pytest.approx(SMALL.flops / 2e-6 / 3e9)
    assert "small 7-6-5-4, batch 5" in bench.short_table([result])


def test_table_and_microseconds():
    assert bench.table(["a", "bb"], [["long", "1"]]) == "a     bb\nlong   1"
    shown = [bench.microseconds(s) for s in (4.4e-6, 31.04e-6, 0.044074)]
    assert shown == ["4.4", "31", "44,074"]


def test_sigmax_bench_prints_a_table(capsys):
    assert bench.main(["--workloads", "tiny,letter", "--seconds", "0.1"]) == 0
    out = capsys.readouterr().out
    for expected in ("tiny 4-8-3, batch 16", "letter 16-64-26, batch 32", "GFLOP/s", "of peak"):
        assert expected in out
    assert "sigmax us/step" in out and "numpy us/step" in out and "instruction set" in out


@pytest.mark.parametrize(
    "argv",
    [
        ["--workloads", "tony"],
        ["--seconds", "0"],
        ["--seconds", "nan"],
        ["--threads", "0"],
        ["--threads", "2000000"],
        ["--clock", "moon"],
    ],
)
def test_sigmax_bench_refuses(argv, capsys):
    with pytest.raises(SystemExit) as exit_:
        bench.main(argv)
    assert exit_.value.code == 2
    error = capsys.readouterr().err
    assert argv[1] in error and error.count("\n") == 1


def test_sigmax_bench_says_so_when_a_contender_fails(monkeypatch, capsys):
    monkeypatch.setitem(bench.CONTENDERS, "numpy", "test_bench:WrongRate")
    assert bench.main(["--workloads", "tiny", "--seconds", "0.1"]) == 1
    assert "sigmax bench: numpy, tiny: W_1 is off by" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name",
    ["torch_eager", "torch_compile", "jax_scan", "sklearn_mlp", "onnxruntime_inference"],
)
def test_a_peer_agrees(name, bench_folder):
    from contenders import CONTENDERS

    with Worker(name, CONTENDERS[name]) as worker:
        if missing := worker.contender.missing():
            pytest.skip(f"{', '.join(missing)} not installed")
        raced = 0
        for workload in (SMALL, SMALL_ONLINE, SMALL_INFERENCE):
            if worker.does(workload):
                assert race(workload, [worker], rounds=1, seconds=0.001).median(name) > 0
                raced += 1
        assert raced


@pytest.mark.thorough
def test_the_whole_race_writes_its_files(bench_folder, tmp_path, capsys):
    import run
    from record import Record

    files = {kind: str(tmp_path / f"out.{kind}") for kind in ("json", "md")}
    argv = ["--parts", "training,inference,options,memory", "--workloads", "tiny,one_row"]
    argv += ["--contenders", "sigmax,numpy", "--rounds", "2"]
    assert run.main([*argv, "--json", files["json"], "--markdown", files["md"]]) == 0
    out = capsys.readouterr().out
    record = Record.read(files["json"])
    assert [r.workload.name for r in record.of("training", 1)] == ["tiny"]
    assert record.of("inference")[0].workload == named(["one_row"])[0]
    assert set(record.of("options")[0].samples) == {"sigmax", "sigmax_shuffled", "sigmax_float64"}
    markdown = Path(files["md"]).read_text(encoding="utf-8")
    for expected in ("tiny 4-8-3, batch 16", "x best peer", record.machine["processor"]):
        assert expected in out and expected in markdown
    assert "| --- | ---: |" in markdown
    assert run.main(["--load", files["json"]]) == 0
    assert capsys.readouterr().out == out


def test_absent_contenders_are_skipped_by_name(bench_folder, monkeypatch, capsys):
    import run

    monkeypatch.setattr(
        "contenders.sklearn_mlp.SklearnMLP.missing", classmethod(lambda cls: ["sklearn"])
    )
    argv = ["--parts", "training", "--workloads", "tiny", "--rounds", "1"]
    assert run.main([*argv, "--contenders", "numpy,sklearn_mlp"]) == 0
    captured = capsys.readouterr()
    assert "skipped: sklearn_mlp, sklearn not installed" in captured.err
    assert "Skipped: sklearn_mlp" in captured.out


def test_cliffs_finds_the_largest_fall(bench_folder):
    import sweeps

    rates = [1.0, 2.0, 1.0, 1.1]
    results = [
        Result(SMALL.replace(name=str(i)), 1, samples={"sigmax": [SMALL.flops / rate]})
        for i, rate in enumerate(rates)
    ]
    fall, before, after = sweeps.cliffs(results)[0]
    assert fall == pytest.approx(1.0)
    assert (before.workload.name, after.workload.name) == ("1", "2")


def test_mnist_accuracy_is_skipped_without_its_file():
    if not BENCH.is_dir():
        pytest.skip("bench/ is not beside the tests")
    command = [sys.executable, str(BENCH / "accuracy.py"), "--mnist", "no such file"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
    assert "skipped: 'no such file' does not exist" in done.stdout
