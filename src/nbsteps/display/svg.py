"""The graph as a static picture: for GitHub, nbconvert, papermill, and wherever no script runs.

Only shapes, text and presentation attributes: no script, no style sheet, no link, no foreign content, so that every
sanitizer leaves it whole. The picture brings its own ground and can be read on a dark page, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape
from types import MappingProxyType
from typing import Final

from nbsteps.core.states import StepState
from nbsteps.display.layout import Point
from nbsteps.display.links import LABEL_HIGH, LABEL_SIZE, Label, LinkKind
from nbsteps.display.marks import mark
from nbsteps.display.measure import breadth, fit, held
from nbsteps.display.palette import LIGHT, Palette, family
from nbsteps.display.standing import STALE, WORDS
from nbsteps.display.view import NAME_SIZE, Edge, GraphModel, Node
from nbsteps.display.wording import count, one_line

EMPTY: Final = "No steps yet"

_FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, Inter, Helvetica, Arial, sans-serif"
_PERSON: Final = frozenset({StepState.WAITING, StepState.FAILED, StepState.CRASHED})
_BORDERED: Final = _PERSON | {StepState.RUNNING, StepState.RETRYING, STALE}
_QUIET: Final = frozenset({StepState.PENDING, StepState.SKIPPED, StepState.UPSTREAM_FAILED})
_ARROW: Final = 6.0
_BEND: Final = 6.0
_LOOP: Final = 60.0
_PADDING: Final = 10
_NOTES: Final = 20
_NARROWEST: Final = 340
LINES: Final = MappingProxyType(
    {LinkKind.DATA: "uses a value", LinkKind.ORDER: "comes after", LinkKind.WATCH: "looks at how it ended"}
)
"""Kind of a line to what it means."""
_TEXT_AT: Final = _PADDING + 16 + 8
_WORD_SIZE: Final = 11


def graph_svg(model: GraphModel, palette: Palette = LIGHT, *, kind: str = "") -> str:
    """Draw the graph; one without steps says so. ``kind`` becomes the picture's class."""
    if not model.nodes:
        empty = (
            f'<text x="120" y="40" text-anchor="middle" font-size="{NAME_SIZE}" fill="{palette.soft}">{EMPTY}</text>'
        )
        return "\n".join((*_head(EMPTY, "", (240, 72), palette, kind), empty, "</svg>"))
    title = f"Steps of {model.title}" if model.title else "Steps"
    notes = legend(model)
    extent = (max(model.width, _NARROWEST), model.height + (_NOTES if notes or model.caption else 0))
    head = _head(title, summary(model), extent, palette, kind)
    nodes = (_node(node, palette) for node in model.nodes)
    drawn = (*_edges(model, palette), *(_label(label, palette) for label in model.labels), *nodes)
    return "\n".join((*head, *drawn, *_legend(model, notes, palette), "</svg>"))


def clean(text: str) -> str:
    """Any text as one harmless line of XML."""
    return escape(one_line(text))


def number(value: float) -> str:
    """A coordinate, as short as it goes."""
    return f"{value:.1f}".removesuffix(".0")


def _head(title: str, summary: str, extent: Point, palette: Palette, kind: str) -> Iterator[str]:
    w, h = map(number, extent)
    named = f' class="{clean(kind)}"' if kind else ""
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" viewBox="0 0 {w} {h}" role="img"{named} '
        f'aria-label="{clean(title)}" font-family="{_FONT}">'
    )
    described = f"<desc>{clean(summary)}</desc>" if summary else ""
    yield f"<title>{clean(title)}</title>{described}"
    inner = f'width="{number(extent[0] - 1)}" height="{number(extent[1] - 1)}"'
    yield f'<rect x=".5" y=".5" {inner} rx="6" fill="{palette.canvas}" stroke="{palette.frame}"/>'


def summary(model: GraphModel) -> str:
    """How many steps there are, and how many in each state."""
    if not model.nodes:
        return EMPTY
    states = Counter(node.state for node in model.nodes)
    words = [f"{states[state]} {word.lower()}" for state, word in WORDS.items() if states[state]]
    return f"{count(len(model.nodes), 'step')}: {', '.join(words)}"


