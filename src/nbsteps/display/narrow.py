"""Streams that cannot show every character: plain marks instead of the ones that a terminal's code page lacks."""

from __future__ import annotations

import codecs
from typing import Final, TextIO

from nbsteps.core.states import StepState
from nbsteps.display.standing import SIGNS, STALE

_HANDLER: Final = "nbsteps.narrow"
_PLAIN: Final = {
    SIGNS[StepState.PENDING]: ".",
    SIGNS[StepState.QUEUED]: ":",
    SIGNS[StepState.RUNNING]: ">",
    SIGNS[StepState.RETRYING]: "~",
    SIGNS[StepState.WAITING]: "?",
    SIGNS[StepState.SUCCEEDED]: "+",
    SIGNS[StepState.CACHED]: "o",
    SIGNS[StepState.SKIPPED]: "-",
    SIGNS[StepState.FAILED]: "x",
    SIGNS[StepState.UPSTREAM_FAILED]: "<",
    SIGNS[StepState.CANCELLED]: "#",
    SIGNS[StepState.CRASHED]: "!",
    SIGNS[STALE]: "*",
    "━": "=",
    "╌": "-",
    "µ": "u",
}
"""Each mark to one of ASCII, one column wide as it is, no two states alike."""


def show_anyhow(stream: TextIO) -> None:
    """Let a text stream write whatever it is given: what its encoding lacks as a plain mark, or escaped."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is None or (stream.encoding or "").lower().replace("-", "").startswith("utf"):
        return
    codecs.register_error(_HANDLER, _replaced)
    reconfigure(errors=_HANDLER)


def _replaced(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_PLAIN.get(c) or c.encode("ascii", "backslashreplace").decode() for c in lacking), error.end
