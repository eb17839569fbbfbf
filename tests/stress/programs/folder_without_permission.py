"""Writing to a folder and a file that allow it to nobody. Argument: the folder, which is empty.

Root becomes another user first; prints "cannot" where that fails.
"""

import os
import sys
from pathlib import Path

import sigmax
from common import problem

folder = Path(sys.argv[1])
path, checkpoint = folder / "model.npz", folder / "run.checkpoint"
network = sigmax.Network([5, 4, 3], seed=1)
# what another user may not be able to read is imported before
network.fit(*problem(20, (5, 4, 3)), epochs=1, checkpoint=checkpoint)
checkpoint.unlink()
network.save(path)
content = path.read_bytes()
sigmax.Network.load(path)
folder.chmod(0o555)
path.chmod(0o444)
if os.geteuid() == 0:
    for parent in folder.parents:
        if not parent.stat().st_mode & 1:
            parent.chmod(parent.stat().st_mode | 0o111)
    try:
        os.setgroups([])
        os.setgid(54321)
        os.setuid(54321)
    except OSError:
        print("cannot")
        sys.exit()
X, y = problem(20, (5, 4, 3))
for act in (
    lambda: network.save(path),
    lambda: network.save(folder / "new.npz"),
    lambda: network.fit(X, y, epochs=1, checkpoint=checkpoint),
):
    before = network.parameters.tobytes()
    try:
        act()
    except PermissionError as error:
        assert str(folder) in str(error), error
    else:
        raise AssertionError("it was written")
    assert network.parameters.tobytes() == before
assert path.read_bytes() == content and os.listdir(folder) == ["model.npz"]
assert sigmax.Network.load(path).parameters.tobytes() == network.parameters.tobytes()
