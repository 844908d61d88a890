"""A callback a while after the last sync, and who is answered before whom in the one that follows.

Over `Meeting` some requests wait until others have been answered: what is asked one after the
other in that order never ends, and what is asked the other way round is found out.
"""

import re
import threading
from collections.abc import Callable
from contextlib import ExitStack

import httpx

from db.states import Lane
from tasks import sync
from tasks.runtime import Runtime
from tests.world import World

PERSON, GOAL = r"users/me\.json", r"users/me/goals/(?!archived)\w+\.json"
SOURCE = "timeseries_data"
FACTS = f"{PERSON}|{GOAL}"
READ = 2  # requests to the source for one read of a feed
# Seconds: after a sync that wrote nothing, after one that did, and while alice is still known.
QUIET, PUSHED, SOON = 60.0, 90.0, 30.0


class Meeting(httpx.HTTPTransport):
    """A real transport: what has `then` in its path waits until `first` was answered once.

    `between` happens after that, before any of those that waited goes on. `heard`: what was asked
    for, in the order in which it was begun (`>`) and answered (`<`).
    """

    def __init__(
        self, *, first: str = "", then: str = "^$", between: Callable[[], object] = lambda: None
    ) -> None:
        super().__init__()
        self._first, self._then, self._between = first, then, between
        self._answered = threading.Event()
        self._lock = threading.Lock()
        self.heard: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One request, which may have to wait."""
        path = request.url.path
        if re.search(self._then, path) and not self._answered.wait(10):
            message = f"nobody asked for {self._first} before {path}"
            raise RuntimeError(message)
        with self._lock:
            self.heard.append(f">{path}")
        try:
            return super().handle_request(request)
        finally:
            with self._lock:
                self.heard.append(f"<{path}")
            if re.search(self._first, path) and not self._answered.is_set():
                try:
                    self._between()
                finally:
                    self._answered.set()

    def place(self, what: str) -> int:
        """Where in all that was heard the first of these stands."""
        return next(place for place, text in enumerate(self.heard) if re.search(what, text))


def after(world: World, seconds: float = PUSHED, value: float = 1.0) -> str:
    """So much later, with so much more of today, somebody asks; returns the id of the callback."""
    world.clock.advance(seconds)
    if value:
        world.measure(world.series, {world.clock.at - 5: value})
    world.beeminder.faults.log.clear()
    world.bemserver.faults.log.clear()
    return world.call_back()


def quiet(world: World) -> None:
    """A callback that finds nothing new: the last push is older than what is known of alice."""
    world.clock.advance(QUIET)
    world.call_back()
    world.work()


def work(world: World, meeting: Meeting, **more: object) -> Runtime:
    """Everything urgent is done over this; the worker that did it."""
    with ExitStack() as stack:
        http = stack.enter_context(httpx.Client(timeout=15, transport=meeting))
        rt = world.runtime(http=http, **more)
        while sync.run(rt, Lane.URGENT):
            pass
    return rt


def asked(world: World) -> list[str]:
    """What was read at Beeminder since the callback: `person`, `goal`, or its path. Sorted."""
    names = {PERSON: "person", GOAL: "goal"}
    paths = [one.path for one in world.beeminder.faults.requests if one.method == "GET"]
    return sorted(
        next((name for pattern, name in names.items() if re.search(pattern, path)), path)
        for path in paths
    )


def facts_threads() -> list[threading.Thread]:
    """Those that read facts, of whoever began them."""
    return [thread for thread in threading.enumerate() if thread.name == "facts"]
