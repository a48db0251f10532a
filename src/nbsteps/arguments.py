"""The words of the command line, parsed; what they do stands in :mod:`nbsteps.cli`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nbsteps import __version__
from nbsteps.notebook.commands import KINDS, Parser, add_manner, at_least

__all__ = ["make_parser"]

_Add = Callable[[str, str], Parser]
_ONLY = "only what these steps need"


def make_parser() -> Parser:
    """The whole command line; the word that was chosen is in ``command``."""
    parser = Parser(prog="nbsteps", description="Run and inspect notebooks made of steps.")
    parser.add_argument("--version", action="version", version=f"nbsteps {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    def add(name: str, text: str) -> Parser:
        return commands.add_parser(name, help=text, description=text)

    _add_runs(add)
    _add_decisions(add)
    _add_history(add)
    _add_pure(add)
    return parser


def _add_runs(add: _Add) -> None:
    run = add("run", "run what must run, restore the rest, save the executed notebook")
    _takes_notebook(run)
    run.add_argument("-o", "--output", type=Path, metavar="OUT.ipynb", help="where the executed notebook goes")
    run.add_argument("--step", "-s", nargs="+", default=[], metavar="STEP", help=f"run {_ONLY}")
    run.add_argument("--force", action="store_true", help="execute these (all, without --step), whatever is stored")
    run.add_argument("--force-step", nargs="+", default=[], metavar="STEP", help="execute these, whatever is stored")
    add_manner(run)
    plan = add("plan", "show what a run would do; steps are not executed")
    _takes_notebook(plan)
    plan.add_argument("--step", "-s", nargs="+", default=[], metavar="STEP", help=_ONLY)
    plan.add_argument("--force", action="store_true", help="as if these were forced")
    _takes_notebook(add("why", "say why a step would run or not, as a diff"), step=True)
    status = add("status", "every step as it stands")
    _takes_notebook(status)
    status.add_argument("--watch", action="store_true", help="follow the newest run of the notebook until it ends")
    clear = add("clear", "forget stored results")
    _takes_notebook(clear)
    clear.add_argument("--step", "-s", nargs="+", default=[], metavar="STEP", help="only these; all if absent")
    _takes_notebook(add("accept", "keep a step's stored result although its code changed"), step=True)


def _add_decisions(add: _Add) -> None:
    for word, text in (("approve", "let a step that waits for approval run"), ("reject", "keep it from running")):
        command = add(word, text)
        _names_notebook(command)
        command.add_argument("step", metavar="STEP", help="name of the step")
        if word == "approve":
            command.add_argument(
                "values", nargs="*", default=[], metavar="FIELD=VALUE", help="what is filled into the form"
            )
        command.add_argument("--comment", "-c", default="", metavar="TEXT", help="kept with the decision")
        command.add_argument("--run", action="store_true", help="go on with the notebook at once")


def _names_notebook(command: Parser) -> None:
    command.add_argument("notebook", type=Path, metavar="NB", help="the notebook's file")


def _takes_notebook(command: Parser, *, step: bool = False) -> None:
    _names_notebook(command)
    if step:
        command.add_argument("step", metavar="STEP", help="name of the step")
    command.add_parameters()
    command.add_argument("-k", "--kernel", metavar="NAME", help="use this kernel instead of the notebook's own")
    command.add_argument("--json", action="store_true", help="print one JSON object on standard output")


def _add_history(add: _Add) -> None:
    history = add("history", "what happened: runs, steps, attempts, events, artifacts, approvals")
    # A notebook may stand alone, so that which word is which is seen later.
    history.add_argument("kind", nargs="?", default="runs", metavar="|".join(KINDS), help="which table; runs if absent")
    only = "only what happened in this notebook"
    history.add_argument("notebook", nargs="?", type=Path, metavar="NB", help=only)
    history.add_argument(
        *("-n", "--limit"), type=at_least(0), default=None, metavar="N", help="at most so many rows, the newest"
    )
    form = history.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print a JSON list")
    form.add_argument("--csv", action="store_true", help="print CSV")
    form.add_argument("--wide", action="store_true", help="print every column, whatever the width")
    sql = add("sql", "query the history and the stored tables (step.output) with SQL")
    sql.add_argument("query", metavar="QUERY", help="DuckDB's SQL")
    sql.add_argument("--json", action="store_true", help="print a JSON list")


def _add_pure(add: _Add) -> None:
    check = add("check", "list what is wrong with a notebook; exit 1 if anything is")
    _names_notebook(check)
    check.add_argument("--json", action="store_true", help="print a JSON list")
    graph = add("graph", "draw the graph of a notebook")
    _names_notebook(graph)
    graph.add_argument("-o", "--output", type=Path, metavar="FILE", help=".svg, .html or .mmd; text if absent")
    report = add("report", "write a page about one run: graph, timeline, steps, failures")
    which = "its identifier or the beginning of it, or a notebook for its last run; the last of all if absent"
    report.add_argument("run", nargs="?", default="last", metavar="RUN", help=which)
    report.add_argument(
        "-o", "--output", type=Path, default=Path("report.html"), metavar="FILE", help="report.html if absent"
    )
    doctor = add("doctor", "check the installation, the kernels and the store")
    doctor.add_argument("--json", action="store_true", help="print one JSON object")
