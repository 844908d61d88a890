"""Outages: what counts as one, told once when it begins and once when it is over."""

import pytest
from sqlmodel import select

from db import breakers, needs
from db.models import Notice, Source
from db.models_limits import Breaker
from db.models_points import Datapoint
from db.states import DatapointState, FeedState, SourceState
from tasks import deliver, housekeeping
from tasks.runtime import Runtime
from tests.tasks.away import BOTH_SIDES, HOUR, SIDES, broken, drive, faults_of, go, told, tries
from tests.tasks.past_days import ask, history, work
from tests.tasks.past_days import row as row_of
from tests.tasks.scenes import TODAY, all_rows, change_feed
from tests.world import DAY, NOON, World


@pytest.fixture
def rt(world: World) -> Runtime:
    """One worker."""
    return world.runtime()


def message(world: World, kind: str) -> str:
    """What the open notice of this kind says."""
    (found,) = [row for row in all_rows(world, Notice) if row.kind == kind and not row.cleared_at]
    return found.message


def test_the_owner_is_told_once_when_it_begins_and_once_when_it_ends(
    world: World, rt: Runtime
) -> None:
    """Two hours away: one notice after ten minutes, however often it fails, and one at the end."""
    world.clock.advance(1)
    go(world)

    drive(world, rt, 590)
    assert told(world) == []
    drive(world, rt, 640)
    assert told(world) == [("breaker", "source:1")]
    drive(world, rt, 2 * HOUR)
    assert told(world, everything=True) == [("breaker", "source:1")]
    since = "source plant has not answered since 2026-11-20 12:00 UTC (BEMServer broke off while"
    assert message(world, "breaker").startswith(since)

    world.bemserver.faults.clear()
    drive(world, rt, 3 * HOUR)
    assert told(world) == [("recovered", "source:1")]
    assert len(told(world, everything=True)) == 2
    assert all_rows(world, Breaker) == []
    assert world.values()[TODAY] == 2.5
    again = message(world, "recovered")
    assert again.startswith("source plant answers again since 2026-11-20 14:")
    assert ", after 2 hours;" in again


def test_silence_of_beeminder_is_told_to_each_person(world: World, rt: Runtime) -> None:
    """It may be their link only: the notice is theirs, and says what to do meanwhile."""
    broken(world, "link", opened=False)
    drive(world, rt, 20)
    assert told(world) == [("breaker", "user:1")]
    since = "Beeminder has not answered since 2026-11-20 11:50 UTC (Beeminder broke off while"
    assert message(world, "breaker").startswith(since)
    assert "by hand" in message(world, "breaker")
    assert [row.user_id for row in all_rows(world, Notice)] == [world.user_id]

    world.beeminder.faults.clear()
    drive(world, rt, 600)
    assert told(world) == [("recovered", "user:1")]
    assert message(world, "recovered").startswith("Beeminder answers again since 2026-11-20 12:")


def test_a_source_says_how_it_stands(world: World, rt: Runtime) -> None:
    """Failing with the reason while the breaker is open, active again with nothing to say."""
    broken(world, opened=False)
    drive(world, rt, 20)
    (source,) = all_rows(world, Source)
    assert source.state == SourceState.FAILING
    with world.reading() as session:
        (opened,) = breakers.open_ones(session)
        (need,) = needs.of(session, world.clock.at)
    assert (opened.subject, opened.troubled_since) == ("source:1", NOON - 599)
    assert opened.reason == source.last_error
    assert opened.reason in need.message
    assert need.subject == "source plant of alice"

    world.bemserver.faults.clear()
    drive(world, rt, 1200)
    (source,) = all_rows(world, Source)
    assert (source.state, source.last_error) == (SourceState.ACTIVE, None)


@BOTH_SIDES
@pytest.mark.parametrize(
    ("fault", "good"),
    [
        ({"status": 404}, 1),
        ({"status": 403}, 1),
        ({"status": 401}, 1),
        ({"status": 400}, 1),
        ({"status": 200, "body": {"this": "is new"}}, 1),
        ({"status": 429, "retry_after": "20"}, 0),
        ({"status": 429}, 0),
        ({"status": 503, "retry_after": "20"}, 0),
    ],
    ids=str,
)
def test_an_answer_is_no_outage(
    world: World, rt: Runtime, side: str, fault: dict[str, object], good: int
) -> None:
    """Whoever refuses a login or a request has answered; a limit says nothing either way."""
    broken(world, side, opened=False)
    faults_of(world, side).clear()
    path = {"source": "timeseries", "link": "goals|users"}[side]
    go(world, side, **({"action": "status", "path": path, "body": {"errors": "no"}} | fault))
    world.call_back()

    world.work(rt)

    assert tries(world, side)
    (row,) = all_rows(world, Breaker)
    assert (row.good, row.bad, row.opened_at) == (good, 20.0, None)


