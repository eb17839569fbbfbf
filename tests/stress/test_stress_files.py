"""Hostile files: every byte, every length, bombs, lies and pickles, of models and of checkpoints.

`test_hostile_files.py` has what one can think of for models; here is what nobody thinks of,
and the same for checkpoints.
"""

import sys
import tracemalloc

import file_cases
import fuzz_files
import numpy as np
import pytest
import sigmax
from checkpoint_files import comparable
from sigmax import files
from sigmax._formats import array_files
from sigmax._training import checkpoint_file as checkpoints

pytestmark = pytest.mark.filterwarnings("ignore:Reading `.npy` or `.npz` file required")

# Cases of `file_cases` that once raised something else than FileFormatError.
KEPT = (55, 171, 201, 445, 1122, 1306, 1435, 2221, 2323)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return file_cases.sound_files(tmp_path_factory.mktemp("sound"))


def test_fuzzed_files(tmp_path, rounds, tried):
    n = rounds(600, 20_000)
    tried_here, taken, faults = fuzz_files.run(0, n, tmp_path)
    assert not faults, faults[:5]
    assert 0.02 < taken / n < 0.5, "hardly any file, or too many, were taken"
    tried("fuzzed files (see fuzz_files.py for the long run)", tried_here)


@pytest.mark.parametrize("number", KEPT)
def test_kept_cases(number, sound, tmp_path):
    kind, content = file_cases.case(number, sound)
    file_cases.open_and_use(kind, content, tmp_path / "file.npz")


HEADERS = ("-" * 9000 + "1", "1+" * 3000 + "1", "(" * 300, "'", "[" * 200, "{" * 3000, "lambda: 0")


@pytest.mark.parametrize("header", HEADERS, ids=lambda text: text[:8])
def test_headers_that_the_parser_of_python_gives_up_on(header, sound, tmp_path):
    path = tmp_path / "file.npz"
    for kind, members in sound.items():
        name = next(iter(members))
        damaged = {**members, name: file_cases.npy(b"\0" * 8, header, "()")}
        content = file_cases.archive_of(list(damaged.items()))
        assert not file_cases.open_and_use(kind, content, path), f"{kind} was taken"


@pytest.mark.parametrize("header", HEADERS, ids=lambda text: text[:8])
def test_such_headers_in_a_file_of_data(header, tmp_path):
    path = tmp_path / "X.npy"
    path.write_bytes(file_cases.npy(b"\0" * 8, header, "()"))
    with pytest.raises(sigmax.FileFormatError):
        array_files.read_npy(path)


# ---- every byte, every length --------------------------------------------------------------------


def same(kind, sound_path, path):
    """Whether both files hold the same; FileFormatError when the second one is refused."""
    if kind.startswith("model"):
        a, b = files.load(sound_path), files.load(path)
        return a.class_names == b.class_names and _state(a.network._model) == _state(
            b.network._model
        )
    a, b = checkpoints.load(sound_path), checkpoints.load(path)
    return _state(a.model) == _state(b.model) and comparable(a) == comparable(b)


def _state(model):
    state = model.to_dict()
    state["parameters"] = state["parameters"].tobytes()
    state["preparation"] = [
        None if part is None else np.asarray(part).tobytes() for part in state["preparation"] or ()
    ]
    return state


def stands(kind, sound_path, path):
    """Whether a damaged file is refused; if it is taken, nothing that counts is different."""
    try:
        assert same(kind, sound_path, path), "the damage changed what is read, and was not noticed"
    except sigmax.FileFormatError:
        return True
    return False


KINDS = ("model with everything", "checkpoint adam", "checkpoint plateau")


@pytest.mark.parametrize("kind", KINDS)
def test_every_byte_flipped(kind, sound, tmp_path, rounds, tried):
    whole = file_cases.archive_of(list(sound[kind].items()))
    original, path = tmp_path / "sound.npz", tmp_path / "file.npz"
    original.write_bytes(whole)
    step, refused, n = rounds(23, 1), 0, 0
    for position in range(0, len(whole), step):
        for mask in (0xFF, 0x01) if step == 1 else (0xFF,):
            content = bytearray(whole)
            content[position] ^= mask
            path.write_bytes(content)
            refused += stands(kind, original, path)
            n += 1
    assert refused > 0.7 * n
    tried(f"bytes flipped: {kind.split()[0]}", n)


