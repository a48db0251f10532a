"""The toolbar as a page meets it, without a page: a real kernel, and the widget's messages."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from nbsteps.notebook import pages
from nbsteps.notebook.subshells import keep_figures, pin
from tools.kernels import LiveNotebook

PATIENCE = 60.0
VIEW = "application/vnd.jupyter.widget-view+json"


class Page:
    """What a page does: shows the widget, hears its messages, sends its own."""

    def __init__(self, notebook):
        self.notebook = notebook
        self.client = notebook._client
        self.heard = []
        self.live = {}
        self.graph = {}
        self.picture = {}
        self.comm = ""

    def show(self):
        cell = {"code": "%pipeline", "silent": False, "store_history": True, "allow_stdin": False}
        sent = self.client.session.msg("execute_request", cell, metadata={"cellId": "a"})
        self.client.shell_channel.send(sent)
        self.until(lambda: self.comm and self.live and self.picture)

    def send(self, **content):
        data = {"method": "custom", "content": content}
        self.client.shell_channel.send(self.client.session.msg("comm_msg", {"comm_id": self.comm, "data": data}))

    def ask(self, what, **values):
        number = len(self.heard)
        self.send(do=what, view="v", request=number, **values)
        self.until(lambda: any(m.get("kind") == "reply" and m["request"] == number for m in self.heard))
        return next(m for m in self.heard if m.get("kind") == "reply" and m["request"] == number)

    def until(self, done):
        end = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < end, self.heard[-3:]
            self._take(self.client.get_iopub_msg(timeout=PATIENCE))

    def _take(self, message):
        content, kind = message["content"], message["header"]["msg_type"]
        if kind == "display_data" and VIEW in content["data"]:
            self.comm = content["data"][VIEW]["model_id"]
        elif kind in {"display_data", "update_display_data"} and "display_id" in content.get("transient", {}):
            self.picture = content["data"]
        elif kind in {"comm_open", "comm_msg"}:
            self._changed(content["data"])

    def _changed(self, data):
        if data.get("method") == "custom":
            self.heard.append(data["content"])
            if data["content"].get("kind") == "delta":
                nodes = {**self.live.get("nodes", {}), **data["content"]["nodes"]}
                self.live = {**data["content"], "nodes": nodes}
            return
        state = data.get("state", {})
        self.graph = state.get("graph") or self.graph
        self.live = state.get("live") or self.live

    def states(self):
        return {name: node["state"] for name, node in self.live["nodes"].items()}


@pytest.fixture
def page(tmp_path):
    (tmp_path / ".nbsteps").mkdir()
    notebook = LiveNotebook(tmp_path / "flow.ipynb", {**os.environ, "NBSTEPS_STORE": str(tmp_path / ".nbsteps")})
    notebook.type("load", "%load_ext nbsteps\nlimit = 2")
    yield Page(notebook)
    notebook.close()


def steps(page, **sources):
    for name, body in sources.items():
        page.notebook.type(name, f"%%step {name}\n{body}")


@pytest.mark.slow
def test_a_page_runs_asks_and_is_told(page):
    steps(page, raw="rows = [1, 2, 3]\nprint('made', len(rows))", kept="few = rows[:limit]")
    page.show()
    assert page.picture["image/svg+xml"].startswith("<svg")
    assert "raw" in page.picture["text/plain"]
    assert [step["name"] for step in page.graph["steps"]] == ["raw", "kept"]
    page.send(do="run", force=True, steps=["raw", "no such step'; raise SystemExit"])
    page.until(
        lambda: (
            page.live["run"]
            and page.live["run"]["state"] == "succeeded"
            and page.live["nodes"]["raw"]["state"] == "succeeded"
        )
    )
    shown = page.ask("detail", step="raw")["data"]
    assert [output["text"] for output in shown["log"]] == ["made 3\n"]
    assert shown["source"].startswith("%%step raw")
    runs = page.ask("runs")["data"]
    assert runs[0]["number"] == len(runs)
    assert page.ask("timeline", run=runs[0]["run_id"])["data"]["lanes"][0]["step"] == "raw"
    assert page.ask("trends")["data"]["enough"] == (len([run for run in runs if run["trigger"] != "a cell"]) >= 3)
    assert page.ask("compare", runs=[run["run_id"] for run in runs[:2]])["data"][0]["step"] == "raw"
    assert page.ask("detail", step="gone")["data"] is None


@pytest.mark.slow
def test_what_cannot_begin_is_said(page):
    page.notebook.type("bad", "%%step bad --nonsense\nx = 1")
    page.show()
    page.send(do="run")
    page.until(lambda: any(message.get("kind") == "notice" for message in page.heard))
    assert "nonsense" in next(message["text"] for message in page.heard if message.get("kind") == "notice")


def ran(page, **how):
    before = (page.live["run"] or {}).get("run_id")
    page.send(do="run", **how)
    page.until(lambda: page.live["run"] and page.live["run"]["run_id"] != before and page.live["run"]["ended"])


@pytest.mark.slow
def test_an_edited_helper_makes_stale_what_rests_on_it_once_it_is_saved(page):
    page.notebook.type("help", "def double(x):\n    return 2 * x")
    steps(page, raw="n = 1", twice="m = double(n)")
    page.show()
    ran(page)
    page.notebook.write("help", "def double(x):\n    return 3 * x")
    page.until(lambda: page.states()["twice"] == "stale")
    assert page.states()["raw"] == "cached"
    assert page.live["nodes"]["twice"]["reasons"] == "double was edited and not executed"
    page.notebook.write("help", "def double(x):\n    return 2 * x  # as before")
    page.until(lambda: page.states()["twice"] in {"succeeded", "cached"})
    page.notebook.write("twice", "%%step twice\nm = double(n) + 1\n")
    page.until(lambda: page.states()["twice"] == "stale")
    page.notebook.write("help", "def double(x):\n    return 3 * x")
    page.until(lambda: "edited" in page.live["nodes"]["twice"]["reasons"])
    ran(page)
    page.notebook.type("see", "print(m)")
    assert page.notebook.shown["see"] == "4\n"


@pytest.mark.slow
def test_a_page_accepts_what_it_looked_at_and_nothing_else(page):
    steps(page, raw="n = 1", more="m = n + 1")
    page.show()
    ran(page)
    page.notebook.write("more", "%%step more\nm = 1 + n")
    page.until(lambda: page.states()["more"] == "stale")
    offer = page.ask("detail", step="more")["data"]["accept"]
    page.notebook.write("more", "%%step more\nm = n + 2")
    page.send(do="accept", step="more", seen=offer["seen"])
    page.until(lambda: any(message.get("kind") == "notice" for message in page.heard))
    assert "has changed again" in next(message["text"] for message in page.heard if message.get("kind") == "notice")
    assert page.states()["more"] == "stale"
    offer = page.ask("detail", step="more")["data"]["accept"]
    page.send(do="accept", step="more", seen=offer["seen"])
    page.until(lambda: page.states()["more"] == "cached")
    shown = page.ask("detail", step="more")["data"]
    assert (shown["accept"], bool(shown["kept"])) == (None, True)


@pytest.mark.slow
def test_a_page_goes_on_with_what_the_run_that_waited_was_asked(page):
    steps(page, raw="rows = [1]", other="x = 1")
    page.notebook.type("pay", "%%step pay --approve 'Pay?'\npaid = rows")
    page.show()
    ran(page, steps=["pay"], force=True)
    assert (page.live["run"]["state"], page.live["run"]["total"]) == ("waiting", 2)
    waited = page.live["run"]["run_id"]
    assert page.ask("approve", step="pay")["data"] is None
    page.until(lambda: page.live["run"]["run_id"] != waited and page.live["run"]["ended"])
    assert (page.live["run"]["state"], page.live["run"]["total"]) == ("succeeded", 2)


@pytest.mark.slow
def test_a_form_goes_away_when_somebody_decides_elsewhere_and_when_it_expires(page):
    page.notebook.type("pay", "%%step pay --approve 'Pay?'\npaid = 1")
    page.notebook.type("send", "%%step send --approve 'Send?' --approve-timeout 0.2s\nsent = 1")
    page.show()
    ran(page)
    page.until(lambda: [form["step"] for form in page.live["requests"]] == ["pay"])
    subprocess.run(
        [sys.executable, "-m", "nbsteps", "approve", str(page.notebook._path), "pay"],
        env={**os.environ, "NBSTEPS_STORE": str(page.notebook._path.parent / ".nbsteps")},
        check=True,
    )
    page.until(lambda: page.live["requests"] == [])


@pytest.mark.slow
def test_a_page_chooses_how_the_next_run_is_executed(page):
    steps(page, raw="import threading\nwhere = threading.current_thread().name\nprint('in a thread')\n6 * 7")
    page.show()
    assert page.live["how"]["workers"] == 1
    page.send(do="how", workers=2, executor="threads")
    page.until(lambda: any(message.get("kind") == "how" for message in page.heard))
    ran(page, force=True)
    told = page.ask("detail", step="raw")["data"]
    assert told["attempts"][-1]["state"] == "succeeded"
    assert [output["text"] for output in told["log"]] == ["in a thread\n", "42"]
    page.notebook.type("look", "print(where)")
    assert "MainThread" not in page.notebook.shown["look"]
    assert (page.live["how"]["workers"], page.live["how"]["executor"]) == (2, "threads")


@pytest.mark.slow
def test_a_page_is_given_the_report_of_a_run(page):
    steps(page, raw="n = 1")
    page.show()
    ran(page)
    run = page.ask("runs")["data"][0]["run_id"]
    found = page.ask("report", run=run)["data"]
    assert found["name"] == f"flow-{run[:8]}.html"
    assert found["page"].startswith("<!doctype html>")
    assert "raw" in found["page"]
    assert "no run" in page.ask("report", run="gone")["error"]


@pytest.mark.slow
def test_the_picture_that_is_saved_shows_how_the_last_run_ended(page):
    steps(page, raw="n = 1")
    page.notebook.type("wrong", "%%step wrong\nif n:\n    raise ValueError('no column days')\nm = n")
    page.show()
    assert "Failed" in page.picture["image/svg+xml"]
    page.notebook.write("wrong", "%%step wrong\nm = n")
    ran(page)
    page.until(lambda: "Succeeded" in page.picture["image/svg+xml"])
    assert 'class="nbsteps-saved"' in page.picture["image/svg+xml"]
    assert "succeeded" in page.picture["text/plain"]


@pytest.mark.parametrize(
    ("kernel", "expect"),
    [
        (None, False),
        (SimpleNamespace(get_parent=dict), False),
        (SimpleNamespace(get_parent=lambda: {"metadata": {"cellId": "a"}}), True),
    ],
)
def test_a_widget_belongs_on_a_page(monkeypatch, kernel, expect):
    for name in [name for name in os.environ if name.startswith("VSCODE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(pages, "started_by_papermill", lambda: False)
    assert pages.has_page(SimpleNamespace(kernel=kernel)) is expect


def test_vs_code_is_known_by_its_environment(monkeypatch):
    monkeypatch.setenv("VSCODE_PID", "1")
    monkeypatch.setattr(pages, "started_by_papermill", lambda: False)
    assert pages.has_page(SimpleNamespace(kernel=SimpleNamespace(get_parent=dict)))


@pytest.mark.parametrize("comm", [SimpleNamespace(), SimpleNamespace(_reply_subshell_for=None)])
def test_a_kernel_without_subshells_is_left_alone(comm):
    assert pin(SimpleNamespace(kernel=SimpleNamespace()), comm) is False


def test_figures_are_flushed_by_the_main_thread_only(monkeypatch, shell):
    inline = pytest.importorskip("matplotlib_inline.backend_inline")
    flushed = []
    monkeypatch.setattr(inline, "flush_figures", lambda: flushed.append(1))
    shell.events.register("post_execute", inline.flush_figures)
    keep_figures(shell)
    keep_figures(shell)
    shell.events.trigger("post_execute")
    assert flushed == [1]
