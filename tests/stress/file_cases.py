"""Damaged and hostile files, each a function of one number, so that any of them can be made again.

Two thirds are sound archives, checksums and all, of wrong contents: a random change of bytes would
never get past the checksums. The others are wrong as archives.
"""

import json
import pickle
import random
import struct
import warnings
import zlib
from zipfile import ZipFile

import numpy as np
import sigmax
from sigmax import files

SIZES = (4, 3, 2)
ROWS = 12

ODD_VALUES = (
    *(None, True, False, 0, 1, -1, 2, 3, 5, 6, 7, 2**31, 2**53, 2**63 - 1, 2**63, 2**64, 2**70),
    *(0.0, -0.0, 0.5, 1.0, -1.5, 1e-320, 1e308, float("nan"), float("inf"), -float("inf")),
    *("", "x", "sgd", "adam", "lbfgs", "cosine", "balanced", "cost", "\0", "\ud800", "a" * 500),
    *([], [1], [[0, 1]], [0.0, 1.0], {}, {"pairs": [[0, 1.0]]}, {"pairs": 3}, {"function": True}),
)
ODD_NUMBERS = (0, 1, 2, 127, 128, 255, 2**15, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)
ODD_REALS = (0.0, -0.0, 1.0, -1.0, 1e-45, 5e-324, 3e38, 1e308, np.nan, np.inf, -np.inf)
SHAPES = (
    *("()", "(0,)", "(1,)", "(2,)", "(3,)", "(23,)", "(1, 3)", "(3, 1)", "(-1,)", "(-2, -3)"),
    *("(10**9,)", "(1000000000,)", "(4611686018427387904,)", "(1099511627776, 1099511627776)"),
    *("(True,)", "('x',)", "(1.0,)", "[3]", "3", "None", "(" + "1, " * 70 + ")", "((3,),)"),
)
DESCRIPTIONS = (
    *("'<f4'", "'<f8'", "'>f4'", "'<f2'", "'<i8'", "'>i8'", "'<u8'", "'|u1'", "'<U7'", "'>U7'"),
    *("-" * 9000 + "1", "1+" * 3000 + "1", "(" * 300, "'"),
    *("'|O'", "'|V0'", "'<U0'", "'<M8'", "'<c8'", "[('a', '<f4')]", "[]", "''", "None", "'|S9'"),
)


class Bomb:
    """Unpickling this calls a function."""

    exploded = False

    def __reduce__(self):
        return setattr, (Bomb, "exploded", True)


# ---- sound files ---------------------------------------------------------------------------------


def data():
    """Rows and labels, the same on every machine."""
    X = (np.arange(ROWS * SIZES[0]) * 7 % 11 / 5.0 - 1.0).reshape(ROWS, SIZES[0])
    return X.astype(np.float32), np.arange(ROWS) % SIZES[-1]


def _stop(network, epoch, history):
    return epoch == 2


def sound_files(folder):
    """{name: members} of models and checkpoints of every kind; members are {file name: bytes}."""
    path = folder / "sound.npz"
    found = {}

    def keep(name):
        with ZipFile(path) as archive:
            members = {info.filename: archive.read(info) for info in archive.infolist()}
        found[name] = _without_clock(members)

    for dtype in ("float32", "float64"):
        sigmax.Network(SIZES, dtype=dtype, seed=2).save(path)
        keep(f"model {dtype}")
    X, y = data()
    network = sigmax.Network(SIZES, seed=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sigmax.TrainingWarning)
        network.fit(X, y, epochs=2, standardize=True, nan="mean")
        network.calibrate(X, (network.predict(X) + (np.arange(ROWS) % 5 == 0)) % 2)
        files.save(path, network, class_names=["left", "right"])
        keep("model with everything")
        for name, options in {
            "checkpoint sgd": {},
            "checkpoint adam": {
                **{"optimizer": "adam", "dropout": 0.2, "class_weight": {0: 2.0}, "l2": 0.1},
                **{"validation_fraction": 0.3, "early_stopping": "cost", "standardize": True},
            },
            "checkpoint lbfgs": {"optimizer": "lbfgs", "l2": 0.01},
            "checkpoint plateau": {"optimizer": "momentum", "schedule": "plateau"},
        }.items():
            network = sigmax.Network(SIZES, seed=4)
            network.fit(X, y, epochs=5, callbacks=[_stop], checkpoint=path, **options)
            keep(name)
            found[name] = _unfinished(found[name])
    return found