def legend(model: GraphModel) -> tuple[tuple[str, str], ...]:
    """The lines that need to be told apart, each with its words; none where all look alike."""
    if all(edge.kind != LinkKind.WATCH for edge in model.edges):
        return ()
    return (LinkKind.DATA, "needs it"), (LinkKind.WATCH, LINES[LinkKind.WATCH])


def _legend(model: GraphModel, notes: Sequence[tuple[str, str]], palette: Palette) -> Iterator[str]:
    x, y, soft = 20.0, model.height + 2, palette.soft
    if model.caption:
        yield f'<text x="{number(x)}" y="{number(y + 4)}" font-size="11" fill="{soft}">{clean(model.caption)}</text>'
        x += breadth(model.caption, LABEL_SIZE) + 24
    for kind, words in notes:
        line = f'<path d="M{number(x)} {number(y)}h24" stroke="{palette.edge}" stroke-width="1.25"{_dashes(kind)}/>'
        yield f'{line}<text x="{number(x + 32)}" y="{number(y + 4)}" font-size="11" fill="{soft}">{words}</text>'
        x += 32 + breadth(words, LABEL_SIZE) + 24


def _dashes(kind: str) -> str:
    return ' stroke-dasharray="5 4"' if kind == LinkKind.WATCH else ""


def _label(label: Label, palette: Palette) -> str:
    """A condition, on a ground of its own so that lines do not run through it."""
    x, width, high = number(label.x - label.width / 2), number(label.width), LABEL_HIGH
    ground = f'<rect x="{x}" y="{number(label.y - high / 2)}" width="{width}" height="{high}" fill="{palette.canvas}"/>'
    place = f'x="{number(label.x)}" y="{number(label.y + 4)}" text-anchor="middle"'
    shown = held(label.text, label.width - 4, LABEL_SIZE)
    return (
        f"<g><title>{clean(f'{label.step}: {label.whole}')}</title>{ground}"
        f'<text {place} font-size="{LABEL_SIZE}" fill="{palette.soft}"{shown}>{clean(label.text)}</text></g>'
    )


def _edges(model: GraphModel, palette: Palette) -> Iterator[str]:
    """Each edge without what an edge of the same step has drawn already: a line drawn twice looks heavier."""
    longest: dict[str, tuple[Point, ...]] = {}
    for edge in model.edges:
        if not edge.points:
            continue
        drawn = longest.get(edge.source, ())
        shared = next((at for at, (one, other) in enumerate(zip(edge.points, drawn, strict=False)) if one != other), 1)
        if len(edge.points) > len(drawn):
            longest[edge.source] = edge.points
        yield _edge(edge, shared - 1, palette)


def _edge(edge: Edge, start: int, palette: Palette) -> str:
    *way, (x, y) = edge.points
    tip = x - 1
    path = route([*way, (tip - _ARROW + 1, y)], start)
    said = ", ".join(edge.variables) or LINES[LinkKind(edge.kind)]
    carried = f"<title>{clean(said)}</title>"
    return (
        f'<g><path d="{path}" fill="none" stroke="{palette.edge}" stroke-width="1.25"{_dashes(edge.kind)}/>'
        f'<path d="M{number(tip)} {number(y)}l-6 -3.5v7z" fill="{palette.edge}"/>{carried}</g>'
    )


def route(points: Sequence[Point], start: int = 0) -> str:
    """An SVG path through the points from ``start`` on.

    Between two points it curves and is level at both; where a level line turns upright, or back, the corner is round.
    """
    first = points[start]
    if 0 < start < len(points) - 1 and _is_corner(points[start - 1], first, points[start + 1]):
        first = _towards(first, points[start + 1])
    parts = [f"M{_pair(first)}"]
    for index in range(start + 1, len(points)):
        following = points[index + 1] if index + 1 < len(points) else None
        parts.append(_segment(points[index - 1], points[index], following))
    return "".join(parts)


