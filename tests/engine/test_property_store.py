"""The backbone over the real store: it is closed, killed, damaged, and shared with another process, and stays right."""

from __future__ import annotations

import errno
import os
import shutil
from unittest.mock import patch

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from nbsteps.config import Config
from nbsteps.core.states import StepState
from nbsteps.store.store import DuckStore
from tests.engine.test_property import STEPS, Pipeline, means, steps

NAMES = [f"s{step}" for step in range(STEPS)]
limits = st.sampled_from([0, 1000])
"""Bytes up to which a value is a row: numbers are files with the first, rows with the second."""


class StoredPipeline(Pipeline):
    """The same notebook over a folder."""

    def __init__(self):
        self.kills, self.heard = 0, []
        super().__init__()

    def _first_store(self):
        return self._open(0)

    def _open(self, limit):
        return DuckStore(self._home, config=Config(inline_limit=limit), warn=self.heard.append)

    @property
    def _home(self):
        return self.folder / f"{self.kills}"

    def _abandon(self):
        """Leave the store as a killed process does: nothing more is written, the system takes the locks."""
        self.store.ledger._journal.abandon()
        self.store.ledger.drop()

    def teardown(self):
        self._abandon()
        super().teardown()

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

    @rule(step=steps, killed=st.booleans(), limit=limits)
    def go_on_in_another_process(self, step, killed, limit):
        """All that was committed is there, however the process ended."""
        for _ in range(2):
            self.draft.constants[step] += 1
            self._save()
            self._check(self.session)
        parameters = self.session.parameters
        (self.kill if killed else self.restart)(limit)
        self._check_restored(self.session, parameters=parameters)

    def _hold(self):
        """Keep what the disk holds now, unless something is kept already: a kill at this moment leaves that."""
        held = self._home.with_name(f"{self.kills + 1}")
        if not held.exists():
            shutil.copytree(self._home, held)

    def _go_on(self, limit):
        """With what was kept, or what there is in the end."""
        self._hold()
        self._abandon()
        self.kills += 1
        self.store = self._open(limit)
        self._fresh()

    @rule(step=steps, limit=limits)
    def kill_while_a_step_runs(self, step, limit):
        evaluator, body = self.session.services.evaluator, self.session.services.evaluator.run_body

        def run_body(running, **options):
            if running.name == f"s{step}":
                self._hold()
            return body(running, **options)

        evaluator.run_body = run_body
        self.session.run()
        self._go_on(limit)

    @rule(at=st.integers(1, 60), means=means, limit=limits)
    def kill_at_a_write(self, at, means, limit):
        """Half of it is done."""
        left, write = [at], os.write

        def torn(descriptor, data):
            left[0] -= 1
            if left[0]:
                return write(descriptor, data)
            half = write(descriptor, data[: len(data) // 2])
            self._hold()
            return half + write(descriptor, data[half:])

        with patch.object(os, "write", torn):
            self.session.run(means=means)
        self._go_on(limit)

    @rule(at=st.integers(0, 20), means=means, limit=limits)
    def run_on_a_full_disk(self, at, means, limit):
        """What is computed after that many writes is not kept, and as good as any."""
        left, write = [at], os.write

        def filling(*arguments):
            left[0] -= 1
            if left[0] < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            return write(*arguments)

        with patch.object(os, "write", filling):
            self._check(self.session, means=means)
        self.restart(limit)

    @rule(number=st.integers(0, 10), at=st.integers(0, 300))
    def damage(self, number, at):
        """A bit of a file turns between two processes; the last of a byte leaves a digit one."""
        self.session.run()
        files = sorted(path for path in (self._home / "objects").rglob("*") if path.is_file())
        if not files:
            return
        path = files[number % len(files)]
        data = bytearray(path.read_bytes())
        data[at % len(data)] ^= 1
        path.chmod(0o644)
        path.write_bytes(data)
        self.restart(0)
        self._check(self.session)

    @rule(limit=limits)
    def run_in_another_process(self, limit):
        other = self._open(limit)
        self._check(self._begin(other))
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
    max_examples=15, stateful_step_count=8, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
