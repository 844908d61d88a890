"""Asked before every request: short waits are slept, longer ones give the work back."""

from collections.abc import Callable

import pytest

from clients.errors import NotFound, RateLimited, Unavailable
from db import quotas
from tasks import gates
from tasks.gates import DeferredError
from tests.world import ManualClock, World

KEY = gates.key("vendor", "account")


def raising(error: Exception) -> Callable[[], None]:
    """A request that fails."""

    def ask() -> None:
        raise error

    return ask


def close(world: World, seconds: float) -> None:
    """Close the gate for so long."""
    with world.ledger.write() as session:
        quotas.close(session, KEY, world.clock.at + seconds)


def test_the_key_shows_nothing_of_the_account() -> None:
    """A quota is counted by token or login, and its key shows neither."""
    assert gates.key("beeminder", "secret-token") == gates.key("beeminder", "secret-token")
    assert gates.key("beeminder", "a") != gates.key("beeminder", "b")
    assert "secret" not in gates.key("beeminder", "secret-token")


def test_a_short_wait_is_slept_and_a_long_one_is_not(world: World) -> None:
    """Up to a second is waited for; for more the work is given back with the time."""
    rt = world.runtime()
    close(world, 0.75)
    assert gates.call(rt, KEY, lambda: "answer", where="x") == "answer"
    assert world.clock.slept == [pytest.approx(0.75)]

    close(world, 30)
    with pytest.raises(DeferredError) as caught:
        gates.call(rt, KEY, lambda: "answer", where="x")
    assert caught.value.until == world.clock.at + 30
    assert len(world.clock.slept) == 1


@pytest.mark.parametrize("rate", [0.0, 5.0])
def test_a_gate_that_is_closed_during_the_wait_is_respected(world: World, rate: float) -> None:
    """Somebody else is refused while we wait for our turn: we do not go through."""

    class Refused(ManualClock):
        def sleep(self, seconds: float) -> None:
            """Sleep, and find the gate closed for longer."""
            super().sleep(seconds)
            close(world, 60)

    close(world, 0.5)
    world.clock = Refused(world.clock.at)
    asked: list[str] = []

    with pytest.raises(DeferredError):
        gates.call(world.runtime(), KEY, lambda: asked.append("asked"), rate=rate, where="x")

    assert asked == []


def test_waiters_do_not_rush_through_an_opening_gate(world: World) -> None:
    """When the gate opens our own rate still holds: burst at once, the others in their turn."""
    close(world, 0.5)
    times = []
    for _ in range(16):
        gates.call(world.runtime(), KEY, lambda: times.append(world.clock.at), rate=4.0, where="x")

    first = times[0]
    assert sum(at - first < 0.01 for at in times) <= gates.BURST
    assert times[-1] - first >= (16 - gates.BURST) / 4.0 - 0.01


@pytest.mark.parametrize(
    "error",
    [
        RateLimited("busy", retry_after=120.0),
        Unavailable("away", retry_after=120.0),
    ],
)
def test_a_named_time_closes_the_gate_for_everybody(world: World, error: Exception) -> None:
    """After a refusal with a time the next request of any worker is held back until then."""
    with pytest.raises(DeferredError) as caught:
        gates.call(world.runtime(), KEY, raising(error), where="x")
    assert caught.value.until == world.clock.at + 120

    with pytest.raises(DeferredError):
        gates.call(world.runtime(), KEY, lambda: "answer", where="x")
    world.clock.advance(120)
    assert gates.call(world.runtime(), KEY, lambda: "answer", where="x") == "answer"


@pytest.mark.parametrize("error", [Unavailable("away"), NotFound("gone")])
def test_other_failures_leave_the_gate_open(world: World, error: Exception) -> None:
    """An outage or a refusal that names no time is passed on as it is."""
    with pytest.raises(type(error)):
        gates.call(world.runtime(), KEY, raising(error), where="x")

    assert gates.call(world.runtime(), KEY, lambda: "answer", where="x") == "answer"
