"""The canary: measured when it comes back, told once when it does not twice."""

import threading
from collections.abc import Iterator

import pytest

from db import alerts, tallies
from simulators.server import LocalServer
from tasks import canary
from tasks.runtime import Options, Runtime
from tests.world import World

SECRET = "canary-path-secret"


class Door:
    """Somewhere at the public address."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.status = 200
        self.came = 0

    async def __call__(self, scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        """Answer three seconds later."""
        if scope["type"] != "http":
            return
        await receive()
        self.came += 1
        self.world.clock.advance(3.0)
        body = b'{"status":"fresh"}' if self.status == 200 else b'{"status":"late"}'
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture(name="door")
def _door(world: World) -> Iterator[Door]:
    door = Door(world)
    with LocalServer(door) as server:
        door.url = server.url  # type: ignore[attr-defined]
        yield door


@pytest.fixture(name="rt")
def _rt(world: World, door: Door) -> Runtime:
    return world.runtime(
        options=Options(public_url=door.url, canary="alice/canary", callback_secret=SECRET)  # type: ignore[attr-defined]
    )


def told(world: World) -> list[str]:
    """Open alerts."""
    with world.ledger.read() as session:
        return [row.message for row in alerts.open_now(session)]


def seen(world: World) -> dict[str, tuple[float, float]]:
    """What is known of canaries: when, and how long or how many."""
    with world.ledger.read() as session:
        found = tallies.everything(session)
    return {key.outcome: (one.at, one.value) for key, one in found.items()}


def test_one_that_comes_back_is_measured(world: World, rt: Runtime) -> None:
    """From the callback to its 200."""
    assert canary.run(rt)
    assert seen(world) == {"fresh": (world.clock.at, 3.0), "failed": (world.clock.at, 0.0)}
    assert told(world) == []


def test_two_that_fail_are_told_once_and_their_end_too(
    world: World, rt: Runtime, door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    """One may be bad luck; the last success stays known; no line and no alert has the secret."""
    canary.run(rt)
    good = seen(world)["fresh"]
    door.status = 503
    with caplog.at_level("DEBUG"):
        assert not canary.run(rt)
        assert told(world) == []
        assert not canary.run(rt)
        assert not canary.run(rt)
    (line,) = told(world)
    assert "alice/canary" in line
    assert "503 late" in line
    assert seen(world) == {"fresh": good, "failed": (world.clock.at, 3.0)}
    ours = [row.getMessage() for row in caplog.records if not row.name.startswith("uvicorn")]
    assert SECRET not in line + "".join(ours)
    door.status = 200
    assert canary.run(rt)
    assert told(world) == []
    assert seen(world)["failed"][1] == 0.0


def test_one_goes_out_in_five_minutes_whoever_hears_the_bell(
    world: World, rt: Runtime, door: Door
) -> None:
    """And none where none is set, or when the process stops."""
    other = world.runtime(options=rt.options)
    for _ in range(5):
        for worker in (rt, other, world.runtime()):
            canary.begin(worker)
        world.clock.advance(60)
    for thread in threading.enumerate():
        if thread.name == "canary":
            thread.join(10)
    assert door.came == 1
    rt.stopping.set()
    world.clock.advance(600)
    canary.begin(rt)
    assert door.came == 1
