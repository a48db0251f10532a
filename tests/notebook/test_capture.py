"""What a cell shows is recorded in notebook format, live or not, and can be shown again."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import HTML, clear_output, display
from IPython.utils.capture import capture_output

from nbsteps.notebook.capture import capture, replay
from nbsteps.notebook.recorder import jsonable

BEFORE: dict = {}
say = print


@pytest.fixture(scope="module")
def shell():
    made = InteractiveShell.instance()
    yield made
    made.history_manager.end_session()
    InteractiveShell.clear_instance()


def stream(text, name="stdout"):
    return {"output_type": "stream", "name": name, "text": text}


def shown(text):
    return {"output_type": "display_data", "data": {"text/plain": text}, "metadata": {}}


def result(text):
    return {"output_type": "execute_result", "execution_count": None, "data": {"text/plain": text}, "metadata": {}}


class Plain:
    def __init__(self, text):
        self.text = text

    def __repr__(self):
        return self.text


def err(text):
    sys.stderr.write(text)


def updated():
    handle = display(Plain("10%"), display_id=True)
    display(Plain("other"))
    handle.update(Plain("100%"))


def cleared(wait):
    say("gone")
    clear_output(wait=wait)
    say("kept")


def cleared_at_the_end(wait):
    say("text")
    clear_output(wait=wait)


def redirected():
    with contextlib.redirect_stdout(io.StringIO()):
        say("elsewhere")
    say("here")


def logged():
    handler = logging.StreamHandler(BEFORE["stderr"])
    handler.emit(logging.makeLogRecord({"msg": "from a handler"}))


def from_a_thread():
    thread = threading.Thread(target=lambda: (say("text"), display(Plain("shown"))))
    thread.start()
    thread.join()


def captured_by_the_user():
    with capture_output():
        say("not seen")
        display(Plain("not seen"))
    say("seen")


CASES = {
    "nothing": (lambda: None, []),
    "text of one stream is merged": (lambda: (say("a"), say("b")), [stream("a\nb\n")]),
    "streams keep their order": (
        lambda: (say("a"), err("b\n"), say("c")),
        [stream("a\n"), stream("b\n", "stderr"), stream("c\n")],
    ),
    "displays stand between text": (
        lambda: (say("a"), display(Plain("x")), say("b")),
        [stream("a\n"), shown("x"), stream("b\n")],
    ),
    "a result is recorded once, without its prompt": (lambda: sys.displayhook(Plain("x")), [result("x")]),
    "None is no result": (lambda: sys.displayhook(None), []),
    "an update changes the earlier display": (updated, [shown("100%"), shown("other")]),
    "an update of a display from elsewhere is none of ours": (
        lambda: display(Plain("x"), display_id="elsewhere", update=True),
        [],
    ),
    "clear_output clears": (lambda: cleared(False), [stream("kept\n")]),
    "clear_output(wait) clears at the next output": (lambda: cleared(True), [stream("kept\n")]),
    "clear_output at the end leaves nothing": (lambda: cleared_at_the_end(False), []),
    "clear_output(wait) at the end leaves all": (lambda: cleared_at_the_end(True), [stream("text\n")]),
    "what is redirected is not shown, so not recorded": (redirected, [stream("here\n")]),
    "a handler that holds the stream is heard": (logged, [stream("from a handler\n", "stderr")]),
    "threads are heard": (from_a_thread, [stream("text\n"), shown("shown")]),
    "what the user captures is the user's": (captured_by_the_user, [stream("seen\n")]),
    "a progress bar leaves its last state": (lambda: err("10%\r 5%\r100%\ndone"), [stream("100%\ndone", "stderr")]),
    "a shorter text over a longer one": (lambda: say("abc\rX"), [stream("Xbc\n")]),
    "Windows line ends": (lambda: say("a\r\nb"), [stream("a\nb\n")]),
    "lone surrogates can be stored": (lambda: say("a\udc80"), [stream("a\\udc80\n")]),
    "writelines": (lambda: sys.stdout.writelines(["a", "b"]), [stream("ab")]),
}


class Stream(io.StringIO):
    """A stream that takes what a strict encoding would refuse, as a kernel's does."""


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_recorded(shell, monkeypatch, name, live):
    action, expected = CASES[name]
    out, errors = Stream(), Stream()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", errors)
    BEFORE["stderr"] = errors
    with shell.builtin_trap, shell.display_trap, capture(shell, live=live) as displays:
        action()
    assert displays == expected
    json.dumps(displays)
    if not live:
        assert out.getvalue() + errors.getvalue() == ""
    elif expected and name != "lone surrogates can be stored":
        assert out.getvalue() + errors.getvalue() != ""


