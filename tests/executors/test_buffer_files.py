"""Files of buffers: those of a dead process go, those of a living one stay."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nbsteps.executors import buffer_files

pytest.importorskip("fcntl")

WRITER = """
import os, sys
from nbsteps.executors import owned
descriptor, path = owned.create(sys.argv[1])
os.close(descriptor)
print(path, flush=True)
sys.stdin.read()
"""


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path, monkeypatch):
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        theirs = writer.stdout.readline().strip()
        other = tmp_path / "nbsteps-notes.txt"
        other.touch()
        monkeypatch.setattr(buffer_files, "_swept", set())
        buffer_files.sweep(str(tmp_path))
        assert Path(theirs).exists()
        writer.kill()
        writer.wait()
        buffer_files.sweep(str(tmp_path))
        assert Path(theirs).exists()  # looked at once a process
        monkeypatch.setattr(buffer_files, "_swept", set())
        buffer_files.sweep(str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == [other.name]


def test_a_lock_goes_with_its_file(tmp_path):
    descriptor, path = buffer_files.create(str(tmp_path))
    os.close(descriptor)
    before = len(buffer_files._locks)
    Path(path).unlink()
    buffer_files.let_go()
    assert len(buffer_files._locks) == before - 1
