"""All simulators on one port: Beeminder at `/`, BEMServer under `/bemserver/api/v0`."""

import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType

from starlette.applications import Starlette
from starlette.routing import Mount, Route

from simulators import demo_world
from simulators.beeminder import Beeminder
from simulators.bemserver import Bemserver
from simulators.faults import Faults
from simulators.server import LocalServer

BEMSERVER_PREFIX = "/bemserver/api/v0"
# BEMServer's controls that can be reached without the prefix too.
_SHORT = ("series", "data", "keys")


@dataclass(frozen=True, slots=True)
class Simulators:
    """`app` serves both, with one `faults` (and one request log) around all of it."""

    beeminder: Beeminder
    bemserver: Bemserver
    app: Faults

    @property
    def faults(self) -> Faults:
        """The same as `app`."""
        return self.app


def build(
    *,
    autofetch_url: str | None = None,
    deauthorize_url: str | None = None,
    redirect_uri: str | None = None,
    clock: Callable[[], float] = time.time,
    seed: int = 0,
    world: bool = True,
) -> Simulators:
    """Makes both, filled with the demo world unless `world` is false."""
    beeminder, bemserver = Beeminder(clock=clock), Bemserver(clock=clock)
    if world:
        demo_world.fill(
            beeminder,
            bemserver,
            autofetch_url=autofetch_url,
            deauthorize_url=deauthorize_url,
            redirect_uri=redirect_uri,
        )
    app = Starlette(
        routes=[
            Mount(BEMSERVER_PREFIX, app=bemserver.limiter),
            *(Route(f"/_sim/{name}", bemserver.control, methods=["POST"]) for name in _SHORT),
            Mount("/", app=beeminder.limiter),
        ],
        lifespan=beeminder.lifespan,
    )
    return Simulators(beeminder, bemserver, Faults(app, seed=seed, clock=clock))


def run(
    host: str,
    port: int,
    *,
    autofetch_url: str | None = None,
    deauthorize_url: str | None = None,
    redirect_uri: str | None = None,
    echo: Callable[[str], None] | None = None,
    ended: threading.Event | None = None,
) -> int:
    """Serves the demo world until SIGTERM, Ctrl-C or `ended`; the exit status.

    Signals are only caught in the main thread. OSError when the port is taken.
    """
    say, ended = echo or _say, ended or threading.Event()
    simulators = build(
        autofetch_url=autofetch_url, deauthorize_url=deauthorize_url, redirect_uri=redirect_uri
    )

    def end(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with LocalServer(simulators.app, host, port) as server:
            say(f"Beeminder   {server.url}")
            say(f"BEMServer   {server.url}{BEMSERVER_PREFIX}")
            say(f"token       {demo_world.BEEMINDER_TOKEN} ({demo_world.USERNAME})")
            say(f"log in as   {demo_world.EMAIL} / {demo_world.PASSWORD}")
            ended.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
