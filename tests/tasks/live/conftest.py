"""A tenant with its progress socket beside the world, and desks whose time flies."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from sqlmodel import select

from db import runs_found
from db.models_runs import Run
from db.runs_found import Found
from simulators.rime_state import Run as RimeRun
from simulators.server import LocalServer
from tasks.live.loop import Desk
from tasks.runtime import Runtime
from tests.tasks.rime_world import CONNECTOR, PROJECT, RimeWorld, shop
from tests.world import World

BOUND_SECONDS = 60.0
TICK = 0.05
QUICKER = 20.0


class Followed(RimeWorld):
    """The tenant, and what is known of its runs."""

    def socketed(self, **settings: object) -> int:
        """A source of alice's with the address of the progress socket."""
        url = self.url.replace("http://", "ws://")
        return self.source(progress_url=f"{url}/live/{{run}}", progress_poll="1s", **settings)

    def start(self, **more: object) -> RimeRun:
        """A run that runs until it is ended by hand."""
        return self.rime.state.start_run(CONNECTOR, **more)  # type: ignore[arg-type]

    def find(self, source: int, *ids: str) -> None:
        """Have these followed."""
        found = [
            Found(project=PROJECT, connector=CONNECTOR, pipeline=None, run_id=run_id)
            for run_id in ids
        ]
        with self.world.ledger.write() as session:
            runs_found.find(session, source, found, self.world.clock.at)

    def rows(self) -> dict[str, Run]:
        """All followed runs, by their ids."""
        with self.world.reading() as session:
            return {run.run_id: run for run in session.exec(select(Run)).all()}

    def over(self) -> set[str]:
        """The ids of those that are over."""
        return {name for name, run in self.rows().items() if run.finished_at is not None}


@pytest.fixture
def rime(world: World) -> Iterator[Followed]:
    """A tenant beside the world; its clock is the world's."""
    found = shop(world.clock.now)
    found.live.switches.set(every=0.02)
    with LocalServer(found.tenant) as server:
        yield Followed(world, server.url, found)


@pytest.fixture
def desks(world: World) -> Iterator[Callable[..., Desk]]:
    """Makes desks for a world whose time goes by: twenty times as fast as ours."""
    over = threading.Event()

    def go_by() -> None:
        while not over.wait(TICK):
            world.clock.advance(QUICKER * TICK)

    async def sleep(seconds: float) -> None:
        ends_at = world.clock.at + seconds
        while world.clock.at < ends_at:  # noqa: ASYNC110 -- time is somebody else's here
            await asyncio.sleep(TICK)

    with contextlib.ExitStack() as stack:
        thread = threading.Thread(target=go_by)
        thread.start()
        stack.callback(thread.join)
        stack.callback(over.set)

        def make(rt: Runtime, most: int = 1000) -> Desk:
            rt.desk = desk = Desk(rt, most=most, tick=TICK, sleep=sleep)
            stack.callback(desk.stop)
            return desk

        yield make


def until(true: Callable[[], bool]) -> None:
    """Go on as soon as something is true; fail when it does not come true."""
    ends_at = time.monotonic() + BOUND_SECONDS
    while not true():
        assert time.monotonic() < ends_at, "it did not happen in time"
        threading.Event().wait(0.01)
