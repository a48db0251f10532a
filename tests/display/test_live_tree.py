"""A run on a terminal: what the tree says, and what the terminal shows after each picture."""

from __future__ import annotations

import io
import re

import pytest

from nbsteps.core.states import StepState
from nbsteps.display.live_tree import LiveScreen, LiveTree, columns


def node(state, number="", reasons="", since=None, share=None):
    return {"state": str(state), "number": number, "reasons": reasons, "since": since, "share": share}


RUN = {"run_id": "r", "started": 100.0, "ended": None, "done": 1, "total": 3, "until": 190.0, "most": True}
NODES = {
    "load": node(StepState.SUCCEEDED, "1.0s"),
    "clean": node(StepState.RUNNING, "340/1000", since=110.0, share=0.34),
    "plot": node(StepState.PENDING),
}


def tree(nodes=None, run=RUN, depths=None):
    made = LiveTree("nb.ipynb", 90.0)
    made.take({"nodes": NODES if nodes is None else nodes, "run": run, "depths": depths or {}})
    return made


def check(made, *lines, width=80, height=24, now=120.0):
    assert made.lines(now, width, height) == list(lines)


def test_each_step_is_a_line_with_state_number_and_bar():
    check(
        tree(),
        "nb.ipynb  1/3 steps, 20s, up to 1 min left",
        "✓ load   succeeded  1.0s",
        "▸ clean  running  340/1000, 10s  ━━━━━━━╌╌╌╌╌╌╌╌╌╌╌╌╌ 34%",
        "◌ plot   pending",
    )


def test_steps_stand_further_right_below_what_they_need():
    check(
        tree({"a": node(StepState.PENDING), "b": node(StepState.PENDING)}, None, {"b": 1}),
        "nb.ipynb  starting, 30s",
        "◌ a    pending",
        "  ◌ b  pending",
    )


@pytest.mark.parametrize("width", [20, 33, 40, 80])
def test_no_line_is_wider_than_the_terminal_whatever_the_script(width):
    names = ("übergrößen_日本語の表", "e\u0301tape", "plain")
    made = tree({name: node(StepState.FAILED, "1.0s", reasons="ﾊﾝｶｸ 全角 " * 9) for name in names}, depths={"plain": 3})
    lines = made.lines(120.0, width, 24)
    assert max(map(columns, lines)) < width
    if width == 80:
        assert len({columns(line[: line.index("failed")]) for line in lines[1:]}) == 1


def test_before_the_kernel_answers_the_tree_says_so():
    check(LiveTree("nb.ipynb", 118.0), "nb.ipynb  starting, 2.0s")


def test_what_went_wrong_says_why_and_an_ended_run_has_nothing_left():
    made = tree({"a": node(StepState.FAILED, reasons="ValueError: x\nmore")}, {**RUN, "ended": 130.0, "done": 3})
    check(made, "nb.ipynb  3/3 steps, 30s", "✗ a  failed  ValueError: x ...")


def test_a_small_terminal_shows_what_goes_on_and_counts_the_rest():
    nodes = {f"s{number}": node(StepState.CACHED) for number in range(50)}
    nodes |= {"now": node(StepState.RUNNING), "bad": node(StepState.FAILED), "next": node(StepState.PENDING)}
    lines = tree(nodes).lines(120.0, 80, 6)
    assert [line.split()[1] for line in lines[1:5]] == ["s0", "now", "bad", "next"]
    assert lines[5] == "… 49 more: 49 restored"


@pytest.mark.parametrize("width", [1, 8, 20, 40, 200])
def test_no_line_wraps(width):
    long = {"a" * 100: node(StepState.FAILED, "x" * 50, "y" * 200), **NODES}
    assert all(len(line) < max(width, 2) for line in tree(long).lines(120.0, width, 24))
    painted = tree(long).lines(120.0, width, 24, colour=True)
    assert all(len(re.sub(r"\x1b\[\d*m", "", line)) < max(width, 2) for line in painted)


def test_nothing_of_a_notebook_drives_the_terminal():
    shown = "\n".join(tree({"a": node(StepState.FAILED, "\x1b[2J", "\x1b]0;title\x07")}).lines(120.0, 80, 24))
    assert "\x1b" not in shown
    assert "\x07" not in shown


class Terminal(io.StringIO):
    """Knows the sequences that a screen uses, and no other."""

    def __init__(self):
        super().__init__()
        self.rows, self.row = [""], 0
        self.cursor = True

    def write(self, text):
        for sequence, number, kind, plain in re.findall(r"(\x1b\[\??(\d*)([A-Za-z]))|([^\x1b]+)", text):
            if plain:
                self.type(plain)
            elif kind == "F":
                self.row -= int(number)
                assert self.row >= 0
            elif kind == "J":
                del self.rows[self.row :]
                self.rows.append("")
            elif kind in {"h", "l"}:
                self.cursor = kind == "h"
            else:
                assert kind == "m", sequence
        return len(text)

    def type(self, text):
        first, *others = text.split("\n")
        self.rows[self.row] += first
        for other in others:
            self.row += 1
            if self.row == len(self.rows):
                self.rows.append("")
            self.rows[self.row] += other

    @property
    def shown(self):
        return [row.rstrip() for row in self.rows if row.strip()]


@pytest.mark.parametrize(
    ("run", "now", "says"),
    [
        ({"until": 190.0}, 120.0, ", about 1 min left"),
        ({"until": 190.0, "most": True}, 100.0, ", up to 2 min left"),
        ({"until": 190.0}, 189.0, ", a few seconds left"),
        ({"until": 190.0}, 195.0, ""),
        ({"until": 190.0, "after": 45.0}, 400.0, ", about 45s left"),
        ({"until": None}, 120.0, ""),
        ({"until": 190.0, "ended": 120.0}, 130.0, ""),
    ],
)
def test_how_long_it_goes_on_is_never_negative(run, now, says):
    made = LiveTree("nb", 100.0)
    made.take({"nodes": {}, "run": RUN | {"most": False} | run})
    (head,) = made.lines(now, 80, 24)
    assert head.partition("s,")[2].partition(",")[2] == says[1:]


def test_a_running_step_says_how_long_it_usually_takes():
    made = LiveTree("nb", 100.0)
    made.take({"nodes": {"a": node(StepState.RUNNING, since=110.0) | {"usual": 64.0}}, "run": None})
    assert made.lines(152.0, 80, 24)[1] == "▸ a  running  42s of ~1m 04s"


def test_a_picture_replaces_the_one_before_and_what_is_said_stays_above():
    terminal, batches = Terminal(), [[{"nodes": {"a": node(StepState.RUNNING)}, "run": RUN}]]
    screen = LiveScreen(
        terminal,
        LiveTree("nb", 100.0),
        read=lambda: batches.pop() if batches else [],
        clock=lambda: 120.0,
        size=lambda: (80, 24),
    )
    with screen:
        assert terminal.shown == ["nb  1/3 steps, 20s, up to 1 min left", "▸ a  running"]
        assert not terminal.cursor
        screen.say("! something")
        batches.append([{"nodes": {"a": node(StepState.SUCCEEDED), "b": node(StepState.PENDING)}, "run": RUN}])
        screen.draw()
    assert terminal.shown == [
        "! something",
        "nb  1/3 steps, 20s, up to 1 min left",
        "✓ a  succeeded",
        "◌ b  pending",
    ]
    assert terminal.cursor
