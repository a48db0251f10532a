"""The panel's list of attempts at a map's items, on a page without a kernel."""

from __future__ import annotations

import json
from functools import partial

import pytest

from nbsteps.core.decide import Action, Decision
from nbsteps.core.graph import build
from nbsteps.display.details import Known, detail
from tests.browser.bare import cells, draw

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

PAYLOAD = "<img src=x onerror='window.hacked=1'><script>window.hacked=1</script>"
SHOWN = 200
START = "2026-01-01T10:00:00+00:00"


@pytest.fixture
def show(page):
    return partial(draw, page)


def tried(position, state="succeeded", label=""):
    which = {"item": f"{position:032x}", "position": position, "label": label or f"'{position}.csv'"}
    times = {"started_at": START, "ended_at": START, "duration": 0.1, "delay": 0.0}
    error = {"error_type": "ValueError", "error_message": PAYLOAD} if state == "failed" else {}
    return {"run_id": "r1", "attempt": 1, "state": state, **which, **times, **error}


def answer(page, step, attempts, number):
    """What the kernel answers when the panel asks for the step."""
    known = Known(step, Decision(Action.RUN), attempts=attempts, tried=number, steps=[{"state": "failed"}])
    page.wait_for_function("() => window.sent.some(message => message.do === 'detail')")
    sent = page.evaluate("() => window.sent.filter(message => message.do === 'detail').pop()")
    message = {"kind": "reply", "view": sent["view"], "request": sent["request"], "data": detail(known)}
    page.evaluate("message => window.tell(message)", json.loads(json.dumps(message)))


def test_attempts_at_items_say_which_ones_and_how_many_are_left_out(page, show):
    found = cells(2, 1)
    show(found)
    page.locator(".nbs [data-step=step_0]").first.click()
    rows = [tried(37, "failed", repr(PAYLOAD)), *(tried(n) for n in range(100, 99 + SHOWN))]
    answer(page, build(found).steps["step_0"], rows, 1001)
    page.get_by_role("tab", name="Attempts").click()
    cells_shown = page.locator(".nbs tbody tr td:nth-child(2)")
    assert cells_shown.count() == SHOWN
    assert cells_shown.first.inner_text() == f"37 ({PAYLOAD!r})"
    assert cells_shown.nth(1).inner_text() == "100 ('100.csv')"
    assert page.get_by_text("801 more attempts are not shown").is_visible()
    assert page.get_by_text("1,001 attempts").is_visible()
    made = page.evaluate("() => document.querySelectorAll('.nbs script, .nbs img').length")
    assert (page.evaluate("() => window.hacked"), made) == (None, 0)
