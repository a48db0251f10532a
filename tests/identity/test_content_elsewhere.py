"""For any value: a process with another hash seed that never saw it finds the same digest in what pickle brings it."""

import os
import pickle
import subprocess
import sys

import pytest
from hypothesis import given, settings

from nbsteps.identity.content import digest
from tests.identity.strategies import VALUES, some_arrays, some_frames

PROGRAM = """
import pickle, sys
from nbsteps.identity.content import digest

sys.stdout.write("ready\\n")
sys.stdout.flush()
while True:
    size = sys.stdin.buffer.read(8)
    if not size:
        break
    value = pickle.loads(sys.stdin.buffer.read(int.from_bytes(size, "big")))
    sys.stdout.write(digest(value) + "\\n")
    sys.stdout.flush()
"""


class Elsewhere:
    """One process for all examples."""

    def __init__(self):
        environment = os.environ | {"PYTHONHASHSEED": "4242"}
        command = [sys.executable, "-c", PROGRAM]
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        assert self._process.stdout.readline() == b"ready\n"

    def digest(self, value):
        data = pickle.dumps(value, protocol=5)
        rest = memoryview(len(data).to_bytes(8, "big") + data)
        while rest:
            rest = rest[self._process.stdin.write(rest) :]
        return self._process.stdout.readline().decode().strip()

    def close(self):
        self._process.stdin.close()
        assert self._process.wait(30) == 0
        self._process.stdout.close()


@pytest.fixture(scope="module")
def elsewhere():
    made = Elsewhere()
    yield made
    made.close()


@settings(deadline=None)
@given(value=VALUES)
def test_nested_values(elsewhere, value):
    assert elsewhere.digest(value) == digest(value)


@settings(deadline=None)
@given(value=some_arrays())
def test_arrays(elsewhere, value):
    assert elsewhere.digest(value) == digest(value)


@settings(deadline=None)
@given(value=some_frames())
def test_frames(elsewhere, value):
    assert elsewhere.digest(value) == digest(value)
