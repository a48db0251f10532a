"""``%%step`` and ``%pipeline``: parse, call the engine, show. No logic here."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, cell_magic, line_magic, magics_class

from nbsteps.core.cells import understand
from nbsteps.core.errors import NbstepsError, ProblemsError, StepError, UsageError
from nbsteps.core.model import RunResult
from nbsteps.core.options import help_text, parse_line
from nbsteps.core.plan import Plan
from nbsteps.core.states import GOOD, RunState, StepState
from nbsteps.display import text
from nbsteps.display.details import looked_at
from nbsteps.display.progress import ProgressLines
from nbsteps.engine.accepting import accept
from nbsteps.engine.session import CellRun, Session
from nbsteps.notebook.commands import parse_parameters, parse_pipeline
from nbsteps.notebook.deciding import Decision, Ran, decide_here, form_values, go_on
from nbsteps.notebook.kernel import Kernel
from nbsteps.notebook.means import means, steps_at_once
from nbsteps.notebook.notes import Remarks, note, publish, remarks, show_again
from nbsteps.notebook.pages import has_page
from nbsteps.notebook.pictures import picture
from nbsteps.notebook.times import usual_times
from nbsteps.notebook.tracebacks import attach_traceback

if TYPE_CHECKING:
    import pandas as pd
    from IPython.core.interactiveshell import InteractiveShell


@magics_class
class NbstepsMagics(Magics):
    """The two magics."""

    def __init__(self, shell: InteractiveShell, kernel: Kernel) -> None:
        super().__init__(shell)
        self.kernel = kernel

    @cell_magic
    def step(self, line: str, cell: str) -> None:
        """Tag a cell as a step (the option list is filled in below)."""
        kernel = self.kernel
        try:
            current = kernel.current_cell(line, cell)
            session = kernel.session
            session.cells.executed(current, time.time())
            problems = _own_problems(session, parse_line(line).name, current.label)
            if problems:
                raise ProblemsError(problems)
            with remarks(session, parse_line(line).name) as said:
                done = session.run_cell(parse_line(line).name, trigger=kernel.trigger)
        except NbstepsError as error:
            raise error from None
        self._conclude(session, done, said)

    def _conclude(self, session: Session, done: CellRun, said: Remarks) -> None:
        """Show what the step came to; a failure becomes this cell's error."""
        if done.result is not None and not done.shown:
            show_again(session, done.step, done.result, said)
        elif done.step.state in GOOD:
            note(text.ran_note(done.step), done.step, said.lines)
        else:
            note(text.ended_note(done.step, self.kernel.trigger, error=done.error), done.step, said.lines)
        if done.error is not None:
            if isinstance(done.error, NbstepsError):
                raise done.error from None
            raise attach_traceback(self.kernel.shell, done.error)
        if done.step.state in _LOUD:
            step = session.graph().steps[done.step.step]
            raise StepError(done.step.reason, step=step.name, cell=step.cell.label)

    @line_magic("%step")  # type: ignore[arg-type]  # it takes a name, too
    def stray_step(self, line: str) -> None:
        """What IPython makes of a ``%%step`` that is not the first line of its cell."""
        cell = self.kernel.running_cell()
        problems = () if cell is None else understand(cell, 0)[1]
        errors = tuple(problem for problem in problems if problem.severity == "error")
        if errors:
            raise ProblemsError(errors)
        msg = "%%step stands below other lines, and only the first line of a cell makes it a step"
        raise UsageError(msg, hint=f"move this line to the top of its cell: %%step {line}")

    @line_magic
    def pipeline(self, line: str) -> pd.DataFrame | None:
        """Run, inspect and explain this notebook's steps: ``%pipeline --help``."""
        try:
            args = parse_pipeline(line)
            handler = getattr(self, f"_{args.command or 'show'}")
            found: pd.DataFrame | None = handler(args)
        except SystemExit:
            return None
        except NbstepsError as error:
            raise error from None
        return found

    def _run(self, args: argparse.Namespace) -> None:
        session = self.kernel.session
        if args.waited:
            self._run_now(session, lambda: go_on(self.kernel, args.waited))
            return
        targets = tuple(args.steps)
        session.select(args.force or ())
        # Without names those that are asked for, not what they need as well.
        forced = args.force or ((targets or session.select()) if args.force is not None else ())
        values = parse_parameters(args.param)
        if args.dry_run:
            if values:
                session.set_parameters(values)
            workers = steps_at_once(args.workers, args.executor)
            show_plan(session, session.plan(targets, frozenset(forced)), workers)
            return
        wanted = (*targets, *(args.force or ())) if targets else ()
        how = {"fail_fast": args.fail_fast, "means": means(args.workers, args.executor, self.kernel.shell.user_ns)}
        self._run_now(session, lambda: session.run(wanted, forced=forced, parameters=values, trigger="magic", **how))

    def _run_now(self, session: Session, run: Callable[[], Ran]) -> None:
        progress = ProgressLines(sys.stdout.write)
        session.services.listeners.append(progress)
        try:
            result, errors = run()
        finally:
            session.services.listeners.remove(progress)
        lines = text.run_lines(result)
        print(lines.partition("\n")[0] if errors else lines)  # noqa: T201 - the error follows as the cell's own
        _raise_for(self.kernel.shell, result, errors)

    def _cancel(self, _args: argparse.Namespace) -> None:
        print("cancelling" if self.kernel.session.cancel() else "nothing runs")  # noqa: T201 - a magic's output

    def _plan(self, args: argparse.Namespace) -> None:
        session = self.kernel.session
        show_plan(session, session.plan(args.steps))

    def _why(self, args: argparse.Namespace) -> None:
        print(text.why_text(args.step, self.kernel.session.why(args.step)))  # noqa: T201 - a magic's output

    def _status(self, _args: argparse.Namespace) -> None:
        rows = self.kernel.session.status()
        print(text.status_lines((row.step.name, row.state, row.decision, row.result) for row in rows))  # noqa: T201

    def _show(self, _args: argparse.Namespace) -> None:
        if has_page(self.kernel.shell):
            self.kernel.toolbar().display()
        else:
            self._graph(_args)

    def _graph(self, _args: argparse.Namespace) -> None:
        session = self.kernel.session
        standings = session.status()
        publish(picture(session.graph(), standings, session.services.notebook))

    def _clear(self, args: argparse.Namespace) -> None:
        names = self.kernel.session.clear(args.steps)
        print(f"forgot the results of {', '.join(names) or 'no step'}")  # noqa: T201 - a magic's output

    def _approve(self, args: argparse.Namespace) -> None:
        session = self.kernel.session
        values = form_values(getattr(args, "values", ()))
        said, going_on = decide_here(self.kernel, Decision(args.command, args.step, values, args.comment))
        print(said)  # noqa: T201 - a magic's output
        self._run_now(session, going_on)

    _reject = _approve

    def _accept(self, args: argparse.Namespace) -> None:
        session = self.kernel.session
        if args.seen and args.seen != looked_at(session.why(args.step)):
            msg = f"step {args.step} has changed again since it was looked at"
            raise UsageError(msg, hint=f"%pipeline why {args.step}")
        print(text.accepted_line(*accept(session, args.step)))  # noqa: T201 - a magic's output

    def _check(self, _args: argparse.Namespace) -> None:
        problems = self.kernel.session.graph().problems
        print(text.problem_lines(problems) if problems else "no problems")  # noqa: T201 - a magic's output

    def _history(self, args: argparse.Namespace) -> pd.DataFrame:
        return self.kernel.history(args.kind)

    def _notebook(self, args: argparse.Namespace) -> None:
        if args.path is not None:
            self.kernel.use_notebook(Path(args.path).expanduser())
        notebook = self.kernel.session.services.notebook
        if self.kernel.path is None:
            notebook = "no notebook found, so only the cells executed here count; name it: %pipeline notebook PATH"
        print(notebook)  # noqa: T201 - a magic's output