@pytest.mark.parametrize("kind", KINDS)
def test_every_length(kind, sound, tmp_path, rounds, tried):
    whole = file_cases.archive_of(list(sound[kind].items()))
    path, n = tmp_path / "file.npz", 0
    load = files.load if kind.startswith("model") else checkpoints.load
    for length in range(0, len(whole), rounds(29, 1)):
        path.write_bytes(whole[:length])
        with pytest.raises(sigmax.FileFormatError):
            load(path)
        n += 1
    path.write_bytes(whole + b"\0")
    with pytest.raises(sigmax.FileFormatError):
        load(path)
    tried(f"lengths truncated: {kind.split()[0]}", n)


# ---- checkpoints: bombs, lies, pickles -----------------------------------------------------------


def refused(members, path, compress=()):
    """Loading raises FileFormatError; gives its text. At most 8 MiB are allocated on the way."""
    content = file_cases.archive_of(list(members.items()), compress)
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(sigmax.FileFormatError) as caught:
            checkpoints.load(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20, f"{peak} bytes were allocated for a file of {len(content)}"
    assert not file_cases.Bomb.exploded
    return str(caught.value)


@pytest.fixture
def members(sound):
    return sound["checkpoint adam"]


def test_pickles_in_a_checkpoint(members, tmp_path):
    import pickle

    payload = pickle.dumps(np.array([file_cases.Bomb()]))
    for name in members:
        message = refused(
            {**members, name: file_cases.npy(payload, "'|O'", "(1,)")}, tmp_path / "f"
        )
        assert "never read" in message


def test_bombs_in_a_checkpoint(members, tmp_path):
    # 64 MB that compress to 64 KB, in the place of each array.
    zeros = bytes(64_000_000)
    for name, description, shape in (
        ("moments.npy", "'<f4'", "(16000000,)"),
        ("history_cost.npy", "'<f8'", "(8000000,)"),
        ("options.npy", "'|u1'", "(64000000,)"),
    ):
        bomb = file_cases.npy(zeros, description, shape)
        content = file_cases.archive_of([*{**members, name: bomb}.items()], {name})
        assert len(content) < 1 << 20
        path = tmp_path / "bomb.npz"
        path.write_bytes(content)
        tracemalloc.start()
        with pytest.raises(sigmax.FileFormatError, match="compressed"):
            checkpoints.load(path)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
        tracemalloc.stop()


@pytest.mark.parametrize("shape", file_cases.SHAPES, ids=lambda text: text[:20])
def test_shapes_that_lie_in_a_checkpoint(members, tmp_path, shape):
    # With numbers in place of an array that has another shape than any of these.
    lie = file_cases.npy(b"\0" * 4 * 5, "'<f4'", shape)
    for name in ("parameters.npy", "moments.npy", "best.npy", "history_cost.npy"):
        refused({**members, name: lie}, tmp_path / "f")


@pytest.mark.parametrize("depth", [500, 100_000])
def test_json_as_deep_as_a_well(members, tmp_path, depth):
    assert depth > sys.getrecursionlimit() or depth == 500
    for name in ("options.npy", "progress.npy"):
        for text in (b"[" * depth, b'{"a":' * depth, b"[" * depth + b"]" * depth):
            refused({**members, name: file_cases.npy(text, "'|u1'")}, tmp_path / "f")


def test_json_of_large_numbers(members, tmp_path):
    # Python refuses integers of more than 4300 digits: that must not be the answer here.
    for number in (b"9" * 5000, b"1e999", b"-" + b"9" * 400, b"NaN"):
        text = b'{"epoch": ' + number + b"}"
        refused({**members, "progress.npy": file_cases.npy(text, "'|u1'")}, tmp_path / "f")
