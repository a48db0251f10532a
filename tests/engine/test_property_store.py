"""The backbone over the real store: it is closed, killed, damaged, and shared with another process, and stays right."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from nbsteps.config import Config
from nbsteps.core.states import StepState
from nbsteps.store.store import DuckStore
from nbsteps.testing import make_session
from tests.engine.test_property import STEPS, Pipeline, steps

NAMES = [f"s{step}" for step in range(STEPS)]
limits = st.sampled_from([0, 1000])
"""Bytes up to which a value is a row: numbers are files with the first, rows with the second."""


class StoredPipeline(Pipeline):
    """The same notebook over a folder."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="nbsteps-property-"))
        self.kills = 0
        self.store = self._open(0)

    def _open(self, limit):
        return DuckStore(self._home, config=Config(inline_limit=limit))

    @property
    def _home(self):
        return self.folder / f"{self.kills}"

    def _abandon(self):
        """Leave the store as a killed process does: nothing more is written, the system takes the locks."""
        self.store.ledger._journal.abandon()
        self.store.ledger.drop()

    def teardown(self):
        self._abandon()
        shutil.rmtree(self.folder)

    @rule(limit=limits)
    def restart(self, limit):
        self.store.close()
        self.store = self._open(limit)
        self._fresh()

    @rule(limit=limits)
    def kill(self, limit):
        self._abandon()
        self.store = self._open(limit)
        self._fresh()

    @rule(step=steps, limit=limits)
    def kill_while_a_step_runs(self, step, limit):
        """Go on with what the disk held while the body of a step was executed, or at the end where it was restored."""
        evaluator, body = self.session.services.evaluator, self.session.services.evaluator.run_body
        held = self._home.with_name(f"{self.kills + 1}")

        def run_body(running, **options):
            if running.name == f"s{step}" and not held.exists():
                shutil.copytree(self._home, held)
            return body(running, **options)

        evaluator.run_body = run_body
        self.session.run()
        if not held.exists():
            shutil.copytree(self._home, held)
        self._abandon()
        self.kills += 1
        self.store = self._open(limit)
        self._fresh()

    @rule(number=st.integers(0, 10), at=st.integers(0, 300))
    def damage(self, number, at):
        files = sorted(path for path in (self._home / "objects").rglob("*") if path.is_file())
        if not files:
            return
        path = files[number % len(files)]
        data = bytearray(path.read_bytes())
        data[at % len(data)] ^= 0xFF
        path.chmod(0o644)
        path.write_bytes(data)

    @rule(limit=limits)
    def run_in_another_process(self, limit):
        other = self._open(limit)
        session = make_session(*self._sources(), store=other)
        result, _errors = session.run()
        assert self._values(session, result) == self._from_scratch(result)
        other.close()

    @invariant()
    def nothing_is_left_half_way(self):
        last = self.store.recall("test.ipynb", NAMES, []).last
        assert all(found.state not in {StepState.RUNNING, StepState.QUEUED} for found in last.values())

    @invariant()
    def the_store_goes_on_writing(self):
        assert not self.store.degraded


TestStoredPipeline = StoredPipeline.TestCase
TestStoredPipeline.settings = settings(
    max_examples=20, stateful_step_count=10, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