def stop():
    raise KeyboardInterrupt


def interrupted(shell):
    try:
        with capture(shell, live=False) as displays:
            say("kept")
            stop()
    except KeyboardInterrupt:
        return displays


def test_hooks_are_gone_afterwards(shell, monkeypatch):
    out = Stream()
    monkeypatch.setattr(sys, "stdout", out)
    before = [dict(vars(owner)) for owner in (out, shell.display_pub, shell.displayhook)]
    displays = interrupted(shell)
    assert displays == [stream("kept\n")]
    assert [dict(vars(owner)) for owner in (out, shell.display_pub, shell.displayhook)] == before
    say("after")
    assert out.getvalue() == "after\n"
    assert displays == [stream("kept\n")]


def test_a_method_kept_from_inside_passes_through(shell, monkeypatch):
    out = Stream()
    monkeypatch.setattr(sys, "stdout", out)
    with capture(shell, live=False) as displays:
        write = sys.stdout.write
    write("late")
    assert out.getvalue() == "late"
    assert displays == []


def test_a_stream_replaced_for_good_is_left_alone(shell, monkeypatch):
    class Forwarding(io.StringIO):
        def write(self, text):
            return first.write(text.upper())

    first = Stream()
    monkeypatch.setattr(sys, "stdout", first)
    with capture(shell, live=True) as displays:
        sys.stdout = Forwarding()
        say("a")
    assert isinstance(sys.stdout, Forwarding)
    say("b")
    assert first.getvalue() == "A\nB\n"
    assert displays == [stream("A\n")]


def test_without_a_console_nothing_fails(shell, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    with capture(shell, live=True) as displays:
        say("nowhere")
    assert displays == []


def test_captures_nest(shell, monkeypatch):
    monkeypatch.setattr(sys, "stdout", Stream())
    with shell.display_trap, capture(shell, live=True) as outer:
        say("before")
        with capture(shell, live=True) as inner:
            say("inside")
            display(Plain("x"))
            sys.displayhook(Plain("y"))
        say("after")
    assert inner == [stream("inside\n"), shown("x"), result("y")]
    assert outer == [stream("before\ninside\n"), shown("x"), result("y"), stream("after\n")]


def test_rich_results_are_whole(shell, monkeypatch):
    monkeypatch.setattr(sys, "stdout", Stream())
    with shell.display_trap, capture(shell, live=False) as displays:
        sys.displayhook(HTML("<b>bold</b>"))
        shell.display_pub.publish({"image/png": b"\x89PNG", "text/plain": "figure"}, {"image/png": {"width": 3}})
    assert displays[0]["data"]["text/html"] == "<b>bold</b>"
    assert displays[1]["data"] == {"image/png": "iVBORw==", "text/plain": "figure"}
    assert displays[1]["metadata"] == {"image/png": {"width": 3}}


def test_replay_shows_all_again(shell, monkeypatch):
    monkeypatch.setattr(sys, "stdout", Stream())
    monkeypatch.setattr(sys, "stderr", Stream())
    stored = (stream("a\n"), shown("x"), stream("b\n", "stderr"), result("y"))
    with capture(shell, live=True) as displays:
        replay(shell, stored, "restored from 2026-01-01 10:00")
    assert displays == [stream("a\n"), shown("x"), stream("b\n", "stderr"), shown("y")]
    assert sys.stdout.getvalue() == "restored from 2026-01-01 10:00\na\nx\ny\n"


def test_a_replayed_widget_is_its_text(shell, monkeypatch):
    monkeypatch.setattr(sys, "stdout", Stream())
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}}
    widget = {"output_type": "display_data", "data": {**view, "text/plain": "Slider()"}, "metadata": {}}
    with capture(shell, live=False) as displays:
        replay(shell, (widget, {"output_type": "display_data", "data": view, "metadata": {}}), "")
    assert displays == [shown("Slider()")]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.builds(object),
        lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.integers() | st.text(), inner),
        max_leaves=20,
    )
)
def test_everything_becomes_json(value):
    text = json.dumps(jsonable(value), allow_nan=False, ensure_ascii=False)
    assert json.loads(text.encode("utf-8")) == json.loads(text)