@BOTH_SIDES
@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 502},
        {"status": 503, "body": "<html>maintenance</html>", "content_type": "text/html"},
        {"action": "lose_reply"},
        {"action": "cut"},
        {"action": "reset"},
    ],
    ids=str,
)
def test_silence_is_an_outage(
    world: World, rt: Runtime, side: str, fault: dict[str, object]
) -> None:
    """No answer, half of one, an error of the server or a page for people: that opens it."""
    broken(world, side, opened=False)
    faults_of(world, side).clear()
    path = {"source": "timeseries", "link": "goals|users"}[side]
    go(world, side, **({"action": "status", "path": path} | fault))
    world.clock.advance(1)
    world.call_back()

    world.work(rt)

    assert told(world) == [("breaker", SIDES[side][1])]


def test_answers_in_trouble_are_counted(world: World, rt: Runtime) -> None:
    """Ten minutes in which some got through are no outage: the next failure opens nothing."""
    broken(world, opened=False)
    world.bemserver.faults.clear()
    for _ in range(6):
        world.call_back()
        world.work(rt)
    (row,) = all_rows(world, Breaker)
    assert (row.good, row.bad) == (6.0, 20.0)
    go(world)

    world.clock.advance(5)
    world.call_back()
    world.work(rt)

    (row,) = all_rows(world, Breaker)
    assert row.counted_at == world.clock.at
    assert row.bad > 20
    assert row.opened_at is None


def test_a_healthy_world_writes_nothing(world: World, rt: Runtime) -> None:
    """No row of a breaker is made while all is well, and none is left after a blip."""
    world.work(rt)
    assert all_rows(world, Breaker) == []
    go(world, action="status", status=502, times=1)
    world.call_back()
    world.work(rt)
    assert [row.subject for row in all_rows(world, Breaker)] == ["source:1"]

    world.clock.advance(5)
    world.work(rt)

    assert all_rows(world, Breaker) == []


@BOTH_SIDES
def test_past_days_count_as_well(world: World, rt: Runtime, side: str) -> None:
    """A chunk that gets no answer is trouble, and one that gets it is the end of it."""
    history(world, 60)
    world.work(rt)
    made = ask(world)
    path = "timeseries_data" if side == "source" else "datapoints"
    go(world, side, path=path, action="status", status=502, times=1)
    work(world, rt)
    assert [row.subject for row in all_rows(world, Breaker)] == [SIDES[side][1]]

    world.clock.advance(900)
    work(world, rt)

    assert row_of(world, made).state == "done"
    assert all_rows(world, Breaker) == []


def test_what_waits_to_be_pushed_counts_as_well(world: World, rt: Runtime) -> None:
    """The same for points whose feed is not due: the end of trouble is when they land."""
    change_feed(world, every=10_000.0)
    world.work(rt)
    with world.ledger.write() as session:
        point = session.exec(select(Datapoint)).first()
        point.state, point.due_at = DatapointState.PENDING, NOON
        session.add(point)
    go(world, "link", path="datapoints", action="status", status=502, times=1)
    assert deliver.run(rt)
    assert [row.subject for row in all_rows(world, Breaker)] == ["user:1"]

    world.clock.advance(900)
    world.work(rt)

    assert all_rows(world, Breaker) == []


def test_news_of_a_day_and_trouble_of_nobody_are_forgotten(world: World, rt: Runtime) -> None:
    """That it is back is told for a day; a source whose feeds were all paused is in no trouble."""
    broken(world, opened=False)
    drive(world, rt, 20)
    world.bemserver.faults.clear()
    world.call_back()
    drive(world, rt, 30)
    assert told(world) == [("recovered", "source:1")]
    housekeeping.run(rt)
    assert told(world) == [("recovered", "source:1")]
    world.clock.advance(DAY)
    housekeeping.run(rt)
    assert told(world) == []

    broken(world, opened=False)
    world.call_back()
    drive(world, rt, world.clock.at - NOON + 5)
    assert told(world) == [("breaker", "source:1")]
    change_feed(world, state=FeedState.PAUSED)
    world.clock.advance(1.9 * DAY)
    housekeeping.run(rt)
    assert told(world) == [("breaker", "source:1")]
    world.clock.advance(0.2 * DAY)
    housekeeping.run(rt)
    assert told(world) == []
    assert all_rows(world, Breaker) == []
