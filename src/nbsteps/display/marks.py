"""The marks of the states, as SVG in a square of 16. No two states share one; none needs its colour to be told."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from nbsteps.core.states import StepState
from nbsteps.display.standing import STALE

_LINE: Final = 'fill="none" stroke="{hue}" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round"'
_CUT: Final = 'fill="none" stroke="{knock}" stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round"'
_RING: Final = f'<circle cx="8" cy="8" r="6.25" {_LINE}/>'
_DISC: Final = '<circle cx="8" cy="8" r="7" fill="{hue}"/>'
_DASHED: Final = '<circle cx="8" cy="8" r="6.25" fill="none" stroke="{hue}" stroke-width="1.5"'


def _line(path: str) -> str:
    return f'<path d="{path}" {_LINE}/>'


def _cut(path: str) -> str:
    return f'<path d="{path}" {_CUT}/>'


def _dot(x: float, radius: float) -> str:
    return f'<circle cx="{x}" cy="8" r="{radius}" fill="{{hue}}"/>'


_MARKS: Final = MappingProxyType(
    {
        StepState.PENDING: f'{_DASHED} stroke-dasharray="2.4 2.51"/>',
        StepState.QUEUED: _RING + _dot(5, 1) + _dot(8, 1) + _dot(11, 1),
        StepState.RUNNING: '<circle cx="8" cy="8" r="6" fill="none" stroke="{hue}" stroke-opacity=".28" '
        'stroke-width="2"/><path d="M8 2a6 6 0 0 1 6 6" fill="none" stroke="{hue}" stroke-width="2" '
        'stroke-linecap="round"/>' + _dot(8, 2),
        StepState.RETRYING: _line("M13.6 9.4A5.9 5.9 0 1 1 12.4 4") + _line("M13.4 1.2v3.6H9.8") + _dot(8, 1.6),
        StepState.WAITING: '<rect x="2.7" y="2.7" width="10.6" height="10.6" rx="2" transform="rotate(45 8 8)" '
        'fill="{hue}"/>' + _cut("M6.4 5.8v4.4M9.6 5.8v4.4"),
        StepState.SUCCEEDED: _DISC + _cut("M4.8 8.3l2.2 2.2 4.3-4.8"),
        StepState.CACHED: _RING + _line("M5.1 8.3l2 2 3.9-4.4"),
        StepState.SKIPPED: _RING + _line("M5 5.6L7.4 8 5 10.4M8.6 5.6L11 8l-2.4 2.4"),
        StepState.FAILED: _DISC + _cut("M5.6 5.6l4.8 4.8M10.4 5.6l-4.8 4.8"),
        StepState.UPSTREAM_FAILED: _RING + _line("M11 8H5.2M7.4 5.6L5 8l2.4 2.4"),
        StepState.CANCELLED: _DISC + '<rect x="5.4" y="5.4" width="5.2" height="5.2" rx=".8" fill="{knock}"/>',
        StepState.CRASHED: '<path d="M8 1.2c.5 0 .9.3 1.2.7l5.6 10.2c.5 1-.2 2.1-1.2 2.1H2.4c-1 0-1.7-1.1-1.2-2.1L6.8 '
        '1.9c.3-.4.7-.7 1.2-.7z" fill="{hue}"/>' + _cut("M8 5.6v3.6M8 11.6v.05"),
        STALE: f'{_DASHED} stroke-dasharray="4.5 2.05" stroke-dashoffset="1"/>'
        '<path d="M5.2 6.7h5.6M5.2 9.3h5.6M9.4 4.9l-2.8 6.2" fill="none" stroke="{hue}" stroke-width="1.25" '
        'stroke-linecap="round" stroke-linejoin="round"/>',
    }
)


def mark(state: str, hue: str, knock: str) -> str:
    """The mark of a state; ``hue`` is its colour, ``knock`` that of the ground, for what is cut out."""
    return _MARKS.get(state, _MARKS[StepState.PENDING]).format(hue=hue, knock=knock)
