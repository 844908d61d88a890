"""Tokens of sources in use are renewed early, and of others not at all."""

from dataclasses import replace

import structlog

from db.models import Source
from simulators.faults import Fault
from tasks import refresh
from tasks.providers import Connection, Link
from tests.tasks.away import broken
from tests.tasks.scenes import all_rows, second_source
from tests.world import DAY, PASSWORD, World

LIFE = 900
DUE = 0.8 * LIFE


def refreshes(world: World) -> int:
    """How often the server was asked for one."""
    return world.bemserver.faults.count("auth/token/refresh$")


def renew_at(world: World) -> float:
    """When the world's first source is to be renewed, in seconds from now."""
    return (all_rows(world, Source)[0].renew_at or 0.0) - world.clock.at


def test_a_token_in_use_is_renewed_at_80_percent_of_its_life(world: World) -> None:
    """Twelve of its fifteen minutes, and not a second before; the next sync makes none."""
    world.work()
    world.clock.advance(DUE - 1)
    assert refresh.run(world.runtime()) == 0

    world.clock.advance(1)
    assert refresh.run(world.runtime()) == 1
    assert refresh.run(world.runtime()) == 0
    assert renew_at(world) == DUE

    world.call_back()
    world.work()
    assert refreshes(world) == 1


def test_the_life_is_the_one_that_the_vendor_gives(world: World) -> None:
    """A token of a day is renewed in its last fifth."""
    world.bemserver.keys.access_seconds = int(DAY)
    world.work()
    world.clock.advance(0.8 * DAY - 1)
    assert refresh.run(world.runtime()) == 0
    world.clock.advance(1)
    assert refresh.run(world.runtime()) == 1


def test_a_source_that_nobody_uses_is_not_kept_warm(world: World) -> None:
    """Read once, it is renewed twice; after half an hour its token may end."""
    world.work()
    for _ in range(200):
        world.clock.advance(30)
        refresh.run(world.runtime())

    assert refreshes(world) == 2


def test_a_failing_refresh_is_tried_again_before_the_token_ends(world: World) -> None:
    """The server is away: nothing is raised, some tries are made, and it is renewed when back."""
    world.work()
    world.clock.advance(DUE)
    world.bemserver.faults.add(Fault(path="auth/token/refresh", status=500, times=None))

    rounds = [refresh.run(world.runtime()) for _ in range(3) if not world.clock.advance(1)]

    assert rounds == [0, 0, 0]
    assert refreshes(world) == 1
    assert refresh.AGAIN_SECONDS - 2 <= renew_at(world) <= 1.5 * refresh.AGAIN_SECONDS
    world.bemserver.faults.clear()
    world.clock.advance(46)
    assert refresh.run(world.runtime()) == 1
    assert all_rows(world, Source)[0].state == "active"


def test_a_server_that_stays_away_is_asked_now_and_then(world: World) -> None:
    """A token of a month can't be renewed in its last six days: tens of tries, no thousands."""
    world.bemserver.keys.access_seconds = int(30 * DAY)
    world.work()
    world.clock.advance(24 * DAY)
    world.bemserver.faults.add(Fault(path="auth/token", action="reset", times=None))
    rt, ends_at = world.runtime(), world.clock.at + 6 * DAY
    while world.clock.at < ends_at:
        assert renew_at(world) >= 0.0  # each try moved it
        world.clock.advance(renew_at(world))
        refresh.run(rt)

    assert 10 < refreshes(world) < 150


def test_a_server_whose_breaker_is_open_is_not_asked(world: World) -> None:
    """Nobody knocks but its probe, which renews the token on its way."""
    world.work()
    world.clock.advance(DUE)
    broken(world)
    before = world.bemserver.faults.count()
    rt = world.runtime()

    assert [refresh.run(rt) for _ in range(5) if not world.clock.advance(10)] == [0] * 5

    assert world.bemserver.faults.count() == before
    world.bemserver.faults.clear()
    world.clock.advance(LIFE - DUE)
    world.work()
    assert world.feed().last_synced_at == world.clock.at
    assert refresh.run(rt) == 0


