"""When a step runs: trigger rules, branches and catches, as pure functions of how other steps ended.

Every ruling but ``WAIT`` is final: however the steps that are still open may end, it would be the same. So the order in
which steps happen to end decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from enum import Enum, auto
from types import MappingProxyType
from typing import Final, NamedTuple

from nbsteps.core.conditions import read_condition
from nbsteps.core.graph import Graph
from nbsteps.core.policies import Trigger
from nbsteps.core.states import GOOD, TERMINAL, RunState, StepState

States = Mapping[str, StepState]
"""Step to its state in this run; a step that is absent is taken as pending."""

_S = StepState
FAILURES: Final = frozenset({_S.FAILED, _S.CRASHED, _S.CANCELLED})
"""States of a step that was to run and did not make its outputs."""
_BROKEN: Final = frozenset({_S.FAILED, _S.CRASHED})


class Ruling(Enum):
    """What a rule says of a step."""

    RUN = auto()
    WAIT = auto()
    SKIP = auto()
    UPSTREAM_FAILED = auto()


class _Counts(NamedTuple):
    success: int
    skipped: int
    failed: int
    upstream_failed: int
    open: int

    @property
    def bad(self) -> int:
        return self.failed + self.upstream_failed


_Line = tuple[Callable[[_Counts], object], Ruling]


def _open(found: _Counts) -> int:
    return found.open


def _success(found: _Counts) -> int:
    return found.success


def _bad(found: _Counts) -> int:
    return found.bad


def _skipped(found: _Counts) -> int:
    return found.skipped


def _any(found: _Counts) -> bool:
    return found is not None


def _executed(found: _Counts) -> int:
    """As Airflow has it, a step that never ran because of others is not done work."""
    return found.success + found.failed


_WAIT: Final[_Line] = (_open, Ruling.WAIT)
_ELSE_RUN: Final[_Line] = (_any, Ruling.RUN)
_ELSE_SKIP: Final[_Line] = (_any, Ruling.SKIP)
_FAIL: Final[_Line] = (_bad, Ruling.UPSTREAM_FAILED)

RULES: Final[Mapping[Trigger, tuple[_Line, ...]]] = MappingProxyType(
    {
        Trigger.ALL_SUCCESS: (_FAIL, _WAIT, (_skipped, Ruling.SKIP), _ELSE_RUN),
        Trigger.ALL_DONE: (_WAIT, _ELSE_RUN),
        Trigger.ALL_FAILED: ((lambda c: c.success + c.skipped, Ruling.SKIP), _WAIT, _ELSE_RUN),
        Trigger.ALL_SKIPPED: ((lambda c: c.success + c.bad, Ruling.SKIP), _WAIT, _ELSE_RUN),
        Trigger.ONE_SUCCESS: ((_success, Ruling.RUN), _WAIT, _FAIL, _ELSE_SKIP),
        Trigger.ONE_FAILED: ((_bad, Ruling.RUN), _WAIT, _ELSE_SKIP),
        Trigger.ONE_DONE: ((_executed, Ruling.RUN), _WAIT, _ELSE_SKIP),
        Trigger.NONE_FAILED: (_FAIL, _WAIT, _ELSE_RUN),
        Trigger.NONE_FAILED_MIN_ONE_SUCCESS: (_FAIL, _WAIT, (_success, Ruling.RUN), _ELSE_SKIP),
        Trigger.NONE_SKIPPED: ((_skipped, Ruling.SKIP), _WAIT, _ELSE_RUN),
        Trigger.ALWAYS: (_ELSE_RUN,),
    }
)
"""Each rule as lines of condition and ruling: the first line whose condition holds decides."""


def verdict(rule: Trigger, parents: Sequence[StepState]) -> Ruling:
    """What a trigger rule says given the states of the direct parents; without parents every rule says run.

    The table is Airflow's, with one difference: under ``all_success`` a skipped parent decides only once no other one
    can fail any more.
    """
    if not parents:
        return Ruling.RUN
    counts = _Counts(
        success=sum(state in GOOD for state in parents),
        skipped=sum(state is _S.SKIPPED for state in parents),
        failed=sum(state in FAILURES for state in parents),
        upstream_failed=sum(state is _S.UPSTREAM_FAILED for state in parents),
        open=sum(state not in TERMINAL for state in parents),
    )
    return next(ruling for holds, ruling in RULES[rule] if holds(counts))


def ruling(graph: Graph, step: str, states: States, chosen: Collection[str] = ()) -> Ruling:
    """Whether a step is to run, before its own ``--when`` is evaluated: branch, then catch, then trigger rule.

    It waits until all steps whose end its condition asks for have ended.

    Args:
        graph: the notebook.
        step: name of the step.
        states: how the other steps stand.
        chosen: members of branch groups whose condition was true in this run, however they ended: also one that
            raised ``Skip`` or was rejected was the one to run.
    """
    found = branch(graph, step, states, chosen)
    if found is Ruling.RUN:
        found = catch(graph, step, states)
    if found is Ruling.RUN:
        found = verdict(graph.steps[step].options.trigger, parent_states(graph, step, states))
    return Ruling.WAIT if found is Ruling.RUN and not _answered(graph, step, states) else found


def why(graph: Graph, step: str, states: States, chosen: Collection[str] = ()) -> str:
    """What decided, in words, for a ruling that keeps a step from running."""
    found = branch(graph, step, states, chosen)
    options = graph.steps[step].options
    if found is not Ruling.RUN:
        members = graph.groups[options.branch]
        above = members[: members.index(step)]
        if found is Ruling.UPSTREAM_FAILED:
            return _said(next(name for name in above if states.get(name) is _S.UPSTREAM_FAILED), states)
        taken = next(name for name in above if states.get(name, _S.PENDING) is not _S.SKIPPED or name in chosen)
        # Of one whose condition cannot be evaluated nobody knows whether it would have been the one.
        failed = states.get(taken) is _S.FAILED and taken not in chosen
        return f"step {taken} of branch {options.branch} {'failed' if failed else 'was taken'}"
    if catch(graph, step, states) is Ruling.SKIP:
        return f"step {options.catch} did not fail"
    bad = [name for name in graph.parents[step] if states.get(name) in FAILURES | {_S.UPSTREAM_FAILED}]
    if bad and verdict(options.trigger, parent_states(graph, step, states)) is Ruling.UPSTREAM_FAILED:
        return _said(bad[0], states)
    skipped = [name for name in graph.parents[step] if states.get(name) is _S.SKIPPED]
    if options.trigger is Trigger.ALL_SUCCESS and skipped:
        return _said(skipped[0], states)
    return f"trigger {options.trigger}: {', '.join(_said(name, states) for name in graph.parents[step])}"


def _said(name: str, states: States) -> str:
    return f"step {name} {states.get(name, _S.PENDING).replace('_', ' ')}"


def _answered(graph: Graph, step: str, states: States) -> bool:
    """Whether all steps whose end ``--when`` asks for have ended."""
    when = graph.steps[step].options.when
    return not when or all(states.get(name) in TERMINAL for name in read_condition(when).steps)


def branch(graph: Graph, step: str, states: States, chosen: Collection[str] = ()) -> Ruling:
    """What the group of a step says: ``RUN`` means that it is this step's turn to try its own condition."""
    group = graph.steps[step].options.branch
    if not group:
        return Ruling.RUN
    members = graph.groups[group]
    for member in members[: members.index(step)]:
        state = states.get(member, _S.PENDING)
        if state is _S.UPSTREAM_FAILED:
            return Ruling.UPSTREAM_FAILED
        if state is _S.PENDING:
            return Ruling.SKIP if member in chosen else Ruling.WAIT
        if state is not _S.SKIPPED or member in chosen:
            return Ruling.SKIP
    return Ruling.RUN


