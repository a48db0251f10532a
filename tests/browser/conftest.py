"""A real Jupyter server, real kernels and a real browser, for the tests that look at pages.

Needs the extra ``browser`` and a Chromium (Debian: ``apt-get install chromium fonts-dejavu-core``); CHROMIUM names
another one. BROWSER_SCREENSHOTS names a folder that keeps a picture of each test's page as it was at its end.
BROWSER_KERNELS, or build/kernels, holds other versions of ipykernel, each in a folder of its version's name:
``pip install --no-deps --target build/kernels/6.31.0 ipykernel==6.31.0 nest-asyncio``.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
OTHER_KERNELS = Path(os.environ.get("BROWSER_KERNELS", ROOT / "build" / "kernels")).absolute()
PATIENCE = 60.0
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "notebook-extension/tracker": {"windowingMode": "none"},
}
PLACES = {
    "JUPYTER_CONFIG_DIR": "config",
    "JUPYTER_RUNTIME_DIR": "runtime",
    "JUPYTERLAB_SETTINGS_DIR": "config/lab/user-settings",
    "JUPYTERLAB_WORKSPACES_DIR": "config/lab/workspaces",
}
PATHS = {"lab": "lab/workspaces/{workspace}/tree", "notebook": "notebooks"}
READY = """async () => {
  const panel = window.jupyterapp.shell.currentWidget;
  await panel.context.ready;
  await panel.sessionContext.ready;
  await panel.sessionContext.session.kernel.info;
}"""


class Jupyter:
    """A server of its own that serves JupyterLab and Notebook 7 from one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "notebooks"
        self.folder.mkdir()
        self._settings = folder / PLACES["JUPYTERLAB_SETTINGS_DIR"] / "@jupyterlab"
        for name, values in SETTINGS.items():
            self._set(name, values)
        self._kernels = folder / "path" / "kernels"
        for kernel in OTHER_KERNELS.glob("*"):
            self.offer(kernel.name, "-m", "ipykernel_launcher", PYTHONPATH=str(kernel))
        extensions = folder / "path" / "labextensions"
        extensions.mkdir(parents=True)
        (extensions / "nbsteps").symlink_to(ROOT / "labextension")
        self._token = secrets.token_hex(16)
        self._port = _free_port()
        places = {name: str(folder / place) for name, place in PLACES.items()}
        self._log = (folder / "server.log").open("wb")
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
                *(f"--ServerApp.port={self._port}", "--ServerApp.port_retries=0"),
                *(f"--IdentityProvider.token={self._token}", "--LabApp.expose_app_in_browser=True"),
                "--JupyterNotebookApp.expose_app_in_browser=True",
            ],
            cwd=self.folder,
            env={**os.environ, **places, "JUPYTER_PATH": str(folder / "path")},
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self._wait()

    def _wait(self) -> None:
        end = time.monotonic() + PATIENCE
        while not _answers(self._at("api")):
            if time.monotonic() > end:
                pytest.fail("the Jupyter server did not start")
            time.sleep(0.1)

    def _at(self, path: str) -> str:
        return f"http://127.0.0.1:{self._port}/{path}?token={self._token}"

    def _set(self, name: str, values: Mapping[str, object]) -> None:
        file = self._settings / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values), encoding="utf-8")

    @contextmanager
    def settings(self, name: str, **values: object) -> Iterator[None]:
        """Other settings of a plugin, for pages that are loaded inside."""
        self._set(name, values)
        try:
            yield
        finally:
            self._set(name, SETTINGS[name])

    def write(self, name: str, *cells: str, kernel: str = "python3") -> None:
        """A notebook with these code cells, in a folder (and with a store) of its own."""
        file = self.folder / name
        (file.parent / ".nbsteps").mkdir(parents=True)
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata.kernelspec = {"name": kernel, "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, file)

    def offer(self, name: str, *start: str, **env: str) -> None:
        """A kernel that is started by these words for Python."""
        spec = {
            "argv": [sys.executable, *start, "-f", "{connection_file}"],
            "display_name": name,
            "language": "python",
            "env": env,
        }
        (self._kernels / name).mkdir(parents=True, exist_ok=True)
        (self._kernels / name / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")

    def address(self, app: str, name: str) -> str:
        """Where an application shows a notebook."""
        workspace = name.partition("/")[0]  # a workspace opens again what was open in it
        return self._at(f"{PATHS[app].format(workspace=workspace)}/{name}")

    def end_kernels(self) -> None:
        """Shut down what tests left running."""
        for session in json.loads(_ask(self._at("api/sessions"))):
            _ask(self._at(f"api/sessions/{session['id']}"), "DELETE")

    def close(self) -> None:
        """Stop the server."""
        self._process.terminate()
        self._process.wait(PATIENCE)
        self._log.close()


def _ask(address: str, method: str = "GET") -> bytes:
    request = urllib.request.Request(address, method=method)  # noqa: S310 - our own server
    with urllib.request.urlopen(request) as reply:  # noqa: S310 - (the same)
        answer: bytes = reply.read()
        return answer


def _answers(address: str) -> bool:
    try:
        _ask(address)
    except OSError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory):
    pytest.importorskip("jupyterlab")
    pytest.importorskip("notebook")
    server = Jupyter(tmp_path_factory.mktemp("jupyter"))
    yield server
    server.close()


@pytest.fixture(scope="session")
def chromium():
    playwright = pytest.importorskip("playwright.sync_api")
    program = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    if not Path(program).exists():
        pytest.skip(f"no browser at {program}")
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium, request):
    """A page in a fresh profile; what its scripts raise fails the test at its end."""
    context = chromium.new_context(viewport={"width": 1200, "height": 800})
    context.set_default_timeout(PATIENCE * 1000)
    page = context.new_page()
    raised: list[str] = []
    page.on("pageerror", lambda error: raised.append(f"{error}\n{error.stack or ''}"))
    yield page
    pictures = os.environ.get("BROWSER_SCREENSHOTS")
    if pictures:
        name = re.sub(r"\W+", "-", request.node.nodeid.split("/")[-1]).strip("-")
        page.screenshot(path=Path(pictures) / f"{name}.png")
    context.close()
    assert not [error for error in raised if "nbsteps" in error]


@pytest.fixture
def open_notebook(jupyter, page, request):
    """``open_notebook(app, cells...)``: a new notebook in an application, its kernel ready.

    ``kernel`` is a version of ipykernel, where it is not to be that of the environment.
    """
    name = Path(re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")) / "flow.ipynb"

    def opened(app: str, *cells: str, kernel: str = ""):
        if kernel and not (OTHER_KERNELS / kernel).exists():
            pytest.skip(f"ipykernel {kernel} is not in {OTHER_KERNELS.name}/")
        jupyter.write(str(name), *cells, kernel=kernel or "python3")
        page.goto(jupyter.address(app, str(name)))
        ready(page)
        return page

    opened.folder = jupyter.folder / name.parent
    yield opened
    jupyter.end_kernels()


def ready(page) -> None:
    """Wait until the notebook is shown and its kernel answers."""
    page.wait_for_selector(".jp-NotebookPanel .jp-Cell")
    page.evaluate(READY)
