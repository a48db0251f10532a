"""A run that the notebook's toolbar asked for: what each step shows goes to the step's own cell."""

from __future__ import annotations

import sys
from typing import Any, Final

from nbsteps.core.errors import NbstepsError
from nbsteps.core.events import Event, RunEnded, StepEnded, StepStarted, StepSucceeded
from nbsteps.notebook.connection import current, lab_of
from nbsteps.notebook.kernel import Kernel
from nbsteps.notebook.means import means
from nbsteps.notebook.tracebacks import attach_traceback

STEP_KEY: Final = "nbsteps_step"
"""In the metadata of an empty display: what follows was shown by this step, ``""`` for none."""


class Marker:
    """Says in the stream of outputs whose they are, so that the page can put them into their cells.

    A step that starts has the stream until another's outputs come: several may be under way in workers.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._publish: Any = kernel.shell.display_pub.publish
        self._whose = ""

    def emit(self, event: Event) -> None:
        """Mark where the outputs of a step begin and end."""
        match event:
            case StepStarted():
                self.mark(event.step)
            case StepSucceeded() | StepEnded() | RunEnded():
                self.mark("")
            case _:
                pass

    def mark(self, step: str) -> None:
        """What follows was shown by this step."""
        if step == self._whose:
            return
        self._whose = step
        sys.stdout.flush()
        sys.stderr.flush()
        self._publish(data={}, metadata={STEP_KEY: step})


def run(workers: int = 1, executor: str = "") -> None:
    """Run the pipeline for the page's toolbar: the outputs of each step, and its error, go to its own cell.

    Args:
        workers: bodies at once.
        executor: where they are executed, as for ``%pipeline run --executor``.
    """
    kernel = current()
    if kernel is None:
        msg = "nbsteps is not loaded in this kernel"
        raise NbstepsError(msg, hint="%load_ext nbsteps")
    lab = lab_of(kernel.shell)
    session, marker = kernel.session if lab is None else lab.attach(), Marker(kernel)
    evaluator: Any = session.services.evaluator
    unheard = evaluator.whose
    allowed = means(workers, executor, evaluator.namespace)
    session.services.listeners.append(marker)
    evaluator.whose = marker.mark
    try:
        _result, errors = session.run(trigger="widget", means=allowed)
    finally:
        session.services.listeners.remove(marker)
        evaluator.whose = unheard
    for name, error in errors.items():
        if name:
            shown = error if isinstance(error, NbstepsError) else attach_traceback(kernel.shell, error)
            marker.mark(name)
            kernel.shell.showtraceback((type(shown), shown, shown.__traceback__))
    marker.mark("")
