"""What child processes read, what Python scripts import, and names that code puts together."""

import json
import multiprocessing
import os
import subprocess
import sys

import pytest

from nbsteps.identity import child_reads
from nbsteps.identity.files import observe_reads
from nbsteps.identity.scripts import sources_of
from nbsteps.identity.texts import named_in_texts


def read(path):
    return path.read_text()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_what_a_forked_process_reads_is_the_bodys(tmp_path):
    (tmp_path / "a.txt").write_text("1")
    with observe_reads() as seen:
        child = multiprocessing.get_context("fork").Process(target=read, args=(tmp_path / "a.txt",))
        child.start()
        child.join()
    assert [part.name for part in seen.parts(tmp_path)] == ["a.txt"]


LOKY = """
import json, sys
from pathlib import Path
from nbsteps.identity.files import observe_reads
from joblib import Parallel, delayed

folder = Path(sys.argv[1])
found = []
for name in ("a.txt", "b.txt"):
    with observe_reads() as seen:
        Parallel(n_jobs=2)(delayed(Path.read_text)(folder / name) for _ in range(2))
    found.append([part.name for part in seen.parts(folder) if part.name.endswith(".txt")])
print(json.dumps(found))
"""


def test_workers_that_stay_tell_each_body_of_its_own_reads(tmp_path):
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(name)
    done = subprocess.run([sys.executable, "-c", LOKY, tmp_path], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [["a.txt"], ["b.txt"]]


def test_lines_are_told_from_a_position_on():
    child_reads.path()
    start = child_reads.position()
    child_reads.tell("reads", "ä b\n")
    child_reads.tell("looks", "c")
    assert list(child_reads.since(start)) == [("reads", "ä b\n"), ("looks", "c")]
    assert list(child_reads.since(child_reads.position())) == []


@pytest.mark.parametrize(
    ("command", "expect"),
    [
        ("python tool.py", "a b"),
        ("/usr/bin/python3.12 -u tool.py data.csv", "a b"),
        ("python -m a", "a b"),
        ("python -c 'import b'", "b"),
        ("python -m pkg.inner", "b pkg/inner"),
        ("env X=1 python tool.py", "a b"),
        ("python gone.py", ""),
        ("python broken.py", ""),
        ("cat tool.py", ""),
    ],
)
def test_modules_of_a_script(command, expect, tmp_path):
    files = {"tool": "import a, json", "a": "from b import f", "b": "f = 1", "broken": "def"}
    for name, source in {**files, "pkg/inner": "import b", "pkg/__init__": ""}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.py").write_text(source)
    words = tuple(word.strip("'") for word in command.replace("'import b'", "import_b").split())
    words = tuple(word.replace("import_b", "import b") for word in words)
    found = {os.path.relpath(path, tmp_path).removesuffix(".py") for path in sources_of(words, str(tmp_path))}
    assert sorted(found - {"pkg/__init__"}) == expect.split()


@pytest.mark.parametrize(
    ("texts", "known", "expect"),
    [
        (["n + 1"], "n m", "n"),
        (["frame_"], "frame_a frame_b frames", "frame_a frame_b"),
        (["frame"], "frame1 frame22 frames", "frame1 frame22"),
        (["_total"], "a_total total", "a_total"),
        (["x + frame_"], "frame_a", "frame_a"),
        ([""], "a", ""),
        (["__"], "__a a__", ""),
    ],
)
def test_names_that_code_puts_together(texts, known, expect):
    assert sorted(named_in_texts({"eval"}, texts).among(known.split())) == expect.split()


def test_no_name_is_put_together_where_nothing_is_evaluated():
    assert named_in_texts({"print"}, ["frame_"]).among(["frame_a"]) == set()
