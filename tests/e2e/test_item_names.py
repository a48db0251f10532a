"""A map of which items fail: every word about them says which ones they were."""

from __future__ import annotations

import json
from html import escape

from tests.e2e.building import step

PAYLOAD = "<script>alert(1)</script>"
FILES = ["2024-01.csv", "2024-02.csv", PAYLOAD, "2024-04.csv"]
CELLS = (
    step("files", f"files = {FILES!r}"),
    step(
        "sizes --map name=files --retries 1 --retry-delay 0s",
        "if name.startswith('<'):\n    raise ValueError('no such file')",
        "size = len(name)",
    ),
)
NAME = f"item 2 ({PAYLOAD!r})"
TOLD = f"1 of 4 items failed, --tolerate 0; {NAME}: no such file"


def test_a_failed_item_is_named_everywhere(nb):
    nb.write(*CELLS)
    done = nb.cli("run", nb.path.name)
    assert done.code == 1
    lines = [line.strip() for line in (done.out + done.err).splitlines() if line.strip().startswith("✗ sizes")]
    assert lines
    assert all(TOLD in line for line in lines)
    rows = json.loads(nb.cli("history", "attempts", "--json").out)
    failed = [(row["position"], row["label"], row["attempt"]) for row in rows if row["state"] == "failed"]
    assert sorted(failed) == [(2, repr(PAYLOAD), 1), (2, repr(PAYLOAD), 2)]
    assert {row["label"] for row in rows if row["item"]} == set(map(repr, FILES))
    assert f"2 ({PAYLOAD!r})" in nb.cli("history", "attempts").out
    events = json.loads(nb.cli("history", "events", "--json").out)
    (again,) = (row["data"] for row in events if row["event"] == "StepRetrying")
    assert (again["position"], again["label"]) == (2, repr(PAYLOAD))
    assert nb.cli("report", "-o", str(nb.outside / "report.html")).code == 0
    page = (nb.outside / "report.html").read_text(encoding="utf-8")
    assert escape(NAME) in page
    assert PAYLOAD not in page