def catch(graph: Graph, step: str, states: States) -> Ruling:
    """What the step that is caught says: run only if it failed."""
    caught_step = graph.steps[step].options.catch
    if not caught_step:
        return Ruling.RUN
    state = states.get(caught_step, _S.PENDING)
    if state not in TERMINAL:
        return Ruling.WAIT
    return Ruling.RUN if state in _BROKEN else Ruling.SKIP


def parent_states(graph: Graph, step: str, states: States) -> tuple[StepState, ...]:
    """The states that the trigger rule looks at, members of a group that may make one input taken as one parent."""
    joins = graph.joins.get(step, ())
    together = frozenset(name for join in joins for name in join)
    alone = tuple(states.get(name, _S.PENDING) for name in graph.parents[step] if name not in together)
    return alone + tuple(_joined([states.get(name, _S.PENDING) for name in join]) for join in joins)


def _joined(states: Sequence[StepState]) -> StepState:
    """The one member of a group that ran stands for all."""
    ran = next((state for state in states if state in GOOD or state in FAILURES), None)
    if ran is not None:
        return ran
    still = next((state for state in states if state not in TERMINAL), None)
    if still is not None:
        return still
    return _S.UPSTREAM_FAILED if _S.UPSTREAM_FAILED in states else _S.SKIPPED


def chosen_producer(graph: Graph, step: str, variable: str, states: States) -> str:
    """Which step made an input in this run: the member of a group that ran, else the one that is named first."""
    candidates = graph.candidates(step, variable)
    return next((name for name in candidates if states.get(name) in GOOD), candidates[0])


def caught(graph: Graph, states: States) -> frozenset[str]:
    """Failed steps whose failure a ``--catch`` step handled by ending well."""
    return frozenset(
        caught_step
        for name, caught_step in graph.catches
        if states.get(name) in GOOD and states.get(caught_step) in _BROKEN
    )


def run_state(graph: Graph, states: States) -> RunState:
    """The state of a run whose steps stand like this.

    What a failure kept from running counts with that failure: handled with it. A failure outweighs a cancellation, as
    both outweigh waiting.
    """
    handled = caught(graph, states)
    found: Iterable[StepState] = {state for name, state in states.items() if name not in handled}
    if not _BROKEN.isdisjoint(found):
        return RunState.FAILED
    if _S.CANCELLED in found:
        return RunState.CANCELLED
    return RunState.WAITING if _S.WAITING in found else RunState.SUCCEEDED
