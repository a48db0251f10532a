"""Comm messages over the control channel: taken where that can be, and only those of our own comms."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from nbsteps.notebook.control_channel import ControlChannel

KINDS = {"comm_open", "comm_msg", "comm_close"}
OURS, OTHER = SimpleNamespace(target_name="ours"), SimpleNamespace(target_name="other")


class Kernel:
    """The parts of a kernel of ipykernel 6 that are asked for."""

    def __init__(self, **differs):
        self.control_handlers = {"shutdown_request": None}
        self.control_thread = object()
        self.opened, self.closed = [], []
        self.comm_manager = SimpleNamespace(
            comms={"1": OURS, "2": OTHER},
            comm_open=lambda _stream, _ident, message: self.opened.append(message["content"]["comm_id"]),
            comm_close=lambda _stream, _ident, message: self.closed.append(message["content"]["comm_id"]),
        )
        self.__dict__ |= differs

    def say(self, kind, comm, **content):
        self.control_handlers[kind](None, None, {"content": {"comm_id": comm, **content}})


@pytest.fixture
def heard():
    return []


def channel(kernel, heard=None):
    made = ControlChannel(kernel, "ours", lambda comm, data: heard.append((comm, data)))
    made.open()
    return made


@pytest.mark.parametrize(
    ("differs", "serves"),
    [
        ({}, True),
        ({"control_thread": None}, False),
        ({"control_handlers": {"comm_msg": print}}, False),
        ({"control_handlers": None}, False),
    ],
)
def test_it_is_served_where_it_has_a_thread_and_is_free(differs, serves):
    kernel = Kernel(**differs)
    before = dict(kernel.control_handlers or {})
    assert channel(kernel).serves is serves
    assert set(kernel.control_handlers or ()) == before.keys() | (KINDS if serves else set())


def test_only_comms_of_the_target_are_heard_opened_and_closed(heard):
    kernel = Kernel()
    channel(kernel, heard)
    for comm, target in (("3", "ours"), ("4", "other")):
        kernel.say("comm_open", comm, target_name=target)
    for comm in ("1", "2", "unknown"):
        kernel.say("comm_msg", comm, data=comm)
        kernel.say("comm_close", comm)
    assert (kernel.opened, heard, kernel.closed) == (["3"], [(OURS, "1")], ["1"])


def test_what_was_there_before_is_left_when_it_is_closed():
    kernel = Kernel()
    served = channel(kernel)
    served.close()
    served.close()
    assert (set(kernel.control_handlers), served.serves) == ({"shutdown_request"}, False)
    refused = channel(Kernel(control_handlers={"comm_open": print}))
    refused.close()
    assert refused._kernel.control_handlers == {"comm_open": print}
