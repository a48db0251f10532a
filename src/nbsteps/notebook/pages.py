"""Whether somebody can click: a widget belongs on a page with a kernel behind it, a picture everywhere else."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from nbsteps.notebook.document import started_by_papermill

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def has_page(shell: InteractiveShell | Any) -> bool:
    """Whether the cell that is being executed was sent by a page that draws widgets, as far as can be told.

    JupyterLab and Notebook name the cell in their request, VS Code and Colab are known by what they leave in the
    process; nbclient, nbconvert, papermill and a terminal do none of this.
    """
    kernel = getattr(shell, "kernel", None)
    if kernel is None or started_by_papermill():
        return False
    if "google.colab" in sys.modules or any(name.startswith("VSCODE_") for name in os.environ):
        return True
    parent = kernel.get_parent()
    return bool(parent.get("metadata", {}).get("cellId"))
