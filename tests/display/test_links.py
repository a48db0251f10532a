"""Edges and the conditions beside them."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from nbsteps.core.graph import build
from nbsteps.core.model import Cell
from nbsteps.display.layout import Metrics, lay_out
from nbsteps.display.links import LABEL_HIGH, before, conditions, labels, links, rooms
from nbsteps.display.mermaid import graph_mermaid
from nbsteps.display.page import graph_html
from nbsteps.display.svg import graph_svg, legend
from nbsteps.display.view import as_json, from_json, graph_model

LOAD = "%%step load\nn = 1"
BIG = '%%step big --branch size --when "n > 5"\nkept = n'
SMALL = "%%step small --branch size --when else\nkept = -n"
USE = "%%step use\nshown = kept"
RESCUE = "%%step rescue --catch load\nsaved = 0"
REPORT = "%%step report --when \"failed('load')\" --trigger always\nsent = 1"
LATER = "%%step later --after load\nz = 1"


def graph(*sources):
    return build([Cell(f"cell {at}", source) for at, source in enumerate(sources, 1)])


def placed(*sources):
    found = graph(*sources)
    return labels(found, lay_out(before(found), Metrics(), rooms(found)))


@pytest.mark.parametrize(
    ("sources", "expect"),
    [
        ((LOAD, "%%step b\ny = n"), [("load", "b", "data", ("n",))]),
        ((LOAD, LATER), [("load", "later", "order", ())]),
        ((LOAD, RESCUE), [("load", "rescue", "watch", ())]),
        ((LOAD, REPORT), [("load", "report", "watch", ())]),
        ((LOAD, BIG, SMALL), [("load", "big", "data", ("n",)), ("load", "small", "data", ("n",))]),
    ],
)
def test_an_edge_says_what_it_stands_for(sources, expect):
    found = links(graph(*sources))
    assert [(each.source, each.target, str(each.kind), each.variables) for each in found] == expect


def test_both_members_of_a_branch_lead_to_who_uses_what_they_make():
    assert before(graph(LOAD, BIG, SMALL, USE))["use"] == ("big", "small")


def test_conditions_in_words():
    found = conditions(graph(LOAD, BIG, SMALL, RESCUE, REPORT, LATER))
    assert found == {"big": "n > 5", "small": "else", "rescue": "on failure", "report": "failed('load')"}


def test_conditions_stand_between_their_step_and_what_leads_to_it():
    found = placed(LOAD, BIG, SMALL, USE, RESCUE)
    layout = lay_out(
        before(graph(LOAD, BIG, SMALL, USE, RESCUE)), Metrics(), rooms(graph(LOAD, BIG, SMALL, USE, RESCUE))
    )
    for label in found:
        left = layout.boxes["load"][0] + Metrics().width
        assert left < label.x - label.width / 2
        assert label.x + label.width / 2 < layout.boxes[label.step][0]


def test_no_condition_stands_on_another():
    members = [f'%%step m{at} --branch b --when "n == {at}"\nkept = n' for at in range(6)]
    found = placed(LOAD, *members)
    assert len(found) == 6
    for at, one in enumerate(found):
        for other in found[at + 1 :]:
            apart = abs(one.x - other.x) >= (one.width + other.width) / 2
            assert apart or abs(one.y - other.y) >= LABEL_HIGH


def test_a_condition_of_a_step_that_nothing_leads_to_stands_above_it():
    found = graph('%%step alone --when "1 > 0"\nx = 1')
    layout = lay_out(before(found), Metrics(), rooms(found))
    (label,) = labels(found, layout)
    assert label.y < layout.boxes["alone"][1]


def test_a_long_condition_is_shortened_and_told_whole():
    long = "n > 5 and n < 500 and n % 2 == 0 and n % 3 == 0"
    (label,) = placed(LOAD, f'%%step big --when "{long}"\nkept = n')
    assert (len(label.text) < 20, label.whole) == (True, long)


def test_pictures_tell_the_kinds_of_lines_and_the_conditions():
    model = from_json(as_json(graph_model(graph(LOAD, BIG, SMALL, USE, RESCUE), {})))
    svg = graph_svg(model)
    ET.fromstring(svg)  # noqa: S314 - our own picture
    assert ("n &gt; 5" in svg, "on failure" in svg, 'stroke-dasharray="5 4"' in svg) == (True, True, True)
    assert "looks at how it ended" in svg
    mermaid = graph_mermaid(model)
    assert '-.->|"on failure"|' in mermaid
    assert '-->|"n #62; 5#58; n"|' in mermaid
    page = graph_html(model)
    assert '<th scope="col">Runs if</th>' in page
    assert "<code>n &gt; 5</code>, one of size" in page
    assert "<code>load</code> (looks at how it ended)" in page


def test_a_picture_of_one_kind_of_lines_explains_none():
    model = graph_model(graph(LOAD, USE.replace("kept", "n")), {})
    assert legend(model) == ()
    assert "Runs if" not in graph_html(model)
