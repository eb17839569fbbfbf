"""Memory that runs out at the k-th allocation, for every k (in the long run), through Python.

`tests/c/test_malloc.c` has the same for C. Each attempt is made by a child of its own, so that a
crash is an answer too. An allocation that fails must end in an error that says so, and change
nothing: neither parameters nor files. NumPy and the interpreter are held to nothing here: some of
their functions answer a failed allocation of their own with a SystemError (by its definition the
fault of C code that speaks to Python, which sigmax has none of) or a crash, and some libraries do
without an allocation that they would have liked. Which of them do so depends on NumPy's build and
on the processor that its kernels are chosen for, so these are counted, and nothing is expected of
the counts. What decides is the library that asked for the memory, by the name of its file: sigmax's
module may answer with an error that says so and with nothing else, and where no library but the
interpreter asked, which may have been for the package's own Python, silence is a fault too.
"""

import json
import platform
import shutil
import subprocess
from pathlib import Path

import processes
import pytest

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or shutil.which("cc") is None,
    reason="needs glibc and a C compiler",
)


@pytest.fixture(scope="module")
def failing_malloc(tmp_path_factory):
    """The environment of a process whose allocations can be made to fail."""
    library = tmp_path_factory.mktemp("malloc") / "failing_malloc.so"
    done = subprocess.run(
        ["cc", "-shared", "-fPIC", "-o", library, Path(__file__).with_name("failing_malloc.c")],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"cc: {done.stderr.strip()}")
    return {"LD_PRELOAD": str(library), "SIGMAX_NUM_THREADS": "2"}


def test_an_allocation_that_fails(failing_malloc, tmp_path, rounds, tried):
    step = rounds(9, 1)  # of k
    program = "stress/programs/every_allocation_fails.py"
    found = json.loads(processes.run(program, tmp_path, step, env=failing_malloc))
    assert len(found) == 13
    for action, counts in found.items():
        assert counts["failed"] > 0, action
        tried(f"allocations that failed: {action}", counts["failed"])
        for what in ("SystemError", "silence", "crash"):
            if counts[what]:
                tried(f"allocations that failed: {action}: {what} of NumPy or Python", counts[what])


def test_a_failed_allocation_leaks_nothing(failing_malloc, tmp_path):
    # Only those in which NumPy does not crash: they are made in one process.
    # What the interpreter says on stderr of files that it could not close is not held against it.
    program = "stress/programs/failed_allocations_leak.py"
    process = processes.start(program, tmp_path, env=failing_malloc)
    status, printed, errors = processes.finish(process)
    assert status == 0, errors
    counts = printed.split()
    assert len(counts) == 7 and all(int(n) > 0 for n in counts)
