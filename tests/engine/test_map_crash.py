"""A kernel that is killed while items of a map run: what was committed stays, and a new kernel does the rest."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
from benchmarks.chain import make_session
from pathlib import Path

folder, deadly = Path(sys.argv[1]), int(sys.argv[2])
body = "import os\\nif a == deadly: os.kill(os.getpid(), 9)\\ny = a * 2"
cells = ["%%step make\\nxs = list(range(40))", f"%%step each --map a=xs --ignore deadly\\n{body}"]
session = make_session(folder, cells)
session.services.evaluator.names["deadly"] = deadly
result, errors = session.run()
assert not errors, errors
items = result.steps["each"].items
value = session.services.store.get(session.bindings.known("y").artifact)
session.services.store.close()
print(items.executed, items.restored, value == [2 * a for a in range(40)])
"""


def run(folder, deadly):
    command = [sys.executable, "-c", SCRIPT, str(folder), str(deadly)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)


def test_a_killed_map_goes_on_with_what_is_missing(tmp_path):
    folder = tmp_path / ".nbsteps"
    killed = run(folder, 30)
    assert killed.returncode in {-9, 9}, killed.stderr
    resumed = run(folder, -1)
    assert resumed.returncode == 0, resumed.stderr
    executed, restored, right = resumed.stdout.split()
    assert right == "True"
    # The first item is committed by itself, the killed one never.
    assert 1 <= int(restored) <= 30
    assert int(executed) + int(restored) == 40
