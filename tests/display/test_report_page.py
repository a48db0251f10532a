"""A run as one page of HTML."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from nbsteps.core.graph import build
from nbsteps.core.model import Cell
from nbsteps.display.report_page import RunStory, report_html

PAYLOAD = "</title></style></pre><script>alert(1)</script><img src=x onerror=alert(1)>\"'javascript:alert(1)\x1b\u202e"
ORIGIN = 1_795_000_000.0
RUN = {
    "run_id": "0123456789abcdef0001",
    "notebook": "flights.ipynb",
    "trigger": "cli",
    "state": "failed",
    "started_at": ORIGIN,
    "ended_at": ORIGIN + 60,
    "steps_total": 3,
    "steps_executed": 2,
    "steps_restored": 1,
    "host": "laptop",
    "user": "dana",
    "pid": 7,
    "parameters": {"month": "7"},
}
CELLS = (
    Cell("cell 1", "%%step load\nraw = 1"),
    Cell("cell 2", "%%step clean\nrows = raw + 1"),
    Cell("cell 3", "%%step plot\nshown = rows"),
)


def step(name, state, start=None, end=None, attempts=1, **more):
    at = {"started_at": None if start is None else ORIGIN + start, "ended_at": None if end is None else ORIGIN + end}
    return {"step": name, "state": state, "attempts": attempts, "reason": "", "reasons": [], **at, **more}


def attempt(name, start, end, state="succeeded", number=1, **more):
    times = {"started_at": ORIGIN + start, "ended_at": ORIGIN + end}
    return {"step": name, "attempt": number, "state": state, **times, **more}


STEPS = (
    step("load", "cached", 0, 0, 0, time_saved=30.0),
    step("clean", "failed", 1, 60, 2, reasons=["code changed"]),
    step("plot", "upstream_failed", None, 60, 0, reason="step clean failed"),
)
ERROR = {"error_type": "ValueError", "error_message": "month <13>", "traceback": "Cell In[3], line 2\nValueError: x"}
ATTEMPTS = (attempt("clean", 1, 20, "failed"), attempt("clean", 30, 60, "failed", 2, **ERROR))


class Page(HTMLParser):
    """Collects elements, attributes and visible text; complains about what is not closed."""

    VOID = frozenset({"meta", "br"})

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.words, self.open = [], [], [], []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def check(story, *expected, absent=()):
    page = Page(report_html(story))
    for words in expected:
        assert words in page.text
    for words in absent:
        assert words not in page.text
    return page


def test_the_page_tells_the_run():
    page = check(
        RunStory(RUN, STEPS, ATTEMPTS, graph=build(CELLS), made_by="nbsteps 9"),
        *("flights.ipynb, run 01234567", "Started", "by cli, finished after 1m 00s.", "2 of 3", "33% hit rate", "30s"),
        *("What failed", "clean: ValueError month <13>", "Traceback, 2 attempts", "Cell In[3], line 2"),
        *("Graph", "step clean failed", "code changed", "Critical path", "Parameters month 7", "Made by nbsteps 9."),
        absent=("Approvals", "Waited for approval"),
    )
    assert "svg" in page.tags


def test_without_its_notebook_the_page_has_no_graph():
    check(RunStory(RUN, STEPS, ATTEMPTS), "Steps", "clean", absent=("Graph",))


def test_a_graph_that_has_none_of_the_steps_any_more_is_not_shown():
    check(
        RunStory(RUN, STEPS, ATTEMPTS, graph=build((Cell("cell 1", "%%step other\nx = 1"),))), absent=("Graph", "other")
    )


def test_decisions_of_people_are_listed_with_their_values():
    events = (
        {"event": "StepWaiting", "step": "clean", "at": ORIGIN + 2},
        {"event": "ApprovalDecided", "step": "clean", "at": ORIGIN + 22},
    )
    asked = {
        "step": "clean",
        "message": "Publish?",
        "state": "approved",
        "decided_by": "dana",
        "comment": "fine",
        "values": {"limit": 0.5},
    }
    check(
        RunStory(RUN, STEPS, ATTEMPTS, events, (asked,)),
        *("Waited for approval 20s approved by dana", "clean Publish? Approved dana fine limit=0.5"),
    )


@pytest.mark.parametrize(("state", "ended", "words"), [("running", None, "30s so far"), ("succeeded", 9, "after 9.0s")])
def test_a_run_that_goes_on_says_so(state, ended, words):
    run = {**RUN, "state": state, "ended_at": None if ended is None else ORIGIN + ended, "parameters": {}}
    check(RunStory(run, now=ORIGIN + 30), words, "No step was reached.", absent=("What failed", "Parameters"))


def test_a_failure_without_an_attempt_says_its_reason():
    check(RunStory(RUN, (step("load", "crashed", reason="the kernel died"),)), "load: Crashed the kernel died")


def item(position, state, number=1, **more):
    which = {"item": f"{position}k", "position": position, "label": f"'{position}.csv'", "attempt": number}
    error = {"error_type": "ValueError", "error_message": f"bad {position}", "traceback": "Traceback"}
    return {**attempt("load", 0, 1, state, **which), **(error if state == "failed" else {}), **more}


def test_each_failed_item_is_named():
    tried = [item(5, "failed"), item(2, "failed"), item(2, "failed", 2), item(0, "failed"), item(0, "succeeded", 2)]
    said = "load item 2 ('2.csv'): ValueError bad 2 Traceback, 5 attempts Traceback item 5 ('5.csv'): ValueError bad 5"
    check(RunStory(RUN, (step("load", "failed"),), tried), said, absent=("item 0 (",))


def test_items_whose_failure_was_tolerated_are_named_too():
    done = step("load", "succeeded", 0, 1, items_total=9, items_failed=2)
    said = ("Step load: 2 items failed, tolerated.", "load item 2 ('2.csv'): ValueError bad 2", "failures tolerated")
    check(RunStory(RUN, (done,), [item(5, "failed"), item(2, "failed"), item(0, "succeeded")]), *said)
    restored = step("load", "cached", 0, 1, items_total=9, items_failed=1)
    check(RunStory(RUN, (restored,)), "load: 1 item failed, tolerated", absent=("Step load:",))


def test_many_failed_items_are_counted():
    tried = [item(n, "failed") for n in range(1000)]
    check(
        RunStory(RUN, (step("load", "failed"),), tried),
        *("item 20 ('20.csv')", "979 more items failed."),
        absent=("item 21 (",),
    )


def test_nothing_of_the_notebook_becomes_markup():
    fields = dict.fromkeys(("notebook", "trigger", "host", "user", "run_id"), PAYLOAD)
    run = {**RUN, **fields, "parameters": {PAYLOAD: PAYLOAD}}
    failed = {"error_type": PAYLOAD, "error_message": PAYLOAD, "traceback": PAYLOAD, "item": PAYLOAD, "label": PAYLOAD}
    story = RunStory(
        run,
        (step(PAYLOAD, "failed", 0, 1, reason=PAYLOAD, reasons=[PAYLOAD]),),
        tuple(attempt(PAYLOAD, 0, 1, "failed", **failed | {"item": f"{n}", "position": n}) for n in range(2)),
        (),
        ({"step": PAYLOAD, "message": PAYLOAD, "state": PAYLOAD, "decided_by": PAYLOAD, "values": {PAYLOAD: PAYLOAD}},),
    )
    page = Page(report_html(story))
    assert not {"script", "img", "iframe", "object", "link", "a", "form"} & set(page.tags)
    assert not [name for name, _value in page.attributes if name.startswith("on") or name in {"href", "src"}]
    assert "\x1b" not in page.text
    assert "\u202e" not in page.text


def test_the_page_asks_for_nothing_from_anywhere():
    page = report_html(RunStory(RUN, STEPS, ATTEMPTS, graph=build(CELLS)))
    assert "default-src 'none'" in page
    assert not re.findall(r"url\(|@import|https?://(?!www\.w3\.org/2000/svg)", page)