def _without_clock(members):
    """The same, had training taken no time."""
    kept = dict(members)
    if "history_seconds.npy" in kept:
        head, tail = _split(kept["history_seconds.npy"])
        kept["history_seconds.npy"] = head + bytes(len(tail))
    if "progress.npy" in kept:
        kept["progress.npy"] = _with_json(kept["progress.npy"], seconds=0.0)
    return kept


def _unfinished(members):
    """As if a Ctrl-C had ended that run, and no callback."""
    return {
        **members,
        "progress.npy": _with_json(members["progress.npy"], finished=False, stopped=None),
        "options.npy": _with_json(members["options.npy"], callbacks=[]),
    }


def _split(member):
    """Header and data of a .npy."""
    end = 10 + int.from_bytes(member[8:10], "little")
    return member[:end], member[end:]


def _with_json(member, **values):
    content = json.loads(_split(member)[1])
    content.update(values)
    return npy(json.dumps(content).encode(), "'|u1'")


def npy(content, description, shape=None):
    """A .npy of these bytes, that says this of itself."""
    shape = f"({len(content)},)" if shape is None else shape
    text = f"{{'descr': {description}, 'fortran_order': False, 'shape': {shape}, }}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + content


def archive_of(members, compress=()):
    """A zip archive of [(name, content)], with right checksums."""
    body, directory = bytearray(), bytearray()
    for name, content in members:
        raw, offset, method = name.encode(), len(body), 8 if name in compress else 0
        packed = zlib.compress(content, 9, -15) if method else content
        common = struct.pack(
            "<HHHHHIIIHH",
            *(20, 0, method, 0, 33, zlib.crc32(content), len(packed), len(content), len(raw), 0),
        )
        body += b"PK\3\4" + common + raw + packed
        directory += b"PK\1\2" + struct.pack("<H", 20) + common
        directory += struct.pack("<HHHII", 0, 0, 0, 0, offset) + raw
    end = struct.pack("<HHHHIIH", 0, 0, len(members), len(members), len(directory), len(body), 0)
    return bytes(body + directory + b"PK\5\6" + end)


# ---- unsound ones --------------------------------------------------------------------------------


def case(number, sound):
    """(what, content): the number-th file; sound is what `sound_files` gave."""
    rng = random.Random(number)
    kind = rng.choice(list(sound))
    members = list(sound[kind].items())
    if rng.random() < 0.35:
        return kind, _damaged(rng, archive_of(members))
    compress = set()
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        members = _changed(rng, members, compress, sound)
    return kind, archive_of(members, compress)


def _damaged(rng, content):
    """Wrong bytes anywhere."""
    content = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5))):
        at, length = rng.randrange(len(content) + 1), rng.choice((1, 1, 2, 4, 8, 40, 400))
        how = rng.randrange(6)
        if how == 0 and at < len(content):
            content[at] ^= 1 << rng.randrange(8)
        elif how == 1:
            content[at : at + length] = rng.randbytes(length)
        elif how == 2:
            del content[at : at + length]
        elif how == 3:
            content[at:at] = rng.randbytes(length)
        elif how == 4:
            other = rng.randrange(len(content) + 1)
            content[at : at + length] = content[other : other + length]
        else:
            size = rng.choice((1, 2, 4, 8))
            number = rng.choice(ODD_NUMBERS) % 2 ** (8 * size)
            content[at : at + size] = number.to_bytes(size, "little")
    return bytes(content[: rng.randrange(len(content))] if rng.random() < 0.05 else content)


