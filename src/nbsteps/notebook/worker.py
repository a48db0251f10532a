"""The worker's side: bodies executed away from the kernel, in an IPython shell of the worker's own."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final

from nbsteps.engine.monitoring import telling
from nbsteps.identity.environment import observe_env
from nbsteps.identity.observed import observe_reads
from nbsteps.notebook.evaluator import ShellEvaluator
from nbsteps.notebook.host import this_host
from nbsteps.notebook.mutation import changed_name, digests_of
from nbsteps.ports import ItemTell, Order, Repeat, Reply

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_SITES: Final = frozenset({"site-packages", "dist-packages"})


def prepare() -> None:
    """Load what every order needs."""
    _evaluator()


def perform(order: Order, tell: ItemTell) -> tuple[Reply, ...]:
    """Execute an order's body once for each of its items."""
    evaluator = _evaluator()
    replies = list[Reply]()
    with _placed(order), evaluator.repeat_body(order.step, live=False) as run:
        for at, item in enumerate(order.items):
            with telling(partial(tell, at), time.monotonic):
                replies.append(_one(order, item, evaluator, run))
    return _checked(order, replies) if order.fixed else tuple(replies)


def _checked(order: Order, replies: Sequence[Reply]) -> tuple[Reply, ...]:
    """Say so if a body changed what all have in common: whose it was is not known, so none of them counts."""
    start = time.monotonic()
    changed = changed_name(order.shared, order.fixed)
    *others, last = replies
    found = (*others, replace(last, checked=time.monotonic() - start))
    return tuple(replace(reply, changed=changed) for reply in found) if changed else found


@lru_cache(maxsize=1)
def _evaluator() -> ShellEvaluator:
    from IPython.core.interactiveshell import InteractiveShell  # noqa: PLC0415 - a worker loads what it needs
    from traitlets.config import Config  # noqa: PLC0415 - the same

    # No history file: workers come and go, and nobody types here.
    config = Config({"HistoryManager": {"enabled": False}})
    shell: InteractiveShell = InteractiveShell.instance(config=config)
    return ShellEvaluator(shell)


@contextmanager
def _placed(order: Order) -> Iterator[None]:
    """Work where the kernel works: relative paths and the modules beside the notebook mean the same."""
    folder = os.fspath(order.folder)
    before = os.getcwd()  # noqa: PTH109 - a text
    if folder not in sys.path:
        sys.path.insert(_after_standard_library(sys.path), folder)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _after_standard_library(path: Sequence[str]) -> int:
    """Where a kernel has the notebook's folder: a file of the user's named statistics.py hides no standard module."""
    sites = (at for at, entry in enumerate(path) if os.path.basename(entry) in _SITES)  # noqa: PTH119 - a text
    return next(sites, 0)


def _one(order: Order, item: Mapping[str, object], evaluator: ShellEvaluator, run: Repeat) -> Reply:
    namespace = evaluator.namespace
    before = digests_of(item, order.watch)
    given = {**order.shared, **item}
    absent = [name for name in (*order.outputs, *order.step.scratch) if name not in given]
    for name in absent:
        namespace.pop(name, None)
    namespace.update(given)
    try:
        with observe_reads(order.private) as seen, observe_env() as asked:
            outcome = run(None)
        values = {name: namespace[name] for name in order.outputs if name in namespace}
    finally:
        for name in (*given, *absent):
            namespace.pop(name, None)
    changed = changed_name(item, before)
    observed = (*seen.parts(order.folder, order.root), *asked.parts())
    return Reply(
        outcome, {} if outcome.error is not None else values, observed, changed, peak_rss=this_host().peak_rss()
    )
