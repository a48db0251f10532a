"""Names that share one object: two inputs, two outputs, an output and an input."""

# ruff: noqa: E501 - a row of the table is one probe, however long

from __future__ import annotations

from tests.conformance.probe import Probe, StepCell, step, work

PAIR = StepCell("pair", "a = [1]\nb = a", (), ("a", "b"))
PROBES = (
    Probe("aliases/two inputs, one changed through the other", "error", (PAIR, work("result = a + b", "a b")),
          again=(PAIR, work("a.append(2)\nresult = b[:]", "a b"))),
    Probe("aliases/inputs from two steps that share", "error", (step("a", "a = [1]"), step("b", "b = [a]", "a"), work("result = [a, b]", "a b")),
          again=(step("a", "a = [1]"), step("b", "b = [a]", "a"), work("b[0].append(2)\nresult = a[:]", "a b"))),
    Probe("aliases/output that is the input", "restore", (step("raw", "raw = [1]"), work("result = raw", "raw"))),
    Probe("aliases/output that holds the input", "restore", (step("raw", "raw = [1]"), work("result = {'kept': raw, 'n': 1}", "raw")), edits={}),
    Probe("aliases/output that is a view of the input", "rerun", ("import numpy as np", step("raw", "raw = np.zeros(4)"), step("view", "view = raw[1:]", "raw"), work("result = view.copy()", "view")), edits={"np.zeros(4)": "np.ones(4)"}),
    Probe("aliases/output changed by a later cell", "rerun", (step("raw", "raw = [1]"), step("kept", "kept = raw", "raw"), work("result = raw[:]", "raw")),
          live=True, again=("kept.append(2)", work("result = raw[:]", "raw")), note="kept is the very object that raw is"),
    Probe("aliases/outputs that share, one changed by a cell", "rerun", (PAIR, work("result = b[:]", "b")), live=True, again=("a.append(2)", work("result = b[:]", "b"))),
    Probe("aliases/two names of one constant", "rerun", ("A = [1]\nB = A", work("result = B[:]")), live=True, again=("A.append(2)", work("result = B[:]"))),
    Probe("aliases/later step changes what an earlier one made", "error", (step("raw", "raw = [1]"), step("kept", "kept = [raw]", "raw"), work("result = kept[0][:]", "kept")),
          again=(step("raw", "raw = [1]"), step("kept", "kept = [raw]", "raw"), work("kept[0].append(2)\nresult = 1", "kept"))),
    Probe("aliases/step that runs after one which kept its input", "rerun",
          (step("raw", "raw = [1]"), step("kept", "kept = {'r': raw}", "raw"), work("result = [raw[:], kept['r'][:]]", "raw kept")), edits={"[1]": "[2]"}),
    Probe("aliases/shared objects restored apart", "restore", (PAIR, work("result = [a, b]", "a b"))),
    Probe("aliases/a list that holds itself", "rerun", (step("raw", "raw = [1]\nraw.append(raw)"), work("result = [raw[0], raw[1][1][0]]", "raw")), edits={"[1]\n": "[2]\n"}),
    Probe("aliases/a list that holds itself, unchanged", "restore", (step("raw", "raw = [1]\nraw.append(raw)"), work("result = [raw[0], raw[1][1][0]]", "raw")), sampled=True),
)  # fmt: skip
