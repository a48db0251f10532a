"""The words after ``%pipeline``, parsed. The same words stand on the command line."""

from __future__ import annotations

import argparse
import ast
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from nbsteps.core.errors import UsageError

KINDS = ("runs", "steps", "attempts", "events", "artifacts", "approvals")


class Parser(argparse.ArgumentParser):
    """argparse that raises :class:`UsageError` instead of printing and exiting, and says what may have been meant."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Parse all words: what is left over is an error here, where the command is known."""
        words = _paired(sys.argv[1:] if args is None else args)
        found, rest = super().parse_known_args(words, namespace)
        if rest:
            self._refuse_rest(rest)
        return found, rest

    def add_parameters(self) -> None:
        """The words that set papermill parameters: ``-p month=7`` or, as papermill has it, ``-p month 7``."""
        self.add_argument(
            *("-p", "--param"),
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="set a variable of the cell tagged 'parameters'; may be repeated; also NAME VALUE",
        )

    def error(self, message: str) -> NoReturn:
        """Turn a parse error into ours."""
        said = message.removeprefix("argument ").replace("the following arguments are required:", "missing:")
        raise UsageError(f"{self.prog}: {said}", hint=self._form())

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Help was asked for and printed: end quietly."""
        del message
        raise SystemExit(status)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            known = tuple(map(str, action.choices))
            what = "command" if isinstance(action, argparse._SubParsersAction) else "word"  # noqa: SLF001 - argparse has no other name for it
            raise UsageError(f"{self.prog}: there is no {what} {str(value)!r}", hint=meant(str(value), known))

    def _refuse_rest(self, rest: Sequence[str]) -> NoReturn:
        flags = tuple(self._option_string_actions)
        wrong = rest[0].partition("=")[0]
        if wrong.startswith("-"):
            known = tuple(flag for flag in flags if flag.startswith("--"))
            raise UsageError(f"{self.prog}: there is no option {wrong}", hint=meant(wrong, known))
        hint = self._form()
        if "--step" in flags:
            hint = f"steps are named so: {self.prog} NB --step {' '.join(rest)}"
        raise UsageError(f"{self.prog}: {wrong!r} is one word too many", hint=hint)

    def _form(self) -> str:
        """How the command is written: what it must be given, and where the rest is found."""
        words = self._get_positional_actions()
        given = [f"[{_shown(word)}]" if word.nargs in {"?", "*"} else _shown(word) for word in words]
        return " ".join([self.prog, *given]) + f"    (all words: {self.prog} --help)"


def _shown(word: argparse.Action) -> str:
    return str(word.metavar or word.dest.upper())


def _paired(words: Sequence[str]) -> list[str]:
    """``-p month 7`` as ``-p month=7``."""
    paired = list[str]()
    waiting = list(reversed(words))
    while waiting:
        word = waiting.pop()
        paired.append(word)
        if word in {"-p", "--param"} and waiting:
            name = waiting.pop()
            plain = "=" not in name and name.isidentifier() and bool(waiting)
            paired.append(f"{name}={waiting.pop()}" if plain else name)
    return paired


def meant(word: str, known: Sequence[str], what: str = "known") -> str:
    """What may have been meant by an unknown word, or else what there is."""
    import difflib  # noqa: PLC0415 - only for a message

    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else f"{what}: {', '.join(known) or 'none'}"


def add_manner(run: argparse.ArgumentParser) -> None:
    """The words on how a run goes about it, the same for magic and command line."""
    way = run.add_mutually_exclusive_group()
    way.add_argument("--fail-fast", action="store_true", help="start nothing more once a step failed")
    going = "go on with what does not need a failed step, as without this word"
    way.add_argument("--keep-going", action="store_true", help=going)
    workers = "execute so many bodies at once away from the kernel's main thread"
    run.add_argument("--workers", type=at_least(1), default=1, metavar="N", help=workers)
    run.add_argument("--executor", default="", metavar="NAME", help="where they are executed: threads or processes")


def at_least(least: int) -> Callable[[str], int]:
    """What reads a whole number that is not smaller than ``least``."""

    def read(text: str) -> int:
        number = int(text) if text.strip().lstrip("+-").isdecimal() else least - 1
        if number < least:
            msg = f"{text!r} is no whole number from {least} on"
            raise argparse.ArgumentTypeError(msg)
        return number

    return read


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
    run.add_parameters()
    add_manner(run)
    run.add_argument("--dry-run", action="store_true", help="show the plan, run nothing")
    run.add_argument("--waited", default="", help=argparse.SUPPRESS)


def _add_decision(decide: Parser, *, form: bool) -> None:
    decide.add_argument("step", metavar="STEP", help="name of the step")
    if form:
        decide.add_argument("values", nargs="*", default=[], metavar="FIELD=VALUE", help="what is filled into the form")
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
