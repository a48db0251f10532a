"""Connects nbsteps with a shell, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbsteps.notebook.kernel import Kernel
from nbsteps.notebook.lab import Lab
from nbsteps.notebook.magics import NbstepsMagics
from nbsteps.notebook.unread_requests import watch_unread

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_ATTRIBUTE = "_nbsteps_kernel"
_LAB = "_nbsteps_lab"
_UNREAD = "_nbsteps_unread"


def connect(shell: InteractiveShell | Any) -> Kernel:
    """The shell's kernel object, made and its magics registered at the first call."""
    found: Kernel | None = getattr(shell, _ATTRIBUTE, None)
    if found is None:
        found = Kernel(shell)
        shell.register_magics(NbstepsMagics(shell, found))
        setattr(shell, _ATTRIBUTE, found)
        lab = Lab(found)
        setattr(shell, _LAB, lab if lab.register() else None)
        setattr(shell, _UNREAD, watch_unread(getattr(shell, "kernel", None)))
    return found


def connected(shell: InteractiveShell | Any) -> Kernel | None:
    """The shell's kernel object if the extension is loaded there."""
    return getattr(shell, _ATTRIBUTE, None)


def lab_of(shell: InteractiveShell | Any) -> Lab | None:
    """What answers the notebook's toolbar in this shell, if it has a page."""
    return getattr(shell, _LAB, None)


def current() -> Kernel | None:
    """The kernel object of this process, if it is a kernel with the extension loaded."""
    from IPython.core.getipython import get_ipython  # noqa: PLC0415 - beside its only use

    shell = get_ipython()
    return None if shell is None else connected(shell)


def disconnect(shell: InteractiveShell | Any) -> None:
    """Undo :func:`connect`, as far as IPython can: magics stay registered until the shell ends."""
    found = connected(shell)
    if found is not None:
        lab = lab_of(shell)
        if lab is not None:
            lab.detach()
        getattr(shell, _UNREAD)()
        found.detach()
        delattr(shell, _ATTRIBUTE)
