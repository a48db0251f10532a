"""A run that the notebook's toolbar asked for: what each step shows goes to the step's own cell."""

from __future__ import annotations

import sys
from typing import Any, Final

from nbsteps.core.errors import NbstepsError
from nbsteps.core.events import Event, RunEnded, StepEnded, StepStarted, StepSucceeded
from nbsteps.notebook.connection import current, lab_of
from nbsteps.notebook.kernel import Kernel
from nbsteps.notebook.tracebacks import attach_traceback

STEP_KEY: Final = "nbsteps_step"
"""In the metadata of an empty display: what follows was shown by this step, ``""`` for none."""


class Marker:
    """Listener that says in the stream of outputs whose they are, so that the page can put them into their cells."""

    def __init__(self, kernel: Kernel) -> None:
        self._publish: Any = kernel.shell.display_pub.publish

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
        sys.stdout.flush()
        sys.stderr.flush()
        self._publish(data={}, metadata={STEP_KEY: step})


def run() -> None:
    """Run the pipeline for the page's toolbar: the outputs of each step, and its error, go to its own cell."""
    kernel = current()
    if kernel is None:
        msg = "nbsteps is not loaded in this kernel"
        raise NbstepsError(msg, hint="%load_ext nbsteps")
    lab = lab_of(kernel.shell)
    session, marker = kernel.session if lab is None else lab.attach(), Marker(kernel)
    session.services.listeners.append(marker)
    try:
        _result, errors = session.run(trigger="widget")
    finally:
        session.services.listeners.remove(marker)
    for name, error in errors.items():
        if name:
            shown = error if isinstance(error, NbstepsError) else attach_traceback(kernel.shell, error)
            marker.mark(name)
            kernel.shell.showtraceback((type(shown), shown, shown.__traceback__))
    marker.mark("")
