"""Messages of real runs to a real receiver: a headless run that fails, and one that waits."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.e2e.building import step

pytest.importorskip("apprise")


@pytest.fixture
def receiver():
    """Address of an HTTP server and what it was sent."""
    got = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}", got
        server.shutdown()
        thread.join()


def test_a_headless_run_tells_what_failed_and_what_waits(nb, receiver, monkeypatch):
    address, got = receiver
    monkeypatch.setenv("RECEIVER", address)
    settings = '[tool.nbsteps.notify]\nurls = ["json://$RECEIVER"]\nevents = ["failed", "waiting"]\n'
    (nb.folder / "pyproject.toml").write_text(settings)
    nb.write(
        step("bad --out x", "x = 1 / 0"),
        step("pay --out paid --approve 'Pay?'", "paid = 1"),
        step("good --notify json://$RECEIVER/own --out y", "y = 1"),
    )
    assert nb.run()["exit_code"] == 1
    told = {message["title"]: message["message"] for message in got}
    assert set(told) == {
        "analysis.ipynb: step pay waits for approval",
        "analysis.ipynb: step good succeeded",
        "analysis.ipynb: run failed",
    }
    assert "bad: ZeroDivisionError: division by zero" in told["analysis.ipynb: run failed"]
    assert "nbsteps approve analysis.ipynb pay" in told["analysis.ipynb: step pay waits for approval"]


def test_a_receiver_that_is_gone_fails_nothing(nb):
    (nb.folder / "pyproject.toml").write_text('[tool.nbsteps.notify]\nurls = ["json://127.0.0.1:9"]\n')
    nb.write(step("bad --out x", "x = 1 / 0"), step("good --out y", "y = 1"))
    assert nb.states() == {"bad": "failed", "good": "succeeded"}
    said = [row["data"]["message"] for row in nb.history("events") if row["event"] == "Warned"]
    assert len(said) == 1
    assert said[0].startswith("a notification was not sent: json://... did not take the message")
    assert "127.0.0.1:9/" not in said[0]
