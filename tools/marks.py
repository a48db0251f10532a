"""Writes what the pages' scripts draw states with, from the words and marks that every other view uses."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from nbsteps.display.marks import mark
from nbsteps.display.standing import WORDS

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "frontend" / "src" / "marks.json"
EXTENSION = ROOT / "labextension" / "static" / "drawing.js"
_REGION = re.compile(r"(?<=const MARKS = ).*(?=;\n// End of what is generated\.)")


def main() -> int:
    """Write the files."""
    TARGET.write_text(rendered(), encoding="utf-8")
    EXTENSION.write_text(in_extension(EXTENSION.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


def in_extension(script: str) -> str:
    """The extension's script with the marks as they are now."""
    packed = json.dumps(json.loads(rendered()), separators=(",", ":"))
    return _REGION.sub(lambda _found: packed, script)


def rendered() -> str:
    """State to its word and its mark: elements as name and attributes, colours as ``currentColor`` and ``--knock``."""
    states = {str(state): {"word": word, "mark": _elements(str(state))} for state, word in WORDS.items()}
    return json.dumps(states, indent=1) + "\n"


def _elements(state: str) -> list[list[Any]]:
    root = ET.fromstring(f"<g>{mark(state, 'currentColor', 'var(--knock)')}</g>")  # noqa: S314 - our own marks
    return [[element.tag, element.attrib] for element in root]


if __name__ == "__main__":
    sys.exit(main())
