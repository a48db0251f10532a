"""The bars of a timeline as HTML: boxes placed by percentages, so that they are as wide as there is room."""

from __future__ import annotations

from typing import Final

from nbsteps.display.svg import clean
from nbsteps.display.timeline import BAR_WORDS, Bar, Lane, Timeline

_TALLEST: Final = 40.0
"""Pixels that the rows of a lane may take together."""
_ROW: Final = 10.0
_NARROW: Final = 6.0
_GAP: Final = 1.0

STYLE: Final = """\
.axis,.lane{position:relative;min-width:160px}
.axis{height:16px}
.axis span{position:absolute;top:0;transform:translateX(-50%);white-space:nowrap}
.axis span:first-child{transform:none}
.lane i,.key i{position:absolute;border-radius:2px;min-width:2px;background:var(--nbs-hue-green);
box-sizing:border-box}
.lane i.failed,.lane i.crashed,.key i.failed,.key i.crashed{background:var(--nbs-hue-red)}
.lane i.running,.key i.running{background:var(--nbs-hue-blue)}
.lane i.cancelled,.key i.cancelled{background:var(--nbs-hue-grey)}
.lane i.restored,.key i.restored{background:none;border:1.5px solid var(--nbs-hue-green);min-width:6px}
.lane i.retry,.key i.retry{background:none;border-top:2px dotted var(--nbs-hue-amber);border-radius:0;
transform:translateY(4px)}
.lane i.queued,.key i.queued{border:1px solid var(--nbs-hue-grey);
background:repeating-linear-gradient(135deg,var(--nbs-hue-grey) 0 1px,transparent 1px 5px)}
.lane i.approval,.key i.approval{border:1px solid var(--nbs-hue-purple);
background:repeating-linear-gradient(135deg,var(--nbs-hue-purple) 0 1.5px,transparent 1.5px 5px)}
.lane u{position:absolute;bottom:-4px;height:2px;min-width:2px;background:var(--nbs-strong)}
.lane s{position:absolute;top:-100px;bottom:-100px;width:1px;background:var(--nbs-frame)}
.key{display:flex;flex-wrap:wrap;gap:4px 16px;margin:8px 0 0;color:var(--nbs-soft);font-size:12px}
.key span{display:inline-flex;align-items:center;gap:6px}
.key b{position:relative;width:20px;height:10px}
.key b i{inset:0}
.key b u{position:absolute;left:0;right:0;top:4px;height:2px;background:var(--nbs-strong)}"""


def axis(timeline: Timeline) -> str:
    """The marks above the lanes."""
    marks = (f'<span style="left:{_part(tick.at, timeline)}">{tick.text}</span>' for tick in timeline.ticks)
    return f'<div class="axis">{"".join(marks)}</div>'


def lane(own: Lane, timeline: Timeline) -> str:
    """The bars of one step; below those on the critical path is a line."""
    rows = max(own.rows, 1)
    pitch = _ROW + _GAP if rows == 1 else min(_NARROW + _GAP, _TALLEST / rows)
    lines = "".join(f'<s style="left:{_part(tick.at, timeline)}"></s>' for tick in timeline.ticks)
    bars = "".join(_bar(bar, pitch, timeline) for bar in own.bars)
    path = _below(own, timeline) if own.critical and own.start is not None else ""
    return f'<div class="lane" style="height:{max(pitch * rows, _ROW):.1f}px">{lines}{bars}{path}</div>'


def key(timeline: Timeline) -> str:
    """What the bars mean, of those that there are."""
    kinds = [f'<span><b><i class="{kind}"></i></b>{BAR_WORDS[kind]}</span>' for kind in timeline.kinds]
    if timeline.critical:
        kinds.append("<span><b><u></u></b>Critical path</span>")
    return f'<div class="key">{"".join(kinds)}</div>' if kinds else ""


def _bar(bar: Bar, pitch: float, timeline: Timeline) -> str:
    place = f"left:{_part(bar.start, timeline)};width:{_part(bar.end - bar.start, timeline)}"
    box = f"top:{bar.row * pitch:.1f}px;height:{max(pitch - _GAP, 1):.1f}px"
    return f'<i class="{bar.kind}" style="{place};{box}" title="{clean(bar.text)}"></i>'


def _below(own: Lane, timeline: Timeline) -> str:
    start, end = own.start or 0.0, own.end or 0.0
    return f'<u style="left:{_part(start, timeline)};width:{_part(end - start, timeline)}"></u>'


def _part(seconds: float, timeline: Timeline) -> str:
    share = seconds / timeline.total if timeline.total else 0.0
    return f"{min(max(share, 0.0), 1.0):.3%}"