def _changed(rng, members, compress, sound):
    """The members with one of them changed."""
    members = list(members)
    if not members:
        return members
    at = rng.randrange(len(members))
    name, content = members[at]
    how = rng.randrange(10)
    if how == 0:
        del members[at]
    elif how == 1:
        other = rng.choice(list(sound.values()))
        members.insert(at, rng.choice(list(other.items())))
    elif how == 2:
        members[at] = rng.choice(("", "../x.npy", "x", name[:-1], name.upper(), "/etc/x")), content
    elif how == 3:
        compress.add(name)
        if rng.random() < 0.3:
            members[at] = name, npy(bytes(300_000), "'<f4'", "(75000,)")
    elif how == 4:
        members[at] = name, _odd_header(rng, content)
    elif how == 5:
        members[at] = name, npy(pickle.dumps(np.array([Bomb()])), "'|O'", "(1,)")
    else:
        members[at] = name, _odd_content(rng, content)
    return members


def _odd_header(rng, member):
    _, body = _split(member)
    described = npy(body, rng.choice(DESCRIPTIONS), rng.choice(SHAPES))
    if rng.random() < 0.4:
        return _damaged(rng, described)
    return described


def _odd_content(rng, member):
    head, body = _split(member)
    if b"'|u1'" in head:
        return npy(_odd_json(rng, body), "'|u1'")
    body = bytearray(body)
    if body:
        at = rng.randrange(0, len(body), 4)
        form = rng.choice(("<f", "<d", "<q"))
        odd = rng.choice(ODD_NUMBERS) % 2**63 if form == "<q" else rng.choice(ODD_REALS)
        with np.errstate(over="ignore"):
            odd = float(np.float32(odd)) if form == "<f" else odd
        written = struct.pack(form, odd)[: len(body) - at]
        body[at : at + len(written)] = written
    return head + bytes(body)


def _odd_json(rng, text):
    try:
        value = json.loads(text)
        key = rng.choice(list(value))
    except (ValueError, TypeError, LookupError, RecursionError):  # an earlier change was here
        return _damaged(rng, text)
    how = rng.randrange(8)
    if how == 0:
        del value[key]
    elif how == 1:
        value["surprise"] = rng.choice(ODD_VALUES)
    elif how == 2:
        return _damaged(rng, text)
    elif how == 3:
        return b"[" * 100_000
    elif isinstance(value[key], dict) and value[key] and rng.random() < 0.7:
        value[key][rng.choice(list(value[key]))] = rng.choice(ODD_VALUES)
    else:
        value[key] = rng.choice(ODD_VALUES)
    return json.dumps(value).encode()


# ---- what must come of them ----------------------------------------------------------------------

REFUSALS = (
    ValueError,
    TypeError,
    sigmax.DivergedError,
)  # of resuming; FileFormatError is the first


def open_and_use(kind, content, path):
    """Whether the file was taken; anything but FileFormatError, or a misuse of it, is raised."""
    path.write_bytes(content)
    try:
        if kind.startswith("checkpoint"):
            from sigmax._training import checkpoint_file as checkpoints

            stored = checkpoints.load(path)
            network = sigmax.Network._of(stored.model)
        else:
            network = files.load(path).network
    except sigmax.FileFormatError:
        return False
    finally:
        assert not Bomb.exploded, "a pickle was executed"
    _use(network, kind)
    if kind.startswith("checkpoint") and stored.options["epochs"] <= 6:
        _resume(path, network)
    return True


def _use(network, kind):
    X = np.zeros((2, network.sizes[0]), network.dtype)
    try:
        assert len(network.predict_proba(X)) == 2, kind
    except ValueError as error:  # of a mean of 1e308, or of weights of 1e38
        assert "too large" in str(error), error
    again = pickle.loads(pickle.dumps(network))
    assert again.parameters.tobytes() == network.parameters.tobytes()


def _resume(path, network):
    """A file that was taken can be resumed, or is refused for what the data or options are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            sigmax.Network(network.sizes, dtype=network.dtype, seed=1).fit(*data(), resume=path)
        except REFUSALS:
            return
