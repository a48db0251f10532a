"""The view model, and the pictures made from it: SVG, Mermaid and the page."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbsteps.core.decide import Action, Decision
from nbsteps.core.graph import Graph, build
from nbsteps.core.model import Cell, Result, Step, StepOptions
from nbsteps.core.reasons import Reason, ReasonKind
from nbsteps.core.states import StepState
from nbsteps.display.marks import mark
from nbsteps.display.measure import breadth, fit
from nbsteps.display.mermaid import graph_mermaid
from nbsteps.display.page import graph_html
from nbsteps.display.palette import DARK, FAMILIES, LIGHT, NAMED, family, variables
from nbsteps.display.standing import STALE, WORDS
from nbsteps.display.svg import graph_svg, route
from nbsteps.display.view import GraphModel, NodeView, as_json, from_json, graph_model, node_views

SVG = "{http://www.w3.org/2000/svg}"
PAYLOAD = "</title></text><script>alert(1)</script><img src=x onerror=alert(1)>\"'`]|;%%{init}%% javascript:alert(1)"
EVIL = f"{PAYLOAD}\x00\x1b\ud800\u202e"
RESULT = Result("k", "s", "nb", "a", "r", {}, (), duration=18.0)
CELLS = (
    Cell("cell 1", "import math"),
    Cell("cell 2", "%%step load\nraw = 1"),
    Cell("cell 3", "%%step clean\nrows = raw + 1"),
    Cell("cell 4", "%%step plot --after load\nshown = rows"),
)


def notebook() -> Graph:
    return build(CELLS)


def model(views=None, title="flights.ipynb") -> GraphModel:
    return graph_model(notebook(), views or {}, title=title)


def named(*names: str) -> Graph:
    """A chain of steps of any names, outputs named alike: a graph that no notebook would give."""
    steps = {
        name: Step(name, Cell(name, ""), "", StepOptions(), names[at - 1 : at], (name,), frozenset())
        for at, name in enumerate(names)
    }
    parents = {name: names[at - 1 : at] if at else () for at, name in enumerate(names)}
    sources = {name: {parent: parent for parent in needed} for name, needed in parents.items()}
    return Graph(steps, parents, {}, sources)


def evil_model() -> GraphModel:
    views = {EVIL: NodeView(EVIL, EVIL, EVIL, EVIL), "b": NodeView(STALE, "Stale", "~18s", EVIL)}
    return graph_model(named(EVIL, "b"), views, title=EVIL)


@pytest.mark.parametrize(
    ("state", "action", "view"),
    [
        (StepState.SUCCEEDED, Action.RESTORE, ("cached", "Cached", "18s")),
        (StepState.PENDING, Action.RESTORE, ("cached", "Cached", "18s")),
        (StepState.FAILED, Action.RESTORE, ("cached", "Cached", "18s")),
        (StepState.SUCCEEDED, Action.RUN, ("stale", "Stale", "~18s")),
        (StepState.CACHED, Action.MAY_RUN, ("stale", "Stale", "~18s")),
        (StepState.PENDING, Action.RUN, ("pending", "Pending", "")),
        (StepState.FAILED, Action.RUN, ("failed", "Failed", "")),
        (StepState.CRASHED, Action.RUN, ("crashed", "Crashed", "")),
        (StepState.UPSTREAM_FAILED, Action.MAY_RUN, ("upstream_failed", "Upstream failed", "")),
        (StepState.SUCCEEDED, Action.SKIP, ("pending", "Blocked", "")),
        (StepState.PENDING, Action.SKIP, ("pending", "Blocked", "")),
        (StepState.RUNNING, Action.RUN, ("running", "Running", "")),
        (StepState.WAITING, Action.RESTORE, ("waiting", "Needs approval", "")),
    ],
)
def test_a_step_is_shown_as(state, action, view):
    reasons = () if action is Action.RESTORE else (Reason(ReasonKind.CODE),)
    shown = node_views([("a", state, Decision(action, reasons), RESULT)])["a"]
    assert (shown.state, shown.word, shown.number) == view
    assert shown.reasons == ("" if action is Action.RESTORE else "code changed")


def test_a_step_without_a_view_is_pending():
    assert {node.state for node in model().nodes} == {"pending"}


def test_the_model_has_each_step_and_what_each_edge_carries():
    found = model()
    assert [(node.name, node.cell) for node in found.nodes] == [
        ("load", "cell 2"),
        ("clean", "cell 3"),
        ("plot", "cell 4"),
    ]
    assert {(edge.source, edge.target): edge.variables for edge in found.edges} == {
        ("load", "clean"): ("raw",),
        ("clean", "plot"): ("rows",),
        ("load", "plot"): (),
    }


def test_the_model_survives_json():
    assert from_json(json.loads(json.dumps(as_json(model())))) == model()
    assert from_json(as_json(GraphModel())) == GraphModel()


def test_nodes_grow_with_names_while_there_is_room():
    short, long = model(), graph_model(named("load_the_flights_of_2013", "b"), {})
    assert short.nodes[0].width == 172
    assert long.nodes[0].width > 200
    many = graph_model(named(*(f"load_the_flights_of_2013_{at}" for at in range(9))), {})
    assert many.width < 1140


def everything() -> GraphModel:
    """A picture of every state there is."""
    names = [str(state) for state in WORDS]
    return graph_model(named(*names), {name: NodeView(name, WORDS[name], "42s", "why") for name in names})


@pytest.mark.parametrize("found", [model(), everything(), evil_model(), graph_model(Graph(), {})])
def test_a_picture_holds_nothing_but_shapes_and_text(found):
    root = ET.fromstring(graph_svg(found))  # noqa: S314 - our own text
    allowed = {f"{SVG}{tag}" for tag in ("svg", "g", "rect", "path", "circle", "text", "title", "desc")}
    assert {element.tag for element in root.iter()} <= allowed
    attributes = {name for element in root.iter() for name in element.attrib}
    assert not {name for name in attributes if name.startswith("on") or name in {"style", "href", "class", "id"}}
    assert root.get("role") == "img"
    assert root.get("aria-label") == root.findtext(f"{SVG}title")


def test_a_picture_says_each_name_word_and_number():
    root = ET.fromstring(graph_svg(everything()))  # noqa: S314 - our own text
    shown = [text.text for text in root.iter(f"{SVG}text")]
    assert {*map(str, WORDS), *WORDS.values(), "42s"} <= set(shown)
    assert "failed, Failed, 42s: why" in [title.text for title in root.iter(f"{SVG}title")]
    assert "1 failed" in (root.findtext(f"{SVG}desc") or "")


def test_a_picture_without_steps_says_so():
    root = ET.fromstring(graph_svg(graph_model(Graph(), {})))  # noqa: S314 - our own text
    assert [text.text for text in root.iter(f"{SVG}text")] == ["No steps yet"]


def test_a_picture_brings_its_own_ground():
    assert f'fill="{LIGHT.canvas}"' in graph_svg(model()).split("<g")[0]


def test_no_two_states_share_a_mark_and_none_is_unknown():
    marks = {state: mark(state, "H", "K") for state in WORDS}
    assert len(set(marks.values())) == len(marks)
    assert all("{" not in drawn for drawn in marks.values())
    assert mark("no such state", "H", "K") == marks[StepState.PENDING]


def test_a_number_without_room_gets_shorter_and_the_word_stays():
    node = replace(model().nodes[0], word="Needs approval", number="4m 12s", width=160)
    svg = graph_svg(replace(model(), nodes=(node,), edges=()))
    assert "Needs approval<" in svg
    assert ">4m<" in svg


def test_shared_lines_are_drawn_once():
    chain = {f"s{at}": NodeView() for at in range(4)}
    graph = named(*chain)
    parents = {**graph.parents, "s2": ("s1", "s0"), "s3": ("s2", "s0")}
    svg = graph_svg(graph_model(replace(graph, parents=parents), {}))
    starts = re.findall(r'<path d="(M[\d.]+ [\d.]+)[CL]', svg)
    assert len(starts) == 5


def test_a_way_turns_with_round_corners():
    assert route([(0, 0), (20, 0), (20, 30), (0, 30)]) == "M0 0L14 0Q20 0 20 6L20 24Q20 30 14 30L0 30"
    assert route([(0, 0), (40, 10)]) == "M0 0C20 0 20 10 40 10"
    assert route([(0, 0), (20, 0), (20, 30)], 1) == "M20 6L20 30"


@given(st.text(max_size=60), st.floats(20, 300))
def test_a_shortened_name_fits_and_keeps_both_ends(name, room):
    shown = fit(name, room, 13)
    assert breadth(shown, 13) <= room or shown == "…"


def test_a_name_loses_its_middle():
    shown = fit("load_the_flights_of_2013", 120, 13)
    assert shown.startswith("load_th")
    assert shown.endswith("of_2013")
    assert "…" in shown


def test_a_payload_is_text_in_the_page():
    html = graph_html(evil_model())
    tags, attributes = set[str](), set[str]()
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: (tags.add(tag), attributes.update(name for name, _ in attrs))
    parser.feed(html)
    assert not tags & {"script", "img", "iframe", "a", "foreignobject"}
    assert not {name for name in attributes if name.startswith("on") or name in {"href", "src", "style"}}
    assert not any(sign in html for sign in ("\x00", "\x1b", "\ud800", "\u202e"))
    html.encode("utf-8")


def test_a_payload_is_text_in_mermaid():
    chart = graph_mermaid(evil_model())
    assert "<script" not in chart
    assert "<img" not in chart
    labels = re.findall(r'"([^"]*)"', chart)
    assert len(labels) == chart.count('"') / 2
    for label in labels:
        assert not re.search(r"[<>`|{}\[\]]", label.replace("<br>", ""))
    assert all(re.match(r"^(flowchart LR|  [\w:]+.*)$", line) for line in chart.splitlines())


def test_mermaid_names_steps_edges_and_what_they_carry():
    views = {"clean": NodeView(STALE, "Stale", "~18s")}
    assert graph_mermaid(model(views)).splitlines() == [
        "flowchart LR",
        "  accTitle: flights.ipynb",
        '  s0["◌ load<br>Pending"]:::grey',
        '  s1["≠ clean<br>Stale ~18s"]:::amber',
        "  class s1 stale",
        '  s2["◌ plot<br>Pending"]:::grey',
        '  s0 -->|"raw"| s1',
        '  s1 -->|"rows"| s2',
        "  s0 --> s2",
        f"  classDef grey fill:{LIGHT.tint['grey']},stroke:{LIGHT.hue['grey']},color:{LIGHT.ink['grey']}",
        f"  classDef amber fill:{LIGHT.tint['amber']},stroke:{LIGHT.hue['amber']},color:{LIGHT.ink['amber']}",
        "  classDef stale stroke-dasharray:3 2",
    ]
    assert "No steps yet" in graph_mermaid(GraphModel())


def test_the_page_says_in_a_table_what_the_picture_shows():
    html = graph_html(model({"clean": NodeView(STALE, "Stale", "~18s", "code changed")}))
    row = html[html.index('<th scope="row"><code>clean</code>') :].split("</tr>")[0]
    cells = re.sub(r"<svg.*?</svg>", "", row)
    for said in ("Stale", "~18s", "code changed", "<code>load</code> (raw)", "<code>rows</code>", "cell 3"):
        assert said in cells
    assert graph_html(GraphModel()).count("No steps yet") >= 2


def test_the_page_loads_nothing_and_knows_both_themes():
    html = graph_html(model())
    addresses = set(re.findall(r"https?://[^\s\"'<]+", html))
    assert addresses == {"http://www.w3.org/2000/svg"}
    assert "default-src 'none'" in html
    assert "prefers-color-scheme:dark" in html
    used = set(re.findall(r"var\((--nbs-[\w-]+)\)", html))
    assert used <= variables(LIGHT).keys() == variables(DARK).keys()


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(share * c for share, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_colours_can_be_told_from_their_ground(palette):
    for name in FAMILIES:
        for ground in (palette.surface, palette.tint[name]):
            assert contrast(palette.ink[name], ground) >= 4.5
            assert contrast(palette.soft, ground) >= 4.5
            assert contrast(palette.strong, ground) >= 4.5
            assert contrast(palette.hue[name], ground) >= 2.9
    assert contrast(palette.edge, palette.canvas) >= 3


def test_every_state_has_a_family_of_colours():
    assert {family(state) for state in WORDS} == set(FAMILIES)
    assert NAMED.hue["red"] == "var(--nbs-hue-red)"
