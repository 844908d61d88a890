"""All simulators on one port: Beeminder at `/`, each source under a prefix of its own."""

import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Mount, Route

from simulators import bime_demo, bmparts_demo, demo_world, rime_demo
from simulators.beeminder import Beeminder
from simulators.bemserver import Bemserver
from simulators.bime import Bime
from simulators.bmparts import Bmparts
from simulators.faults import Faults
from simulators.rime import Rime
from simulators.server import LocalServer

BEMSERVER_PREFIX = "/bemserver/api/v0"
BIME_PREFIX = "/bime"  # /v2 and /v3 are the API, /oauth is where it is linked
BMPARTS_PREFIX = "/bmparts"
RIME_HOST = "/rime"  # its progress socket is at /live/{run} in it
RIME_PREFIX = f"{RIME_HOST}/api/v1"
# BEMServer's controls that can be reached without the prefix too.
_SHORT = ("series", "data", "keys")


@dataclass(frozen=True, slots=True)
class Simulators:
    """`app` serves all of them, with one `faults` (and one request log) around all of it."""

    beeminder: Beeminder
    bemserver: Bemserver
    bime: Bime
    bmparts: Bmparts
    rime: Rime
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
    """Makes all of them, filled with the demo world unless `world` is false."""
    beeminder, bemserver = Beeminder(clock=clock), Bemserver(clock=clock)
    bime, bmparts = Bime(clock=clock), Bmparts(clock=clock)
    rime = Rime(clock=clock)
    if world:
        rime_demo.fill(rime, email=demo_world.EMAIL, password=demo_world.PASSWORD)
        demo_world.fill(
            beeminder,
            bemserver,
            autofetch_url=autofetch_url,
            deauthorize_url=deauthorize_url,
            redirect_uri=redirect_uri,
        )
        bime_demo.fill(bime)
        bmparts_demo.fill(bmparts)
    app = Starlette(
        routes=[
            Mount(BEMSERVER_PREFIX, app=bemserver.limiter),
            Mount(BIME_PREFIX, app=bime.limiter),
            Mount(BMPARTS_PREFIX, app=bmparts.service),
            Mount(RIME_PREFIX, app=rime.served),
            Mount(RIME_HOST, routes=[rime.live.route()]),
            *(Route(f"/_sim/{name}", bemserver.control, methods=["POST"]) for name in _SHORT),
            Mount("/", app=beeminder.limiter),
        ],
        lifespan=beeminder.lifespan,
    )
    return Simulators(
        beeminder, bemserver, bime, bmparts, rime, Faults(app, seed=seed, clock=clock)
    )


def run(
    host: str,
    port: int,
    *,
    autofetch_url: str | None = None,
    deauthorize_url: str | None = None,
    redirect_uri: str | None = None,
    unknowns: Mapping[str, Any] | None = None,
    echo: Callable[[str], None] | None = None,
    ended: threading.Event | None = None,
) -> int:
    """Serves the demo world until SIGTERM, Ctrl-C or `ended`; the exit status.

    `unknowns`: how this Beeminder behaves where nobody knows (`simulators.beeminder_unknowns`).

    Signals are only caught in the main thread. OSError when the port is taken.
    """
    say, ended = echo or _say, ended or threading.Event()
    simulators = build(
        autofetch_url=autofetch_url, deauthorize_url=deauthorize_url, redirect_uri=redirect_uri
    )

    for name, value in (unknowns or {}).items():
        setattr(simulators.beeminder.state, name, value)

    def end(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with LocalServer(simulators.app, host, port) as server:
            say(f"Beeminder   {server.url}")
            say(f"BEMServer   {server.url}{BEMSERVER_PREFIX}")
            say(f"Bime        {server.url}{BIME_PREFIX}/v2 (token {bime_demo.TOKEN})")
            say(f"BM Parts    {server.url}{BMPARTS_PREFIX} (key {bmparts_demo.KEY})")
            say(f"RIME        {server.url}{RIME_PREFIX} (key {rime_demo.API_KEY})")
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
