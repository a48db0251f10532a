"""The words after ``%pipeline``, parsed. The same words stand on the command line."""

from __future__ import annotations

import argparse
import ast
import shlex
from collections.abc import Sequence
from typing import NoReturn

from nbsteps.core.errors import UsageError

KINDS = ("runs", "steps", "attempts", "events", "artifacts", "approvals")


class Parser(argparse.ArgumentParser):
    """argparse that raises :class:`UsageError` instead of printing and exiting."""

    def error(self, message: str) -> NoReturn:
        """Turn a parse error into ours."""
        raise UsageError(message, hint=" ".join(self.format_usage().removeprefix("usage: ").split()))

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Help was asked for and printed: end quietly."""
        del message
        raise SystemExit(status)


def add_manner(run: argparse.ArgumentParser) -> None:
    """The words on how a run goes about it, the same for magic and command line."""
    way = run.add_mutually_exclusive_group()
    way.add_argument("--fail-fast", action="store_true", help="start nothing more once a step failed")
    going = "go on with what does not need a failed step, as without this word"
    way.add_argument("--keep-going", action="store_true", help=going)
    workers = "execute so many bodies at once away from the kernel's main thread"
    run.add_argument("--workers", type=_positive, default=1, metavar="N", help=workers)
    run.add_argument("--executor", default="", metavar="NAME", help="where they are executed: threads or processes")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


_NEEDED = "only these and what they need; all if absent"


def pipeline_parser() -> Parser:
    """The parser of ``%pipeline``; ``command`` is None where the line is empty."""
    parser = Parser(prog="%pipeline", description="Run, inspect and explain this notebook's steps.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    def add(name: str, text: str) -> Parser:
        return commands.add_parser(name, help=text, description=text)

    _add_run(add("run", "run what must run, for these steps and what they need"))
    add("plan", "show what a run would do").add_argument("steps", nargs="*", metavar="STEP", help=_NEEDED)
    add("why", "say why a step would run or not").add_argument("step", metavar="STEP", help="name of the step")
    add("cancel", "end the current run; from another cell or a page, since this one waits for it")
    add("status", "every step as it stands")
    add("graph", "draw the graph")
    clear = add("clear", "forget stored results")
    clear.add_argument("steps", nargs="*", metavar="STEP", help="only these; all if absent")
    _add_decision(add("approve", "let a step that waits for approval run"), form=True)
    _add_decision(add("reject", "keep it from running"), form=False)
    accept = add("accept", "keep a step's stored result although its code changed")
    accept.add_argument("step", metavar="STEP", help="name of the step")
    accept.add_argument("--seen", default="", help=argparse.SUPPRESS)
    add("check", "list what is wrong with the notebook")
    history = add("history", "the history as a DataFrame")
    history.add_argument("kind", nargs="?", choices=KINDS, default="runs", help="which table; runs if absent")
    notebook = add("notebook", "say which notebook this kernel belongs to")
    notebook.add_argument("path", nargs="?", metavar="PATH", help="take this one from now on")
    return parser


def _add_run(run: Parser) -> None:
    run.add_argument("steps", nargs="*", metavar="STEP", help=_NEEDED)
    run.add_argument("--force", nargs="*", metavar="STEP", help="run these (all, if none is named) whatever is stored")
    run.add_argument(
        "--param",
        "-p",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set a variable of the cell tagged 'parameters'; may be repeated",
    )
    add_manner(run)
    run.add_argument("--dry-run", action="store_true", help="show the plan, run nothing")
    run.add_argument("--waited", default="", help=argparse.SUPPRESS)


def _add_decision(decide: Parser, *, form: bool) -> None:
    decide.add_argument("step", metavar="STEP", help="name of the step")
    if form:
        decide.add_argument("values", nargs="*", metavar="FIELD=VALUE", help="what is filled into the form")
    decide.add_argument("--comment", "-c", default="", metavar="TEXT", help="kept with the decision")


def parse_pipeline(line: str) -> argparse.Namespace:
    """Parse the text after ``%pipeline``.

    Raises:
        UsageError: words that cannot be meant.
    """
    try:
        words = shlex.split(line)
    except ValueError as error:
        msg = f"%pipeline {line}: {error}"
        raise UsageError(msg, hint="close the quotes") from error
    return pipeline_parser().parse_args(words)


def parse_parameters(pairs: Sequence[str]) -> dict[str, object]:
    """``["month=7", "carrier=UA"]`` -> values: a Python literal where the text is one, else the text.

    Raises:
        UsageError: no ``=``, or a name that is no identifier.
    """
    found: dict[str, object] = {}
    for pair in pairs:
        name, separator, text = pair.partition("=")
        if not separator or not name.isidentifier():
            msg = f"parameter {pair!r} is not of the form NAME=VALUE"
            raise UsageError(msg, hint="for example: --param month=7")
        found[name] = literal(text)
    return found


def literal(text: str) -> object:
    """A Python literal where the text is one, else the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return {"true": True, "false": False, "null": None}.get(text, text)
