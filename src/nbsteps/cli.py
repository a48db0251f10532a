"""``nbsteps``: the words of ``%pipeline`` on the command line. Parses, calls one function, shows.

Exit codes: 0 succeeded, 1 failed, 2 bad use or a notebook with problems, 3 waiting for approval, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbsteps.arguments import make_parser
from nbsteps.core.errors import NbstepsError, ProblemsError, UsageError

if TYPE_CHECKING:
    from nbsteps.notebook.launch import Request

INTERRUPTED = 130
_REPORTING = frozenset({"run", "plan", "why", "status", "clear", "accept"})
"""Commands that print one object about a notebook, also about one that is refused."""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    args = argparse.Namespace()
    _show_anyhow()
    try:
        make_parser().parse_args(argv, args)
        code = _HANDLERS[args.command](args)
    except NbstepsError as error:
        return _refuse(args, error)
    except KeyboardInterrupt:
        _say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    return code


def _show_anyhow() -> None:
    """Where a terminal's code page or a locale lacks characters, they are written plainly."""
    narrow = [s for s in (sys.stdout, sys.stderr) if not str(getattr(s, "encoding", "utf-8")).lower().startswith("utf")]
    if narrow:
        from nbsteps.display.narrow import show_anyhow  # noqa: PLC0415 - most streams need none of it

        for stream in narrow:
            show_anyhow(stream)


def _request(args: argparse.Namespace) -> Request:
    from nbsteps.notebook.commands import parse_parameters  # noqa: PLC0415 - keeps --help fast
    from nbsteps.notebook.launch import Request  # noqa: PLC0415 - keeps --help fast

    step = getattr(args, "step", [])
    return Request(
        args.notebook,
        parse_parameters(args.param),
        getattr(args, "output", None),
        (step,) if isinstance(step, str) else tuple(step),
        force=getattr(args, "force", False),
        kernel=args.kernel,
        fail_fast=getattr(args, "fail_fast", False),
        workers=getattr(args, "workers", 1),
        executor=getattr(args, "executor", ""),
        forced=tuple(getattr(args, "force_step", ())),
    )


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
        _print(text.run_lines(read_report(report), {row["step"]: row["label"] for row in report["steps"]}))
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

    notebook = _told_apart(args)
    filters = {"limit": args.limit, **_filter(notebook)}
    with open_store(Path.cwd() if notebook is None else notebook.absolute().parent) as store:
        if not (args.csv or args.wide):
            records = store.history.records(args.kind, **filters)
            if args.json:
                _print_json(records)
            else:
                _print(history_lines(args.kind, records))
            return 0
        frame = getattr(store.history, args.kind)(**filters)
    _print(frame.to_csv(index=False).rstrip() if args.csv else _table(frame))
    return 0


def _told_apart(args: argparse.Namespace) -> Path | None:
    """The notebook among the words of ``history [TABLE] [NB]``; the table is put where it belongs.

    Raises:
        UsageError: there is no such table.
    """
    from nbsteps.notebook.commands import KINDS, meant  # noqa: PLC0415 - keeps --help fast

    notebook: Path | None = args.notebook
    if args.kind in KINDS:
        return notebook
    if notebook is None and args.kind.endswith(".ipynb"):
        notebook, args.kind = Path(args.kind), "runs"
        return notebook
    msg = f"the history has no table {args.kind!r}"
    raise UsageError(msg, hint=meant(args.kind, KINDS))


def _filter(notebook: Path | None) -> dict[str, str]:
    """What chooses the rows of a notebook, which may be gone by now."""
    from nbsteps.config import project_root  # noqa: PLC0415 - keeps --help fast
    from nbsteps.notebook.host import notebook_name  # noqa: PLC0415 - keeps --help fast

    if notebook is None:
        return {}
    file = notebook.absolute()
    return {"notebook": notebook_name(file, project_root(file.parent))}


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
    _write(args.output, writer(graph_model(graph, {}, title=document.path.name)), "graph")
    return 0


def _write(file: Path, text: str, what: str) -> None:
    """Write a page, and say where it is.

    Raises:
        UsageError: it cannot be written there.
    """
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        msg = f"the {what} {file} cannot be written: {error.strerror or error}"
        raise UsageError(msg, hint="name another place: -o PATH") from error
    _print(f"output: {_shown_path(file.absolute())}")


def _report(args: argparse.Namespace) -> int:
    from nbsteps.api import open_store  # noqa: PLC0415 - keeps --help fast
    from nbsteps.notebook.reports import LAST, run_report  # noqa: PLC0415 - keeps --help fast

    notebook = Path(args.run).absolute() if args.run.endswith(".ipynb") else None
    run, folder = (args.run, Path.cwd()) if notebook is None else (LAST, notebook.parent)
    with open_store(folder) as store:
        page = run_report(store.history, run, folder, notebook=_filter(notebook).get("notebook", ""))
    _write(args.output, page, "report")
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
    from nbsteps.report import printed, problem_rows, refused_report  # noqa: PLC0415 - keeps --help fast

    command = getattr(args, "command", None) if getattr(args, "json", False) and hasattr(args, "notebook") else None
    problems = error.problems if isinstance(error, ProblemsError) else (error.problem,)
    if command in _REPORTING:
        _print_json({**printed(refused_report(str(args.notebook), problems)), "exit_code": error.exit_code})
    elif command == "check":
        _print_json(problem_rows(problems))
    said = str(error)
    _say(said if said.startswith("nbsteps") else f"nbsteps: {said}")
    return error.exit_code


def _print_json(value: object) -> None:
    _print(json.dumps(value, default=str))


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _help(_args: argparse.Namespace) -> int:
    """No word at all."""
    sys.stderr.write(make_parser().format_help())
    return 2


_HANDLERS: Mapping[str | None, Callable[[argparse.Namespace], int]] = {
    None: _help,
    "run": _run,
    "plan": _plan,
    "why": _why,
    "status": _status,
    "clear": _clear,
    "accept": _accept,
    "approve": _decide,
    "reject": _decide,
    "history": _history,
    "sql": _sql,
    "check": _check,
    "graph": _graph,
    "report": _report,
    "doctor": _doctor,
}


if __name__ == "__main__":
    sys.exit(main())
