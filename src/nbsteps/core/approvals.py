"""The nouns of human approval: what is asked, and how it was decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nbsteps.core.policies import Field, OnExpire, OnReject
from nbsteps.core.states import ApprovalState


@dataclass(frozen=True, slots=True)
class Request:
    """What a person is asked before a step's body runs, with what was shown for it.

    Attributes:
        request_id: unique.
        key: digest of the code and inputs that were shown: the request is void when they change.
        message: the text of ``--approve``, values of inputs filled in.
        fields: the form.
        body: the step's text.
        inputs: pairs of variable and short text of its value.
        expires_at: seconds since the epoch; None for never.
    """

    request_id: str
    notebook: str
    run_id: str
    step: str
    key: str
    message: str
    requested_at: float
    fields: tuple[Field, ...] = ()
    body: str = ""
    inputs: tuple[tuple[str, str], ...] = ()
    expires_at: float | None = None
    on_expire: OnExpire = OnExpire.FAIL
    on_reject: OnReject = OnReject.SKIP
    approvers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a request was decided. ``values`` are JSON-able, by field; ``by`` is a login name or ``expiry``."""

    request_id: str
    state: ApprovalState
    at: float
    by: str = ""
    comment: str = ""
    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Approval:
    """A request and its decision, None while it waits."""

    request: Request
    verdict: Verdict | None = None
