"""What the panel shows of a step that runs: its newest outputs, as its cell shows them, within bounds."""

import pytest

from nbsteps.core.events import StepRestored, StepStarted
from nbsteps.notebook.recorder import Recorder, onlookers
from nbsteps.notebook.step_logs import StepLogs


@pytest.fixture
def logs():
    found = StepLogs()
    onlookers.append(found.tail)
    yield found
    onlookers.remove(found.tail)


def started(logs, step="load"):
    logs.emit(StepStarted(0.0, "r", step, "k", ()))
    return Recorder(step)


def text(content, name="stdout"):
    return {"output_type": "stream", "name": name, "text": content}


def drawn(words):
    return {"output_type": "display_data", "data": {"text/plain": words}, "metadata": {}}


def shows_progress(recorder):
    for percent in (10, 50, 100):
        recorder.stream("stderr", f"\r{percent} %")


def shows_and_clears(recorder):
    recorder.stream("stdout", "gone")
    recorder.clear(wait=True)
    recorder.stream("stdout", "stays")


def shows_and_updates(recorder):
    recorder.display({"text/plain": "first"}, {}, "d")
    recorder.update({"text/plain": "second"}, {}, "d")


def shows_a_result(recorder):
    recorder.result({"text/plain": "42"}, {})


@pytest.mark.parametrize(
    ("show", "expect"),
    [
        (lambda recorder: recorder.stream("stdout", ""), []),
        (lambda recorder: [recorder.stream("stdout", part) for part in ("a\n", "b\n")], [text("a\nb\n")]),
        (shows_progress, [text("100 %", "stderr")]),
        (shows_and_clears, [text("stays")]),
        (shows_and_updates, [drawn("second")]),
        (shows_a_result, [{**drawn("42"), "output_type": "execute_result", "execution_count": None}]),
        (lambda recorder: [recorder.take(drawn("a")), recorder.take(text(["b\n", "c"]))], [drawn("a"), text("b\nc")]),
    ],
)
def test_a_log_is_what_the_cell_shows(logs, show, expect):
    recorder = started(logs)
    show(recorder)
    assert logs.of("load") == recorder.outputs() == expect


def test_each_step_has_a_log_of_its_own(logs):
    first, second = started(logs, "first"), started(logs, "second")
    first.stream("stdout", "1")
    second.stream("stdout", "2")
    first.stream("stdout", "1")
    assert (logs.of("first"), logs.of("second"), logs.of("third")) == ([text("11")], [text("2")], None)


def test_a_step_that_starts_again_has_shown_nothing_yet(logs):
    started(logs).stream("stdout", "before")
    started(logs)
    assert logs.of("load") == []


def test_a_restored_step_shows_what_is_stored(logs):
    started(logs).stream("stdout", "before")
    logs.emit(StepRestored(0.0, "r", "load", "k", 1.0))
    assert logs.of("load") is None


def test_what_is_no_step_is_nobodys(logs):
    started(logs, "")
    Recorder().stream("stdout", "a context cell")
    assert logs.of("") == []


def held(logs):
    tail = logs.tail("load")
    return sum(len(piece) for output in tail._outputs for piece in output.get("text", ()))


def test_much_text_keeps_its_end_and_never_more_than_bounds(logs):
    recorder, most = started(logs), 0
    for line in range(100_000):
        recorder.stream("stdout", f"{line:09}\n")
        most = max(most, logs.tail("load")._held)
    (kept,) = logs.of("load")
    assert kept["text"].endswith("000099998\n000099999\n")
    assert 200_000 <= len(kept["text"]) <= most <= 400_010
    assert held(logs) == len(kept["text"])


def test_much_text_in_many_pieces_of_two_streams_keeps_its_end(logs):
    recorder = started(logs)
    for line in range(3_000):
        recorder.stream("stderr" if line % 2 else "stdout", f"{line:04}" + "." * 995 + "\n")
    kept = logs.of("load")
    assert kept[-1] == text("2999" + "." * 995 + "\n", "stderr")
    assert 200_000 <= held(logs) <= 400_000
    assert len(kept) <= 800


def test_many_figures_keep_the_newest_and_can_still_be_updated(logs):
    recorder = started(logs)
    for number in range(2_000):
        recorder.display({"text/plain": str(number)}, {}, f"d{number}")
    recorder.update({"text/plain": "renewed"}, {}, "d1999")
    recorder.update({"text/plain": "lost"}, {}, "d0")
    kept = [output["data"]["text/plain"] for output in logs.of("load")]
    assert kept[-2:] == ["1998", "renewed"]
    assert 400 <= len(kept) <= 800
    assert set(logs.tail("load")._by_id) == {f"d{number}" for number in range(2_000 - len(kept), 2_000)}
