"""Requests that ipykernel 7.0 to 7.3 leave lying in their socket: looked for a few times a second.

Those versions read requests through a stream, but send replies on the socket beneath it. A request that arrives just
then takes away what would have woken the stream: it is read once somebody connects anew, or never, and neither an
interrupt nor another request helps (ipykernel's issue 1554, mended in 7.4 by its pull request 1529). Here the stream
is asked by its own public means, on its own thread. What comes before nbsteps is loaded, the page sees to.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final

_FORGETFUL: Final = ((7, 0), (7, 4))
"""From this version of ipykernel on, and before that one."""
_PERIOD: Final = 250
"""Milliseconds between two looks, each of which costs some microseconds."""


def watch_unread(kernel: Any) -> Callable[[], object]:
    """Have a kernel that may forget requests look for them; what it returns ends that."""
    stream = getattr(kernel, "shell_stream", None)
    if stream is None or getattr(kernel, "shell_channel_thread", None) is None or not _forgetful():
        return lambda: None
    return look_again(stream)


def _forgetful() -> bool:
    version = getattr(sys.modules.get("ipykernel"), "version_info", ())
    return _FORGETFUL[0] <= version[:2] < _FORGETFUL[1]


def look_again(stream: Any) -> Callable[[], object]:
    """Have a stream read what arrived unnoticed, from its own loop; what it returns ends that."""
    import zmq  # noqa: PLC0415 - only where there is such a kernel
    from tornado.ioloop import PeriodicCallback  # noqa: PLC0415 - (the same)

    def look() -> None:
        if stream.closed():
            looking.stop()
        else:
            stream.flush(zmq.POLLIN)

    looking = PeriodicCallback(look, _PERIOD)
    stream.io_loop.add_callback(looking.start)
    return lambda: stream.io_loop.add_callback(looking.stop)