_LOUD = frozenset({StepState.FAILED, StepState.CRASHED})
"""Ends that are errors of their cell. What was skipped, waits, or was kept from running by others only says so."""

NbstepsMagics.step.__doc__ = help_text()


def show_plan(session: Session, plan: Plan, workers: int = 1) -> None:
    """Print a forecast."""
    times = usual_times(session.services.store, session.services.notebook, plan.decisions)
    print(text.plan_lines(plan, session.graph(), times, workers))  # noqa: T201 - a magic's output is standard output


def _own_problems(session: Session, name: str, label: str) -> tuple[Any, ...]:
    """Errors of the cell being executed: those of its step, or of a line that names none."""
    errors = session.graph().errors()
    return tuple(p for p in errors if (p.step == name and name) or (not name and p.cell == label))


def _raise_for(shell: InteractiveShell, result: RunResult, errors: Mapping[str, BaseException]) -> None:
    """Make the cell fail as its run did: an interrupt, or the first failed step's own error."""
    interrupt = errors.get("")
    if interrupt is not None:
        raise attach_traceback(shell, interrupt)
    for name, step in result.steps.items():
        if step.state is StepState.FAILED and not step.handled and name in errors:
            error = errors[name]
            if isinstance(error, NbstepsError):
                raise error from None
            raise attach_traceback(shell, error)
    if result.state is RunState.FAILED:
        msg = "the run failed"
        raise StepError(msg)
