"""A notebook that was executed and exported: the widget in the page of ipywidgets' own manager, without any kernel.

That manager is what VS Code, Colab and nbconvert's pages are made with. What such a page loads from the web comes from
``npm ci`` in tests/browser/pages.
"""

from __future__ import annotations

import base64
from pathlib import Path

import nbformat
import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

MODULES = Path(__file__).parent / "pages" / "node_modules"
PICTURE = 'img[src^="data:image/svg+xml"]'
CELLS = (
    "%load_ext nbsteps\n%pipeline",
    "%%step load\nraw = [1, 2, 3]",
    "%%step clean --approve 'Publish <b>this</b>?'\nrows = raw",
    "%pipeline run",
    "%pipeline",
)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The page that nbconvert makes of a notebook with its widgets' states."""
    pytest.importorskip("nbclient")
    html = pytest.importorskip("nbconvert.exporters.html")
    from nbclient import NotebookClient

    folder = tmp_path_factory.mktemp("exported")
    (folder / ".nbsteps").mkdir()
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    nbformat.write(notebook, folder / "flow.ipynb")
    client = NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": str(folder)}}, timeout=120)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VSCODE_PID", "1")  # somebody who draws widgets
        client.execute()
    (folder / "flow.html").write_text(html.HTMLExporter().from_notebook_node(notebook)[0], encoding="utf-8")
    return folder / "flow.html"


def served(url):
    """The file behind an address that an exported page loads, None for what it can do without."""
    import anywidget

    package = Path(anywidget.__file__).parent
    places = {
        "@jupyter-widgets/html-manager": MODULES / "@jupyter-widgets" / "html-manager" / "dist" / "embed-amd.js",
        "require": MODULES / "requirejs" / "require.js",
        "anywidget": next((package / "nbextension").glob("index.js"), MODULES / "none"),
    }
    return next((place for part, place in places.items() if part in url), None)


@pytest.fixture
def open_page(page, exported):
    """``open_page(online)``: the exported page, where the web is in reach or not, and what the page complains of."""

    def answer(route, online):
        url = route.request.url
        if url.startswith("file:"):
            route.continue_()
        elif online and (file := served(url)):
            route.fulfill(path=file, content_type="text/javascript")
        else:
            route.abort()

    def opened(*, online):
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.route("**/*", lambda route: answer(route, online))
        page.goto(exported.as_uri())
        return page, said

    return opened


def test_an_exported_widget_shows_its_last_state_and_offers_nothing_that_needs_a_kernel(open_page):
    if not MODULES.exists():
        pytest.skip("the widget manager is not there: npm ci in tests/browser/pages")
    page, said = open_page(online=True)
    widget = page.locator(".nbs").last
    widget.locator("[data-step=load][data-s=cached]").wait_for()
    widget.locator("[data-step=clean][data-s=waiting]").wait_for()
    widget.get_by_text("No kernel answers").wait_for()
    for name in ("Run", "Approve"):
        assert widget.get_by_role("button", name=name, exact=True).is_disabled()
    widget.locator("[data-step=load]").click()
    widget.get_by_role("tab", name="Source", exact=True).click()
    page.locator(".pn", has_text="No kernel answers").last.wait_for()
    widget.scroll_into_view_if_needed()
    assert page.locator(f"{PICTURE}:visible").count() == 0
    assert [text for text in said if "net::ERR" not in text] == []  # pictures and fonts that it does without


def test_an_exported_notebook_without_the_web_shows_the_picture(open_page):
    page, _said = open_page(online=False)
    picture = page.locator(PICTURE).last
    picture.wait_for()
    source = base64.b64decode(picture.get_attribute("src").partition(",")[2]).decode()
    assert "Needs approval" in source
