"""Writes what the reference pages can take from the code: between ``<!-- generated: NAME -->`` and ``<!-- end -->``.

``python -m tools.reference`` writes; ``--check`` only says which pages are behind the code.
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path

import nbsteps
from nbsteps.arguments import make_parser
from nbsteps.config import Config, Notify
from nbsteps.core.options import reference_markdown
from nbsteps.core.reasons import TEXTS, ReasonKind
from nbsteps.notebook.commands import pipeline_parser
from nbsteps.store.views import COLUMNS
from tools.meanings import DTYPES, MEANINGS, REASONS

FOLDER = Path(__file__).parent.parent / "docs" / "reference"
REGION = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main(arguments: list[str] | None = None) -> int:
    """Write or check all pages; the exit code is 1 if one was behind and is not written."""
    parser = argparse.ArgumentParser(prog="python -m tools.reference", description="Write the generated references.")
    parser.add_argument("--check", action="store_true", help="say which pages are behind the code, write nothing")
    options = parser.parse_args(arguments)
    behind = [page for page in sorted(FOLDER.glob("*.md")) if _renew(page, write=not options.check)]
    if options.check and behind:
        print("behind the code, run python -m tools.reference: " + ", ".join(page.name for page in behind))
        return 1
    print(f"references: {len(behind)} written" if behind else "references: all up to date")
    return 0


def _renew(page: Path, *, write: bool) -> bool:
    """Whether a page was behind."""
    text = page.read_text(encoding="utf-8")
    current = renewed(text)
    if write and current != text:
        page.write_text(current, encoding="utf-8")
    return current != text


def renewed(text: str) -> str:
    """A page's text with its generated regions as the code says they should be."""
    return REGION.sub(lambda found: f"{found[1]}\n{WRITERS[found[2]]().strip()}\n\n{found[3]}", text)


def api() -> str:
    """Every public function: how it is called, and its documentation."""
    names = [name for name in nbsteps.__all__ if inspect.isfunction(getattr(nbsteps, name))]
    return "\n\n".join(_function(name) for name in names if not name.endswith("_ipython_extension"))


def _function(name: str) -> str:
    function = getattr(nbsteps, name)
    signature = str(inspect.signature(function, eval_str=False)).replace("'", "")
    signature = signature.replace("AnyPath", "str | PathLike")
    return f"## {name}\n\n```text\nnbsteps.{name}{signature}\n```\n\n{_documentation(inspect.getdoc(function) or '')}"


def _documentation(text: str) -> str:
    """A docstring as Markdown: its sections become lists."""
    section, lines = "", list[str]()
    for line in text.replace("``", "`").splitlines():
        if line in {"Args:", "Returns:", "Raises:"}:
            section = line[:-1]
            lines += ["Arguments:" if section == "Args" else f"{section}:", ""]
        elif not section or not line.startswith("    "):
            lines.append(line)
        elif section == "Returns" or line.startswith("        "):
            lines.append(line.strip())
        else:
            word, _, rest = line.strip().partition(": ")
            lines.append(f"- `{word}`: {rest}")
    return "\n".join(lines)


def pipeline() -> str:
    """The words of ``%pipeline``."""
    return _commands(pipeline_parser())


def cli() -> str:
    """The command line."""
    return _commands(make_parser())


def _commands(parser: argparse.ArgumentParser) -> str:
    """A section for each command."""
    actions = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]  # noqa: SLF001 - argparse has no other way to its commands
    helps = {choice.dest: choice.help or "" for choice in actions[0]._choices_actions}  # noqa: SLF001 - (the same)
    return "\n\n".join(_command(command, helps[name]) for name, command in actions[0].choices.items())


def _command(command: argparse.ArgumentParser, text: str) -> str:
    rows = [row for action in command._actions for row in _argument(action)]  # noqa: SLF001 - (the same)
    head = f"## {command.prog}\n\n{text[:1].upper()}{text[1:]}."
    return "\n".join([head, "", "| argument | what it says |", "|---|---|", *rows]) if rows else head


def _argument(action: argparse.Action) -> Iterator[str]:
    """A row for an argument, none for ``--help`` and for what only pages send."""
    if isinstance(action, argparse._HelpAction) or action.help == argparse.SUPPRESS:  # noqa: SLF001 - (the same)
        return
    metavar = action.metavar or action.dest.upper()
    if action.choices:
        metavar = "\\|".join(map(str, action.choices))
    value = " ".join(metavar) if isinstance(metavar, tuple) else metavar
    value += "..." if action.nargs in {"*", "+"} and not isinstance(metavar, tuple) else ""
    takes = action.nargs != 0
    shown = ", ".join(f"{flag} {value}" if takes else flag for flag in action.option_strings) or value
    yield f"| `{shown}` | {action.help or ''} |"


def history() -> str:
    """The columns of the history tables."""
    return "\n\n".join(_table(table, columns) for table, columns in COLUMNS.items())


def _table(table: str, columns: Mapping[str, str]) -> str:
    rows = [f"| `{column}` | {DTYPES[kind]} | {MEANINGS[table][column]} |" for column, kind in columns.items()]
    return "\n".join(
        [f"## {table}", "", MEANINGS[table][""], "", "| column | dtype | meaning |", "|---|---|---|", *rows]
    )


def configuration() -> str:
    """The settings of ``[tool.nbsteps]``."""
    notes = dict(re.findall(r"^    (\w+): (.+)$", inspect.getdoc(Config) or "", re.MULTILINE))
    plain = [field for field in fields(Config) if field.name != "notify"]
    rows = [f"| `{field.name}` | `{_toml(field.default)}` | {_plain(notes[field.name])} |" for field in plain]
    notes = dict(re.findall(r"^    (\w+): (.+)$", inspect.getdoc(Notify) or "", re.MULTILINE))
    rows += [
        f"| `notify.{field.name}` | `{_toml(field.default)}` | {_plain(notes[field.name])} |"
        for field in fields(Notify)
    ]
    return "\n".join(["| setting | default | what it says |", "|---|---|---|", *rows])


def _toml(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return f'"{value}"' if isinstance(value, str) else f"{value:_}"


def reasons() -> str:
    """Every reason with its text."""
    rows = [f"| `{TEXTS[kind]}` | {REASONS[kind]} |" for kind in ReasonKind if kind in REASONS]
    return "\n".join(["| reason | meaning |", "|---|---|", *rows])


def _plain(text: str) -> str:
    return text.replace("``", "`")


WRITERS: Mapping[str, Callable[[], str]] = {
    "api": api,
    "cli": cli,
    "configuration": configuration,
    "history": history,
    "options": reference_markdown,
    "pipeline": pipeline,
    "reasons": reasons,
}
"""Name of a region to what belongs there."""


if __name__ == "__main__":
    sys.exit(main())
