"""The script that the wheel carries is what its sources give, and knows every state."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tools import marks

FRONTEND = Path(__file__).parents[2] / "frontend"
STATIC = Path(__file__).parents[2] / "src" / "nbsteps" / "display" / "static"

built = pytest.mark.skipif(
    shutil.which("node") is None or not (FRONTEND / "node_modules").exists(),
    reason="needs node, and npm ci in frontend/",
)


def npm(*words):
    done = subprocess.run(["npm", *words], cwd=FRONTEND, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_marks_and_words_are_those_of_every_other_view():
    assert marks.TARGET.read_text(encoding="utf-8") == marks.rendered(), "python -m tools.marks"


@built
def test_a_rebuild_gives_the_same_bytes():
    npm("run", "build", "--", "--check")


@built
def test_types_and_unit_tests_of_the_script():
    npm("run", "check")
    npm("test")


def test_the_script_makes_no_markup_of_texts():
    text = (STATIC / "widget.js").read_text(encoding="utf-8")
    sources = "".join(path.read_text(encoding="utf-8") for path in (FRONTEND / "src").glob("*.ts*"))
    assert "dangerouslySetInnerHTML" not in sources
    assert not [word for word in ("innerHTML", "insertAdjacentHTML", "document.write", "eval(") if word in sources]
    assert "http://" not in text.replace("http://www.w3.org/", "")
