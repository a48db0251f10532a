"""Requests for approval as text: what is asked, what is shown for it, and the line that answers."""

from __future__ import annotations

import shlex
from typing import Final

from nbsteps.core.approvals import Approval, Request
from nbsteps.core.forms import show_field
from nbsteps.core.policies import Field
from nbsteps.core.states import StepState
from nbsteps.display.standing import SIGNS
from nbsteps.display.wording import moment, one_line, plain

_IN_A_KERNEL: Final = frozenset({"magic", "cell", "widget"})


def request_lines(request: Request, trigger: str) -> str:
    """A question with what it shows; ``trigger`` is that of the run that asks: it says where one answers."""
    first, *more = plain(request.message).split("\n")
    lines = [f"  {SIGNS[StepState.WAITING]} {plain(request.step)} needs approval: {first}"]
    lines += [f"    {line}" for line in more]
    lines += [f"    {plain(name)}: {one_line(text)}" for name, text in request.inputs]
    if request.fields:
        lines.append(f"    form: {plain(' '.join(map(show_field, request.fields)))}")
    if request.approvers:
        lines.append(f"    approvers: {plain(', '.join(request.approvers))}")
    if request.expires_at is not None:
        lines.append(f"    expires {moment(request.expires_at)}, then: {request.on_expire}")
    lines.append(f"    {plain(answer_line(request, trigger))}")
    return "\n".join(lines)


def answer_line(request: Request, trigger: str) -> str:
    """What to type to approve."""
    head = "%pipeline approve" if trigger in _IN_A_KERNEL else f"nbsteps approve {shlex.quote(request.notebook)}"
    return " ".join((head, request.step, *(f"{field.name}={_example(field)}" for field in request.fields)))


def _example(field: Field) -> str:
    return shlex.quote(field.default) if field.default is not None else "..."


def decision_line(approval: Approval) -> str:
    """What was decided, in a line."""
    request, verdict = approval.request, approval.verdict
    if verdict is None:
        return f"{plain(request.step)} waits for approval"
    values = ", ".join(f"{name}={value}" for name, value in verdict.values.items())
    words = [f"{verdict.state} {plain(request.step)}", f"by {plain(verdict.by)}" if verdict.by else ""]
    said = " ".join(word for word in words if word)
    return one_line(": ".join(part for part in (said, values, verdict.comment) if part))
