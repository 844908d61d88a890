"""Tokens of sources in use are renewed early, and of others not at all."""

from simulators.faults import Fault
from tasks import refresh
from tests.world import World


def test_a_token_in_use_is_renewed_before_it_ends(world: World) -> None:
    """Three minutes before the end one refresh is made; the next sync makes none."""
    world.work()
    world.clock.advance(900 - 170)

    assert refresh.run(world.runtime()) == 1
    assert refresh.run(world.runtime()) == 0

    world.call_back()
    world.work()
    assert world.bemserver.faults.count("auth/token/refresh$") == 1


def test_a_token_that_lasts_is_left_alone(world: World) -> None:
    """Five minutes before the end nothing is asked."""
    world.work()
    world.clock.advance(900 - 300)

    assert refresh.run(world.runtime()) == 0
    assert world.bemserver.faults.count("auth/token/refresh$") == 0


def test_a_source_that_nobody_uses_is_not_kept_warm(world: World) -> None:
    """After half an hour without a sync the token may end."""
    world.work()
    world.clock.advance(1900)

    assert refresh.run(world.runtime()) == 0


def test_a_failing_refresh_waits_for_the_next_round(world: World) -> None:
    """The server is away: nothing is raised, and the next round renews."""
    world.work()
    world.clock.advance(900 - 170)
    world.bemserver.faults.add(Fault(path="auth/token/refresh", status=500))

    assert refresh.run(world.runtime()) == 0
    assert refresh.run(world.runtime()) == 1


def test_a_stopping_process_renews_nothing(world: World) -> None:
    """On the way down no login is begun."""
    world.work()
    world.clock.advance(900 - 170)
    rt = world.runtime()
    rt.stopping.set()

    assert refresh.run(rt) == 0
