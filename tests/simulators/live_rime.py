"""A simulated RIME with a run that is followed on its progress socket."""

import json
from contextlib import contextmanager

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from simulators.rime import Rime
from simulators.rime_state import Plan
from simulators.server import LocalServer

SIGNED = {"Authorization": "Bearer key-1"}
PLAN = {"rows_per_second": 10.0, "seconds": 100.0}


class Tenant:
    """One project, one connector, one run of two steps with a plan; it looks every 5 ms."""

    def __init__(self, clock):
        self.clock = clock
        self.rime = Rime(clock=clock)
        self.state, self.live = self.rime.state, self.rime.live
        self.state.add_key("key-1")
        self.state.add_project("shop")
        self.state.add_connector("shop", "orders")
        self.run = self.state.start_run("orders", id="r1", plan=Plan(**PLAN), steps=("a", "b"))
        self.live.switches.set(every=0.005)
        self.url = ""

    @contextmanager
    def served(self):
        """On a real socket."""
        with LocalServer(self.rime.tenant) as server:
            self.url = server.url.replace("http", "ws", 1)
            yield self

    def open(self, run="r1", *, query="", headers=SIGNED, **more):
        """A client of the library, which knows nothing of ours."""
        return connect(
            f"{self.url}/live/{run}{query}",
            additional_headers=headers,
            compression=None,
            proxy=None,
            open_timeout=5,
            **more,
        )

    def last(self):
        """The record of the newest socket."""
        return self.live.sockets[-1]


def all_of(socket):
    """Frames until the end, and the code of it: None where there was no close frame."""
    frames = []
    try:
        while True:
            frames.append(socket.recv(timeout=5))
    except ConnectionClosed as end:
        return frames, None if end.rcvd is None else end.rcvd.code


def objects(frames):
    """What JSON frames hold."""
    return [json.loads(frame) for frame in frames]
