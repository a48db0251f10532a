"""Whatever several processes do to a store, it answers with a snapshot as it answers without."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from nbsteps.core.events import Cleared
from nbsteps.store import merge, reading, snapshot_rows
from nbsteps.store.snapshot import SnapshotFile
from nbsteps.store.store import DuckStore
from tests.store.asking import STEPS, answers
from tests.store.script import NOTEBOOK, Script

which = st.integers(0, 1)
steps = st.sampled_from(STEPS)


class Dies(BaseException):
    """Stands for a kill: nothing that follows in the process is done."""


class Shared(RuleBasedStateMachine):
    """Two processes that stay, others that come and go, and a folder."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="nbsteps-snapshot-"))
        self.home = self.folder / ".nbsteps"
        self.runs = 0
        self.patches: list[Any] = []
        self.stores = [DuckStore(self.home), DuckStore(self.home)]
        self.kept = b""

    @initialize(most=st.sampled_from([1, 3, 5000]), whole=st.sampled_from([2, 20_000]))
    def sizes(self, most: int, whole: int) -> None:
        """Small and large stores are read in different ways."""
        self.patches = [
            mock.patch.multiple(snapshot_rows, STEPS=most, ITEMS=most),
            mock.patch.object(reading, "WHOLE", whole),
        ]
        for patch in self.patches:
            patch.start()

    def teardown(self) -> None:
        try:
            self.compare()
        finally:
            for store in self.stores:
                self._abandon(store)
            for patch in self.patches:
                patch.stop()
            shutil.rmtree(self.folder)

    @staticmethod
    def _abandon(store: DuckStore) -> None:
        store.ledger._journal.abandon()
        store.ledger._heartbeat.close()
        store.ledger.drop()

    def _script(self, number: int) -> Script:
        self.runs += 1
        script = Script(self.stores[number], f"r{self.runs}")
        script.now = 10_000.0 * self.runs
        return script

    def _anew(self, number: int) -> None:
        self.stores[number] = DuckStore(self.home)

    @rule(number=which, step=steps, value=st.integers(0, 2))
    def succeed(self, number: int, step: str, value: int) -> None:
        self._script(number).succeed(step, f"value {value}")

    @rule(number=which, values=st.lists(st.integers(0, 5), min_size=1, max_size=3))
    def map(self, number: int, values: list[int]) -> None:
        self._script(number).map("m", values)

    @rule(number=which, step=steps)
    def restore(self, number: int, step: str) -> None:
        script = self._script(number)
        if self.stores[number].find(f"k-{step}"):
            script.restore(step)
        script.end()

    @rule(number=which, step=steps)
    def fail(self, number: int, step: str) -> None:
        self._script(number).fail(step)

    @rule(number=which, step=steps)
    def begin(self, number: int, step: str) -> None:
        self._script(number).begin(step)

    @rule(number=which, step=steps, decided=st.booleans())
    def ask(self, number: int, step: str, decided: bool) -> None:
        script = self._script(number)
        request = script.ask(step, f"q{self.runs}")
        if decided:
            script.decide(request)

    @rule(number=which, step=steps)
    def clear(self, number: int, step: str) -> None:
        self.stores[number].emit(Cleared(1.0, NOTEBOOK, step))

    @rule(number=which)
    def fold(self, number: int) -> None:
        self.stores[number].ledger.fold(timeout=5.0)

    @rule(number=which)
    def read_the_history(self, number: int) -> None:
        self.stores[number].history_records("runs")

    @rule(number=which)
    def look(self, number: int) -> None:
        answers(self.stores[number])

    @rule(number=which)
    def close(self, number: int) -> None:
        self.stores[number].close()
        self._anew(number)

    @rule(number=which)
    def kill(self, number: int) -> None:
        self._abandon(self.stores[number])
        self._anew(number)

    @rule(
        number=which,
        point=st.sampled_from(["file drop", "file publish", "merge _store", "merge _sweep", "merge _note"]),
        after=st.booleans(),
    )
    def kill_while_it_folds(self, number: int, point: str, after: bool) -> None:
        place, name = point.split()
        owner: Any = SnapshotFile if place == "file" else merge
        real = getattr(owner, name)

        def dying(*args: Any, **options: Any) -> None:
            if after:
                real(*args, **options)
            raise Dies

        with mock.patch.object(owner, name, dying), suppress(Dies):
            self.stores[number].ledger.fold(timeout=5.0, retiring=True)
        self.kill(number)

    @rule()
    def an_outsider_clears(self) -> None:
        path = self.home / "store.duckdb"
        if path.exists():
            with duckdb.connect(str(path)) as connection, suppress(duckdb.CatalogException):
                connection.execute("INSERT INTO log.cleared SELECT 0, id FROM log.results ORDER BY seq LIMIT 1")

    @rule()
    def keep_the_snapshot(self) -> None:
        path = self.home / "store.snapshot"
        self.kept = path.read_bytes() if path.exists() else b""

    @rule()
    def restore_the_snapshot(self) -> None:
        """Somebody puts an old one back."""
        if self.kept:
            (self.home / "store.snapshot").write_bytes(self.kept)

    @rule()
    def compare(self) -> None:
        store = DuckStore(self.home)
        found = answers(store)
        self._abandon(store)
        with mock.patch.object(SnapshotFile, "read", return_value=None):
            plain = DuckStore(self.home)
            assert found == answers(plain)
            self._abandon(plain)


TestShared = Shared.TestCase
TestShared.settings = settings(
    max_examples=25, stateful_step_count=14, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
