"""``nbsteps``: the words of ``%pipeline`` on the command line. Parses, calls one function, shows.

Exit codes: 0 succeeded, 1 failed, 2 bad use or a notebook with problems, 3 waiting for approval, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbsteps import __version__
from nbsteps.core.errors import NbstepsError, ProblemsError, UsageError
from nbsteps.notebook.commands import add_manner

if TYPE_CHECKING:
    from nbsteps.notebook.launch import Request

INTERRUPTED = 130
_REPORTING = frozenset({"run", "plan", "why", "status", "clear", "accept"})
"""Commands that print one object about a notebook, also about one that is refused."""
KINDS = ("runs", "steps", "attempts", "events", "artifacts", "approvals")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    args = make_parser().parse_args(argv)
    try:
        code: int = args.handler(args)
    except NbstepsError as error:
        return _refuse(args, error)
    except KeyboardInterrupt:
        _say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    return code


def make_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(prog="nbsteps", description="Run and inspect notebooks made of steps.")
    parser.add_argument("--version", action="version", version=f"nbsteps {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def add(name: str, handler: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(handler=handler)
        return command

    _add_runs(add)
    _add_decisions(add)
    _add_history(add)
    _add_pure(add)
    return parser


def _add_runs(add: Callable[..., argparse.ArgumentParser]) -> None:
    run = add("run", _run, "run what must run, restore the rest, save the executed notebook")
    _takes_notebook(run)
    run.add_argument("-o", "--output", type=Path, metavar="OUT.ipynb", help="where the executed notebook goes")
    run.add_argument("--step", "-s", nargs="+", default=[], metavar="STEP", help="run only what these steps need")
    run.add_argument("--force", action="store_true", help="execute these (all, without --step), whatever is stored")
    run.add_argument("--force-step", nargs="+", default=[], metavar="STEP", help="execute these, whatever is stored")
    add_manner(run)
    plan = add("plan", _plan, "show what a run would do; steps are not executed")
    _takes_notebook(plan)
    plan.add_argument("--step", "-s", nargs="+", default=[], metavar="STEP", help="only what these steps need")
    plan.add_argument("--force", action="store_true", help="as if these were forced")
    why = add("why", _why, "say why a step would run or not, as a diff")
    _takes_notebook(why, step=True)
    status = add("status", _status, "every step as it stands")
    _takes_notebook(status)
    status.add_argument("--watch", action="store_true", help="follow the newest run of the notebook until it ends")
    clear = add("clear", _clear, "forget stored results")
    _takes_notebook(clear)
    clear.add_argument("--step", "-s", nargs="+", default=[], metavar="STEP", help="only these; all if absent")
    accept = add("accept", _accept, "keep a step's stored result although its code changed")
    _takes_notebook(accept, step=True)


def _add_decisions(add: Callable[..., argparse.ArgumentParser]) -> None:
    for word, text in (("approve", "let a step that waits for approval run"), ("reject", "keep it from running")):
        command = add(word, _decide, text)
        command.add_argument("notebook", type=Path, metavar="NB", help="the notebook's file")
        command.add_argument("step", metavar="STEP", help="name of the step")
        if word == "approve":
            command.add_argument("values", nargs="*", metavar="FIELD=VALUE", help="what is filled into the form")
        command.add_argument("--comment", "-c", default="", metavar="TEXT", help="kept with the decision")
        command.add_argument("--run", action="store_true", help="go on with the notebook at once")


def _takes_notebook(command: argparse.ArgumentParser, *, step: bool = False) -> None:
    command.add_argument("notebook", type=Path, metavar="NB", help="the notebook's file")
    if step:
        command.add_argument("step", metavar="STEP", help="name of the step")
    command.add_argument(
        *("-p", "--param"),
        nargs="+",
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="set a variable of the cell tagged 'parameters'; may be repeated",
    )
    command.add_argument("-k", "--kernel", metavar="NAME", help="use this kernel instead of the notebook's own")
    command.add_argument("--json", action="store_true", help="print one JSON object on standard output")


def _add_history(add: Callable[..., argparse.ArgumentParser]) -> None:
    history = add("history", _history, "what happened: runs, steps, attempts, events, artifacts, approvals")
    history.add_argument("kind", nargs="?", choices=KINDS, default="runs", help="which table; runs if absent")
    history.add_argument("-n", "--limit", type=int, default=None, help="at most so many rows, the newest")
    form = history.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print a JSON list")
    form.add_argument("--csv", action="store_true", help="print CSV")
    form.add_argument("--wide", action="store_true", help="print every column, whatever the width")
    sql = add("sql", _sql, "query the history and the stored tables (step.output) with SQL")
    sql.add_argument("query", metavar="QUERY", help="DuckDB's SQL")
    sql.add_argument("--json", action="store_true", help="print a JSON list")


def _add_pure(add: Callable[..., argparse.ArgumentParser]) -> None:
    check = add("check", _check, "list what is wrong with a notebook; exit 1 if anything is")
    check.add_argument("notebook", type=Path, metavar="NB", help="the notebook's file")
    check.add_argument("--json", action="store_true", help="print a JSON list")
    graph = add("graph", _graph, "draw the graph of a notebook")
    graph.add_argument("notebook", type=Path, metavar="NB", help="the notebook's file")
    graph.add_argument("-o", "--output", type=Path, metavar="FILE", help=".svg, .html or .mmd; text if absent")
    report = add("report", _report, "write a page about one run: graph, timeline, steps, failures")
    report.add_argument(
        "run",
        nargs="?",
        default="last",
        metavar="RUN",
        help="its identifier or the beginning of it; the last if absent",
    )
    report.add_argument(
        "-o", "--output", type=Path, default=Path("report.html"), metavar="FILE", help="report.html if absent"
    )
    doctor = add("doctor", _doctor, "check the installation, the kernels and the store")
    doctor.add_argument("--json", action="store_true", help="print one JSON object")


def _request(args: argparse.Namespace) -> Request:
    from nbsteps.notebook.launch import Request  # noqa: PLC0415 - keeps --help fast

    step = getattr(args, "step", [])
    return Request(
        args.notebook,
        _parameters(args.param),
        getattr(args, "output", None),
        (step,) if isinstance(step, str) else tuple(step),
        force=getattr(args, "force", False),
        kernel=args.kernel,
        fail_fast=getattr(args, "fail_fast", False),
        workers=getattr(args, "workers", 1),
        executor=getattr(args, "executor", ""),
        forced=tuple(getattr(args, "force_step", ())),
    )


def _parameters(pairs: Sequence[Sequence[str]]) -> dict[str, object]:
    """``-p month 7`` and ``-p month=7``."""
    from nbsteps.notebook.commands import literal, parse_parameters  # noqa: PLC0415 - keeps --help fast

    found: dict[str, object] = {}
    for pair in pairs:
        if len(pair) == 2 and "=" not in pair[0]:  # noqa: PLR2004 - a name and a value
            found[pair[0]] = literal(pair[1])
        else:
            found.update(parse_parameters(pair))
    return found


def _run(args: argparse.Namespace) -> int:
    from nbsteps.display import text  # noqa: PLC0415 - keeps --help fast
    from nbsteps.notebook.watching import run_watched  # noqa: PLC0415 - keeps --help fast
    from nbsteps.report import printed, read_report, trouble  # noqa: PLC0415 - keeps --help fast

    request = _request(args)
    # Schedulers end jobs with SIGTERM: the kernel, the history and the output notebook deserve the same care then.
    signal.signal(signal.SIGTERM, lambda _number, _frame: signal.raise_signal(signal.SIGINT))
    report = run_watched(request, sys.stderr)
    if args.json:
        _print_json(printed(report))
    else:
        _print(text.run_lines(read_report(report)))
        if wrong := trouble(report):
            _print(text.problem_lines(wrong))
        _print(f"output: {_shown_path(Path(report['output']))}")
    code: int = report["exit_code"]
    return code


def _shown_path(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _plan(args: argparse.Namespace) -> int:
    from nbsteps.notebook.launch import inquire  # noqa: PLC0415 - keeps --help fast

    report = inquire("plan", _request(args))
    _show(args, report)
    code: int = report["exit_code"]
    return code


def _why(args: argparse.Namespace) -> int:
    from nbsteps.notebook.launch import inquire  # noqa: PLC0415 - keeps --help fast

    _show(args, inquire("why", _request(args)))
    return 0


def _status(args: argparse.Namespace) -> int:
    if args.watch:
        return _watch(args)
    from nbsteps.notebook.launch import inquire  # noqa: PLC0415 - keeps --help fast

    report = inquire("status", _request(args))
    report.pop("model")
    _show(args, report)
    return 0


def _watch(args: argparse.Namespace) -> int:
    from nbsteps.api import open_store  # noqa: PLC0415 - keeps --help fast
    from nbsteps.notebook.following import follow  # noqa: PLC0415 - keeps --help fast

    with open_store(args.notebook.absolute().parent) as store:
        return follow(store.history, args.notebook, sys.stdout)


def _clear(args: argparse.Namespace) -> int:
    from nbsteps.notebook.launch import inquire  # noqa: PLC0415 - keeps --help fast

    _show(args, inquire("clear", _request(args)))
    return 0


def _accept(args: argparse.Namespace) -> int:
    from nbsteps.notebook.launch import inquire  # noqa: PLC0415 - keeps --help fast

    _show(args, inquire("accept", _request(args)))
    return 0


def _decide(args: argparse.Namespace) -> int:
    from nbsteps.notebook.deciding import Decision, decide_from_outside, form_values  # noqa: PLC0415 - keeps --help fast

    values = form_values(getattr(args, "values", ()))
    taken = decide_from_outside(args.notebook, Decision(args.command, args.step, values, args.comment))
    _print(taken.line)
    if not args.run:
        _print(f"go on with: nbsteps run {_shown_path(args.notebook)}{taken.waited.words()}")
        return 0
    return main(["run", str(args.notebook), *taken.waited.arguments()])


def _show(args: argparse.Namespace, report: dict[str, Any]) -> None:
    """The answer of a kernel: as data, or the text that it made of it."""
    from nbsteps.report import printed  # noqa: PLC0415 - keeps --help fast

    text = report.pop("text")
    for warning in report.pop("warnings"):
        _say(f"! {warning}")
    if args.json:
        _print_json(printed(report) if "problems" in report else report)
    else:
        _print(text)


def _history(args: argparse.Namespace) -> int:
    from nbsteps.api import open_store  # noqa: PLC0415 - keeps --help fast
    from nbsteps.display.history import history_lines  # noqa: PLC0415 - keeps --help fast

    with open_store(Path.cwd()) as store:
        if not (args.csv or args.wide):
            records = store.history.records(args.kind, limit=args.limit)
            if args.json:
                _print_json(records)
            else:
                _print(history_lines(args.kind, records))
            return 0
        frame = getattr(store.history, args.kind)(limit=args.limit)
    _print(frame.to_csv(index=False).rstrip() if args.csv else _table(frame))
    return 0


def _sql(args: argparse.Namespace) -> int:
    from nbsteps.api import open_store  # noqa: PLC0415 - keeps --help fast

    with open_store(Path.cwd()) as store:
        frame = store.history.sql(args.query)
    _print(frame.to_json(orient="records", date_format="iso") if args.json else _table(frame))
    return 0


def _table(frame: Any) -> str:
    return "no rows" if frame.empty else str(frame.to_string(index=False, max_colwidth=60, na_rep=""))


def _check(args: argparse.Namespace) -> int:
    from nbsteps.display import text  # noqa: PLC0415 - keeps --help fast
    from nbsteps.display.wording import count  # noqa: PLC0415 - keeps --help fast
    from nbsteps.notebook.launch import Request, understand_notebook  # noqa: PLC0415 - keeps --help fast
    from nbsteps.report import problem_rows  # noqa: PLC0415 - keeps --help fast

    _document, graph = understand_notebook(Request(args.notebook))
    if args.json:
        _print_json(problem_rows(graph.problems))
    else:
        _print(
            text.problem_lines(graph.problems) if graph.problems else f"{count(len(graph.steps), 'step')}, no problems"
        )
    return 1 if graph.problems else 0


def _graph(args: argparse.Namespace) -> int:
    from nbsteps.display.headless import graph_lines  # noqa: PLC0415 - keeps --help fast
    from nbsteps.display.mermaid import graph_mermaid  # noqa: PLC0415 - keeps --help fast
    from nbsteps.display.page import graph_html  # noqa: PLC0415 - keeps --help fast
    from nbsteps.display.svg import graph_svg  # noqa: PLC0415 - keeps --help fast
    from nbsteps.display.view import graph_model  # noqa: PLC0415 - keeps --help fast
    from nbsteps.notebook.launch import Request, understand_notebook  # noqa: PLC0415 - keeps --help fast

    document, graph = understand_notebook(Request(args.notebook))
    if args.output is None:
        _print(graph_lines(graph))
        return 0
    writers = {".svg": graph_svg, ".html": graph_html, ".mmd": graph_mermaid}
    writer = writers.get(args.output.suffix)
    if writer is None:
        msg = f"a graph cannot be written as {args.output.suffix or 'a file without suffix'}"
        raise UsageError(msg, hint="choose .svg, .html or .mmd")
    args.output.write_text(writer(graph_model(graph, {}, title=document.path.name)), encoding="utf-8")
    return 0


def _report(args: argparse.Namespace) -> int:
    from nbsteps.api import open_store  # noqa: PLC0415 - keeps --help fast
    from nbsteps.notebook.reports import run_report  # noqa: PLC0415 - keeps --help fast

    with open_store(Path.cwd()) as store:
        page = run_report(store.history, args.run, Path.cwd())
    try:
        args.output.write_text(page, encoding="utf-8")
    except OSError as error:
        msg = f"the report {args.output} cannot be written: {error.strerror or error}"
        raise UsageError(msg, hint="name another place: -o PATH") from error
    _print(f"output: {_shown_path(args.output.absolute())}")
    return 0


def _doctor(args: argparse.Namespace) -> int:
    from nbsteps.doctor import examine  # noqa: PLC0415 - keeps --help fast

    findings = examine(Path.cwd())
    if args.json:
        _print_json([{"what": f.what, "ok": f.ok, "seen": f.seen, "hint": f.hint} for f in findings])
    else:
        _print("\n".join(map(str, findings)))
    return 0 if all(finding.ok for finding in findings) else 1


def _refuse(args: argparse.Namespace, error: NbstepsError) -> int:
    """One clear message, and as data where data was asked for."""
    from nbsteps.report import printed, refused_report  # noqa: PLC0415 - keeps --help fast

    if getattr(args, "json", False) and args.command in _REPORTING:
        problems = error.problems if isinstance(error, ProblemsError) else (error.problem,)
        _print_json({**printed(refused_report(str(args.notebook), problems)), "exit_code": error.exit_code})
    _say(f"nbsteps: {error}")
    return error.exit_code


def _print_json(value: object) -> None:
    _print(json.dumps(value, default=str))


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