def _segment(here: Point, there: Point, following: Point | None) -> str:
    (x, y), (to_x, to_y) = here, there
    if x != to_x and y != to_y:
        reach = (to_x - x) / 2 if to_x > x else _LOOP
        return f"C{number(x + reach)} {number(y)} {number(to_x - reach)} {number(to_y)} {_pair(there)}"
    if following is None or not _is_corner(here, there, following):
        return f"L{_pair(there)}"
    return f"L{_pair(_towards(there, here))}Q{_pair(there)} {_pair(_towards(there, following))}"


def _is_corner(here: Point, there: Point, following: Point) -> bool:
    level = here[1] == there[1] and there[0] == following[0]
    upright = here[0] == there[0] and there[1] == following[1]
    return level != upright


def _towards(corner: Point, other: Point) -> Point:
    """The point where the rounding of a corner begins."""
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    length = max(abs(dx), abs(dy))
    share = min(_BEND, length / 2) / length if length else 0.0
    return corner[0] + dx * share, corner[1] + dy * share


def _pair(point: Point) -> str:
    return f"{number(point[0])} {number(point[1])}"


def _node(node: Node, palette: Palette) -> str:
    colours = family(node.state)
    hue, ink = palette.hue[colours], palette.ink[colours]
    ground = palette.tint[colours] if node.state in _PERSON else palette.surface
    border = hue if node.state in _BORDERED else palette.border
    dashes = ' stroke-dasharray="3 2"' if node.state == STALE else ""
    name = palette.soft if node.state in _QUIET else palette.strong
    middle = number(node.height / 2 - 8)
    box = f'width="{number(node.width)}" height="{number(node.height)}" rx="6"'
    return "".join(
        (
            f'<g transform="translate({number(node.x)} {number(node.y)})"><title>{clean(spoken(node))}</title>',
            f'<rect {box} fill="{ground}" stroke="{border}"{dashes}/>',
            f'<g transform="translate({_PADDING} {middle})">{mark(node.state, hue, ground)}</g>',
            # Whatever the reader's font is, nothing is drawn beside the node.
            f'<svg width="{number(node.width - 2)}" height="{number(node.height)}">',
            *_texts(node, name, ink, palette.soft),
            "</svg></g>",
        )
    )


def _texts(node: Node, name: str, ink: str, soft: str) -> Iterator[str]:
    room = node.width - _TEXT_AT - _PADDING
    upper, lower = number(node.height / 2 - 3), number(node.height / 2 + 13)
    shown = fit(node.name, room, NAME_SIZE)
    place = f'x="{_TEXT_AT}" y="{upper}"{held(shown, room, NAME_SIZE)}'
    yield f'<text {place} font-size="{NAME_SIZE}" font-weight="600" fill="{name}">{clean(shown)}</text>'
    said = next((said for said in (node.number, node.number.split(" ")[0]) if _has_room(node.word, said, room)), "")
    word, left = fit(node.word, room, _WORD_SIZE), room - (breadth(f" {said}", _WORD_SIZE) if said else 0)
    place = f'x="{_TEXT_AT}" y="{lower}"{held(word, left, _WORD_SIZE)}'
    yield f'<text {place} font-size="{_WORD_SIZE}" fill="{ink}">{clean(word)}</text>'
    if said:
        wide = held(said, breadth(said, _WORD_SIZE), _WORD_SIZE)
        place = f'x="{number(node.width - _PADDING)}" y="{lower}" text-anchor="end"{wide}'
        yield f'<text {place} font-size="{_WORD_SIZE}" fill="{soft}">{clean(said)}</text>'


def _has_room(word: str, said: str, room: float) -> bool:
    return breadth(f"{word} {said}", _WORD_SIZE) <= room


def spoken(node: Node) -> str:
    """A node in one line: name, state, number and reasons."""
    said = ", ".join(part for part in (node.name, node.word, node.number) if part)
    return f"{said}: {node.reasons}" if node.reasons else said
