"""Checks that links between the Markdown pages of the repository, with their anchors, lead somewhere."""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tools.tree import tracked

_EXTERNAL = re.compile(r"^[a-z][a-z0-9+.-]*:|^//", re.IGNORECASE)


def main() -> int:
    """Print broken links; the exit code is 1 if there are any."""
    pages = [file for file in tracked() if file.suffix == ".md"]
    found = [finding for page in pages for finding in broken(page)]
    print("\n".join(found) if found else f"links: all good on {len(pages)} pages")
    return bool(found)


def broken(page: Path) -> Iterator[str]:
    """Links of one page to files that do not exist or headings that are not there; the web is not asked."""
    for line, target in links(page.read_text(encoding="utf-8")):
        if _EXTERNAL.match(target):
            continue
        name, _, anchor = unquote(target).partition("#")
        file = page.parent / name if name else page
        if not file.exists():
            yield f"{page}:{line}: {target} leads nowhere"
        elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text(encoding="utf-8")):
            yield f"{page}:{line}: {file.name} has no heading #{anchor}"


def links(text: str) -> Iterator[tuple[int, str]]:
    """Targets of links and images, with the line where their block begins."""
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        for child in token.children or ():
            target = child.attrGet("href") or child.attrGet("src")
            if target:
                yield (token.map or [0])[0] + 1, str(target)


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings as code forges make them: lower case, no punctuation, dashes for spaces."""
    tokens = MarkdownIt("commonmark").parse(text)
    found: set[str] = set()
    for before, token in itertools.pairwise(tokens):
        if before.type == "heading_open":
            base = re.sub(r"[^\w\- ]", "", _plain(token).lower()).replace(" ", "-")
            repeats = (f"{base}-{number}" if number else base for number in range(len(found) + 1))
            found.add(next(anchor for anchor in repeats if anchor not in found))
    return found


def _plain(token: Token) -> str:
    return "".join(child.content for child in token.children or ())


if __name__ == "__main__":
    sys.exit(main())