def test_a_time_that_the_server_named_is_kept_to(world: World) -> None:
    """A refresh that is answered with Retry-After waits for it, also without a sync."""
    world.work()
    world.clock.advance(DUE)
    world.bemserver.faults.add(Fault(path="auth/token/refresh", status=503, retry_after="100"))
    refresh.run(world.runtime())

    for _ in range(3):
        world.clock.advance(30)
        assert refresh.run(world.runtime()) == 0
    assert refreshes(world) == 1
    world.clock.advance(13)
    assert refresh.run(world.runtime()) == 1


def test_a_refused_password_is_not_sent_again_for_this_token(world: World) -> None:
    """Refresh and password are refused: told once; data comes until the token ends."""
    world.work()
    world.clock.advance(DUE)
    world.bemserver.faults.log.clear()
    world.bemserver.faults.add(Fault(path="auth/token", status=401, times=None))
    refresh.run(world.runtime())
    assert all_rows(world, Source)[0].state == "reauthorize"
    assert world.bemserver.faults.count("auth/token$") == 1

    event_id = world.call_back()
    world.work()
    assert world.event(event_id).state == "done"
    assert all_rows(world, Source)[0].state == "active"
    for _ in range(6):
        world.clock.advance(30)
        refresh.run(world.runtime())
    assert world.bemserver.faults.count("auth/token$") == 1


def test_one_source_in_trouble_holds_no_other_up(world: World) -> None:
    """What is wrong with one is put off, and the next one is renewed in the same round."""
    world.link("output", source=second_source(world))
    world.work()
    world.clock.advance(DUE)
    with world.ledger.write() as session:
        session.get_one(Source, world.source_id).settings = {"url": 5}

    assert refresh.run(world.runtime()) == 1
    assert refresh.run(world.runtime()) == 0


def test_a_source_that_nobody_can_connect_holds_no_other_up(world: World) -> None:
    """Its provider raises what none should: put off, told by its type and not by its text."""
    world.link("output", source=second_source(world))
    world.work()
    world.clock.advance(DUE)
    rt = world.runtime()
    connect = rt.providers["bemserver"].connect

    def broken_once(link: Link) -> Connection:
        if not raised:
            raised.append(True)
            raise ZeroDivisionError(PASSWORD)
        return connect(link)

    raised: list[bool] = []
    rt.providers = {"bemserver": replace(rt.providers["bemserver"], connect=broken_once)}
    with structlog.testing.capture_logs() as logs:
        assert refresh.run(rt) == 1

    assert renew_at(world) >= refresh.AGAIN_SECONDS
    (told,) = [line for line in logs if line["event"] == "source.refresh_broken"]
    assert told["error"] == "ZeroDivisionError"
    assert PASSWORD not in str(logs)
    world.clock.advance(renew_at(world))
    assert refresh.run(rt) == 1


def test_nobody_waits_for_a_login_that_is_under_way(world: World) -> None:
    """Another machine is logging in: the round goes on without a pause."""
    world.work()
    world.clock.advance(DUE)
    rt = world.runtime()
    with world.ledger.write() as session:
        source = session.get_one(Source, world.source_id)
        source.refresh_owner = "elsewhere"
        source.refresh_until = world.clock.at + 5
        session.add(source)

    assert refresh.run(rt) == 0
    assert world.clock.slept == []
    assert refreshes(world) == 0


def test_a_round_that_takes_long_rings_and_goes_on(world: World) -> None:
    """A slot is held for some seconds at the most; the rest is done by the next bell."""
    world.link("output", source=second_source(world))
    world.work()
    world.clock.advance(DUE)
    rt = world.runtime()
    send = world.http.send

    def slowly(*args: object, **more: object) -> object:
        world.clock.advance(6)
        return send(*args, **more)  # type: ignore[arg-type]

    world.http.send = slowly  # type: ignore[method-assign]
    world.rung.clear()

    assert refresh.run(rt) == 1
    assert ("refresh_tokens", "default") in world.rung
    assert refresh.run(rt) == 1


def test_a_stopping_process_renews_nothing(world: World) -> None:
    """On the way down no login is begun."""
    world.work()
    world.clock.advance(DUE)
    rt = world.runtime()
    rt.stopping.set()

    assert refresh.run(rt) == 0
