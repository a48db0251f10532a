"""Takes the pictures of the documentation: an example notebook in a real JupyterLab, in a real browser.

Needs the extra ``screenshots`` and a Chromium (Debian: ``apt-get install chromium fonts-dejavu-core``); CHROMIUM names
another one.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PATIENCE = 180.0
SETTINGS: Mapping[str, Mapping[str, object]] = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "apputils-extension/themes": {"theme": "JupyterLab Light"},
    "notebook-extension/tracker": {"windowingMode": "none"},
}
RUN_ALL = """async () => {
  const app = window.jupyterapp, panel = app.shell.currentWidget;
  await panel.context.ready;
  await panel.sessionContext.ready;
  await panel.sessionContext.session.kernel.info;
  await app.commands.execute("notebook:run-all-cells");
  await app.commands.execute("docmanager:save");
}"""
CALM = """() => {
  window.jupyterapp.shell.collapseLeft();
  document.activeElement?.blur();
}"""


def main(arguments: list[str] | None = None) -> int:
    """Take a picture of a notebook's last cells."""
    parser = argparse.ArgumentParser(prog="python -m tools.screenshot", description="Take a picture of a notebook.")
    parser.add_argument("notebook", nargs="?", type=Path, default=ROOT / "notebooks" / "first_steps.ipynb")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "images" / "graph.png")
    parser.add_argument("--size", nargs=2, type=int, default=(1120, 760), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--theme", choices=("Light", "Dark"), default="Light")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(options.notebook.parent, folder / "notebooks")
        with lab(folder, options.theme) as address:
            _picture(f"{address}&file={options.notebook.name}", options.output, options.size)
    print(f"wrote {options.output}")
    return 0


@contextmanager
def lab(folder: Path, theme: str, settings: Mapping[str, Mapping[str, object]] = SETTINGS) -> Iterator[str]:
    """A JupyterLab of its own, with these settings; yields its address. The notebooks are in ``notebooks``."""
    places = {name: str(folder / place) for name, place in _PLACES.items()}
    own = folder / "config" / "lab" / "user-settings" / "@jupyterlab"
    for name, values in settings.items():
        file = own / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        chosen = {**values, "theme": f"JupyterLab {theme}"} if name.endswith("themes") else values
        file.write_text(json.dumps(chosen), encoding="utf-8")
    port, token = _free_port(), secrets.token_hex(16)
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--ServerApp.port={port}"),
        *("--ServerApp.port_retries=0", f"--IdentityProvider.token={token}", "--LabApp.expose_app_in_browser=True"),
    ]
    environment = {**os.environ, **places, "JUPYTERLAB_SETTINGS_DIR": str(own.parent)}
    server = subprocess.Popen(
        command, cwd=folder / "notebooks", env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/api?token={token}", server)
        yield f"http://127.0.0.1:{port}/lab?token={token}"
    finally:
        server.terminate()
        server.wait(PATIENCE)


_PLACES = {
    "JUPYTER_CONFIG_DIR": "config",
    "JUPYTER_DATA_DIR": "data",
    "JUPYTER_RUNTIME_DIR": "runtime",
    "IPYTHONDIR": "ipython",
    "NBSTEPS_STORE": "store",
}


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    """Wait until a server answers.

    Raises:
        RuntimeError: it ended.
        TimeoutError: it did not answer.
    """
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if server.poll() is not None:
            raise RuntimeError("JupyterLab ended at once; is it there? pip install 'nbsteps[screenshots]'")
        try:
            with urllib.request.urlopen(address):  # noqa: S310 - our own server
                return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError("JupyterLab did not start")


def _picture(address: str, output: Path, size: tuple[int, int]) -> None:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - an extra that only this tool needs

    base, _, name = address.partition("&file=")
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": size[0], "height": size[1]}, device_scale_factor=2)
        page.goto(base.replace("/lab?", f"/lab/tree/{name}?"))
        page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=PATIENCE * 1000)
        page.evaluate(RUN_ALL)
        page.evaluate(CALM)
        last = page.locator(".jp-NotebookPanel .jp-CodeCell").last
        last.locator(".jp-OutputArea-output").first.wait_for(timeout=PATIENCE * 1000)
        _show(page, last)
        output.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=output)
        browser.close()


def _show(page: Any, last: Any) -> None:
    """Scroll to the last cell, and wait until nothing moves any more."""
    last.scroll_into_view_if_needed()
    last.evaluate("cell => cell.scrollIntoView({block: 'end'})")
    page.wait_for_timeout(1500)


if __name__ == "__main__":
    sys.exit(main())
