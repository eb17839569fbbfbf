"""Many damaged and hostile files through `load`: python tests/stress/fuzz_files.py --cases 100000.

Runs cases first ... first + cases - 1 of `file_cases`; a fault is printed with its number, which
`--first NUMBER --cases 1` shows again.
"""

import argparse
import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import file_cases

MEMORY = 1 << 29  # that the whole run may take beyond what it has at its beginning


def run(first, cases, folder, say=lambda text: None):
    """(cases tried, files taken, [(number, fault)])."""
    sound = file_cases.sound_files(folder)
    path = folder / "case.npz"
    for kind, members in sound.items():
        taken = file_cases.open_and_use(kind, file_cases.archive_of(list(members.items())), path)
        assert taken, f"{kind}: not even the sound file is taken"
    taken, faults, began = 0, [], time.monotonic()
    for number in range(first, first + cases):
        kind, content = file_cases.case(number, sound)
        try:
            taken += file_cases.open_and_use(kind, content, path)
        except Exception as error:
            faults.append((number, f"{kind}: {type(error).__name__}: {error}"))
            say(f"case {number}, {kind}:\n{traceback.format_exc()}")
        if (number + 1) % 100_000 == 0:
            rate = (number + 1 - first) / (time.monotonic() - began)
            say(f"{number + 1}: {taken} taken, {len(faults)} faults, {rate:.0f} files/s")
    return cases, taken, faults


def limit_memory():
    """No file may make `load` allocate far beyond its size: the attempt would be a MemoryError."""
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--cases", type=int, default=100_000)
    arguments = parser.parse_args()
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as folder:
        if sys.platform == "linux":
            limit_memory()
        say = lambda text: print(text, flush=True)  # noqa: E731
        cases, taken, faults = run(arguments.first, arguments.cases, Path(folder), say)
    print(f"{cases} files tried, {taken} taken, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
