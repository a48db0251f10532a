"""Workers whose answers come in any order: bodies run in this process, at once or when the loop waits for them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

from nbsteps.core.errors import CrashedError
from nbsteps.engine.session import Session
from nbsteps.identity.observed import observe_reads
from nbsteps.ports import Order, Outcome, Reply
from nbsteps.testing import FakeClock, FakeEvaluator


class HandLanes:
    """Workers for a session; ``order`` says which of the answers that are ready comes first.

    Args:
        session: gets these workers, and its clock waits for them.
        order: which answer comes next, counted from the oldest.
        dies: asked at every order, whether the worker that takes it dies.
    """

    def __init__(self, session: Session, order: int = 0, dies: Callable[[], object] = lambda: False) -> None:
        self.session, self.order, self.dies = session, order, dies
        self.flying: list[tuple[HandLane, Future[Any], Any]] = []
        self.lanes: list[HandLane] = []
        session.services.lanes = self
        clock = session.services.clock
        assert isinstance(clock, FakeClock)
        clock.wait = self.wait

    def open(self, _executor: object, workers: int) -> list[HandLane]:
        self.lanes += [HandLane(self) for _ in range(workers - len(self.lanes))]
        return self.lanes[:workers]

    def close(self) -> None:
        """Nothing to end."""

    def wait(self, _futures: object, seconds: float) -> None:
        if self.flying:
            _, future, answer = self.flying.pop(self.order % len(self.flying))
            (future.set_exception if isinstance(answer, BaseException) else future.set_result)(answer)
        else:
            self.session.services.clock.sleep(seconds)

    def answer(self, order: Order) -> Any:
        return CrashedError("died") if self.dies() else tuple(map(partial(self.reply, order), order.items))

    def reply(self, order: Order, item: Any) -> Reply:
        evaluator = self.session.services.evaluator
        assert isinstance(evaluator, FakeEvaluator)
        evaluator.executed.append(order.step.name)
        names = {**evaluator.offered, **order.shared, **item}
        with observe_reads(order.private) as seen:
            try:
                exec(order.step.body, names)  # noqa: S102 - executing a body is what a worker does
            except Exception as error:  # noqa: BLE001 - as a worker
                return Reply(Outcome(error=error))
        made = {name: names[name] for name in order.outputs if name in names}
        return Reply(Outcome(), made, observed=seen.parts(order.folder, order.root))


class HandLane:
    """One of them."""

    kind, kills, free, pid = "hands", True, True, 4711

    def __init__(self, lanes: HandLanes) -> None:
        self.lanes = lanes

    def coming(self) -> None:
        """It has started."""

    def pack(self, order: Order) -> Order:
        return order

    def submit(self, order: Order, _tell: object) -> Future[Any]:
        future: Future[Any] = Future()
        self.lanes.flying.append((self, future, self.lanes.answer(order)))
        return future

    def stop(self) -> None:
        self.lanes.flying = [each for each in self.lanes.flying if each[0] is not self]

    def release(self, token: str) -> None:
        """Nothing was kept."""
