"""A request that nobody was woken for, as ipykernel 7.0 to 7.3 leave one, over a stream and a socket as they have."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace

import ipykernel
import pytest
import zmq
from tornado.ioloop import IOLoop
from zmq.eventloop.zmqstream import ZMQStream

from nbsteps.notebook.unread_requests import _PERIOD as PERIOD
from nbsteps.notebook.unread_requests import look_again, watch_unread

PATIENCE = 30.0
BEYOND = 0.01
"""Seconds after which libzmq looks for what arrived when something is sent; sooner it may not."""


class Shell:
    """A ROUTER that is read through a stream on a thread of its own, and a client of it."""

    def __init__(self):
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        port = self.socket.bind_to_random_port("tcp://127.0.0.1")
        self.client = self.context.socket(zmq.DEALER)
        self.client.connect(f"tcp://127.0.0.1:{port}")
        self.heard: list[bytes] = []
        self.news = threading.Condition()
        started = threading.Event()
        self.thread = threading.Thread(target=self.work, args=(started,))
        self.thread.start()
        assert started.wait(PATIENCE)

    def work(self, started):
        asyncio.set_event_loop(asyncio.new_event_loop())
        self.loop = IOLoop.current()
        self.stream = ZMQStream(self.socket, self.loop)
        self.stream.on_recv(self.hear, copy=False)
        self.loop.add_callback(started.set)
        self.loop.start()
        self.loop.close(all_fds=True)

    def hear(self, parts):
        with self.news:
            self.heard.append(parts[-1].bytes)
            self.news.notify_all()

    def strand(self, request):
        """Have a request arrive, and something be sent on the bare socket, before the loop comes to look."""
        done = threading.Event()

        def jam():
            self.client.send(request)
            # Until it has arrived; a look at the socket's events would take the wake-up as a send does.
            ready = zmq.Poller()
            ready.register(self.socket.getsockopt(zmq.FD), zmq.POLLIN)
            assert ready.poll(PATIENCE * 1000)
            threading.Event().wait(BEYOND)
            self.socket.send_multipart([b"nobody", b""])
            done.set()

        self.loop.add_callback(jam)
        assert done.wait(PATIENCE)

    def hears(self, request):
        with self.news:
            return self.news.wait_for(lambda: request in self.heard, PATIENCE)

    def close(self):
        self.loop.add_callback(self.loop.stop)
        self.thread.join(PATIENCE)
        self.client.close()
        self.context.term()


@pytest.fixture
def shell():
    made = Shell()
    made.client.send(b"first")
    assert made.hears(b"first")
    yield made
    made.close()


@pytest.mark.parametrize("version", [(7, 0, 1), (7, 3, 0)])
def test_what_arrived_unnoticed_is_read(shell, monkeypatch, version):
    monkeypatch.setattr(ipykernel, "version_info", version)
    shell.strand(b"stranded")
    assert b"stranded" not in shell.heard
    end = watch_unread(SimpleNamespace(shell_stream=shell.stream, shell_channel_thread=shell.thread))
    assert shell.hears(b"stranded")
    shell.strand(b"once more")
    assert shell.hears(b"once more")
    end()


class Untouched:
    """A stream that nobody may use."""

    def __getattr__(self, name):
        raise AssertionError(name)


@pytest.mark.parametrize(
    ("version", "kernel"),
    [
        ((6, 31, 0), SimpleNamespace(shell_stream=Untouched())),
        ((7, 4, 0), SimpleNamespace(shell_stream=Untouched(), shell_channel_thread=threading.main_thread())),
        ((7, 3, 0), SimpleNamespace(shell_stream=None, shell_channel_thread=None)),
        ((7, 3, 0), None),
    ],
)
def test_a_kernel_that_forgets_nothing_is_left_alone(monkeypatch, version, kernel):
    monkeypatch.setattr(ipykernel, "version_info", version)
    watch_unread(kernel)()


def test_looking_ends_with_the_stream(shell, caplog):
    look_again(shell.stream)
    closed = threading.Event()
    shell.loop.add_callback(shell.stream.close)
    shell.loop.call_later(3 * PERIOD / 1000, closed.set)
    assert closed.wait(PATIENCE)
    assert not caplog.records
