"""Several who ask or decide at the same time, over real stores: one request, one decision."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from nbsteps.core.errors import UsageError
from nbsteps.core.model import Cell, Part, PartKind, Step, StepOptions
from nbsteps.engine.approval import Approvals
from nbsteps.engine.deciding import Decisions
from nbsteps.engine.judge import Identity
from nbsteps.engine.services import Host, Services
from nbsteps.store.store import DuckStore
from nbsteps.testing import FakeEvaluator
from tests.store.script import NOTEBOOK, Script

Opened = Callable[..., DuckStore]
PATIENCE = 60.0


class Clock:
    """The machine's time."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def together(*calls: Callable[[], object]) -> list[object]:
    """Let all of them go at once; what each came to."""
    barrier, found = threading.Barrier(len(calls)), dict[int, object]()

    def go(number: int, call: Callable[[], object]) -> None:
        barrier.wait(PATIENCE)
        try:
            found[number] = call()
        except UsageError as error:
            found[number] = error

    threads = [threading.Thread(target=go, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    return [found[number] for number in range(len(calls))]


def test_one_decision_wins_and_the_other_hears_of_it(opened: Opened) -> None:
    asking, here, there = opened(), opened(), opened()
    script = Script(asking)
    ana = Decisions(here, Clock(), NOTEBOOK, "ana", here.emit)
    bob = Decisions(there, Clock(), NOTEBOOK, "bob", there.emit)
    for number in range(8):
        step = f"s{number}"
        script.ask(step, f"q{number}", expires_at=None, approvers=())
        found = together(
            lambda step=step: ana.approve(step, {"way": "a"}),  # type: ignore[misc]
            lambda step=step: bob.reject(step),  # type: ignore[misc]
        )
        (refused,) = [each for each in found if isinstance(each, UsageError)]
        (known,) = asking.approvals(NOTEBOOK, step)
        assert known.verdict is not None
        assert f"{known.verdict.state} by {known.verdict.by}" in str(refused)
        assert [store.approvals(NOTEBOOK, step) for store in (here, there)] == [(known,), (known,)]


def test_two_kernels_that_come_to_the_gate_at_once_ask_once(opened: Opened, tmp_path: Path) -> None:
    step = Step("pay", Cell("cell 1", ""), "", StepOptions(approve="Go on?"), (), (), frozenset())
    for number in range(8):
        identity = Identity("k", "s", (Part(PartKind.CODE, "body", f"{number:032x}"),), {}, ())
        gates = []
        for store in (opened(), opened()):
            Script(store, f"r{number}")
            host = Host("host", 1, "ana")
            gates.append(Approvals(Services(FakeEvaluator(), store, Clock(), host, notebook=NOTEBOOK, folder=tmp_path)))
        first, second = together(
            *[lambda gate=gate: gate.check(step, identity, f"r{number}", dict) for gate in gates]  # noqa: B023 - at once
        )
        assert first == second
    waiting = [each for each in opened().approvals(NOTEBOOK, "pay") if each.verdict is None]
    assert len(waiting) == 1
