"""Outages: told once when they begin and once when they are over, and callbacks never wait long."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from sqlmodel import select

from db import breakers, needs
from db.breakers import URGENT_SECONDS
from db.models import Datapoint, Feed, Notice, Source
from db.models_limits import Breaker
from db.states import DatapointState, Lane, SourceState
from simulators.faults import Fault, Faults
from tasks import deliver, outages
from tasks.runtime import Runtime
from tests.tasks.past_days import ask, history, work
from tests.tasks.past_days import row as row_of
from tests.tasks.scenes import TODAY, all_rows, change_feed, second_source
from tests.world import NOON, World

HOUR = 3600.0
SIDES = {"source": ("bemserver", "source:1"), "link": ("beeminder", "user:1")}


@pytest.fixture
def rt(world: World) -> Runtime:
    """One worker."""
    return world.runtime()


@pytest.fixture(params=SIDES)
def side(request: pytest.FixtureRequest) -> str:
    """Who is away: the source, or Beeminder."""
    name: str = request.param
    return name


def faults_of(world: World, side: str) -> Faults:
    """The faults, and the log, of the server behind this."""
    simulator: Faults = getattr(world, SIDES[side][0]).faults
    return simulator


def go(world: World, side: str = "source", **fault: object) -> None:
    """From now on nobody answers there, or something else is wrong."""
    faults_of(world, side).add(Fault(**({"action": "reset", "times": None} | fault)))


def broken(world: World, side: str = "source", *, opened: bool = True) -> None:
    """The same, ten minutes ago: feeds are in back-off, and the breaker is open, or just not."""
    go(world, side)
    now = world.clock.at
    row = Breaker(
        subject=SIDES[side][1], bad=20.0, counted_at=now, troubled_since=now - 599, reason="gone"
    )
    if opened:
        row.opened_at, row.probed_at, row.probe_at = now, now, now + 60
    with world.ledger.write() as session:
        session.add(row)
        for number, feed in enumerate(session.exec(select(Feed))):
            feed.attempts, feed.failing_since = 20, now - 599
            feed.due_at = now + 10 + 30 * number
            session.add(feed)


def drive(world: World, rt: Runtime, until: float) -> None:
    """Work whenever something comes due, until so many seconds after noon."""
    while True:
        world.work(rt)
        now = world.clock.at
        step = min((at for at in instants(world) if at > now), default=until + NOON)
        world.clock.at = min(step, until + NOON)
        if step >= until + NOON:
            return world.work(rt)


def instants(world: World) -> Iterator[float]:
    """When something may come due that no breaker holds up."""
    rows = [row for row in all_rows(world, Breaker) if row.opened_at is not None]
    urgent = max((row.probed_at + URGENT_SECONDS for row in rows), default=0.0)
    other = max((row.probe_at for row in rows), default=0.0)
    for feed in all_rows(world, Feed):
        yield max(feed.due_at, urgent if feed.lane == Lane.URGENT else other)


def tries(world: World, side: str, since: float = 0.0) -> list[float]:
    """When somebody asked there, in seconds after noon; what is asked at one time is one try."""
    asked = {request.started_at - NOON for request in faults_of(world, side).requests}
    return sorted(at for at in asked if at >= since)


def told(world: World, *, everything: bool = False) -> list[tuple[str, str]]:
    """The open notices about outages as (kind, subject); `everything`: also those cleared."""
    return [
        (row.kind, row.subject)
        for row in all_rows(world, Notice)
        if row.kind in (outages.OPENED, outages.CLOSED) and (everything or row.cleared_at is None)
    ]


def test_the_owner_is_told_once_when_it_begins_and_once_when_it_ends(
    world: World, rt: Runtime, side: str
) -> None:
    """Two hours away, whoever it is: one notice after ten minutes, another when it answers."""
    subject = SIDES[side][1]
    world.clock.advance(1)
    go(world, side)

    drive(world, rt, 590)
    assert told(world) == []
    drive(world, rt, 640)
    assert told(world) == [("breaker", subject)]
    (notice,) = [row for row in all_rows(world, Notice) if row.kind == "breaker"]
    name = "source plant" if side == "source" else "Beeminder"
    assert notice.message.startswith(f"{name} has not answered since 2026-11-20 12:00 UTC (")
    assert "Connection" in notice.message or "broke off" in notice.message
    drive(world, rt, 2 * HOUR)
    assert [row.created_at for row in all_rows(world, Notice)] == [notice.created_at]

    faults_of(world, side).clear()
    drive(world, rt, 3 * HOUR)
    assert told(world) == [("recovered", subject)]
    again = next(row for row in all_rows(world, Notice) if row.kind == "recovered")
    assert again.message.startswith(f"{name} answers again since 2026-11-20 14:")
    assert ", after 2 hours;" in again.message
    assert len(told(world, everything=True)) == 2
    assert all_rows(world, Breaker) == []
    assert world.values()[TODAY] == 2.5


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


def test_a_source_that_is_away_is_left_alone(world: World, rt: Runtime) -> None:
    """Three feeds, six hours: a probe now and then, by one of them for all."""
    for number in range(2):
        world.link(f"g{number}")
        world.beeminder.state.add_goal("alice", f"g{number}", kyoom=True, aggday="sum")
    broken(world)

    drive(world, rt, 6 * HOUR)

    gaps = [after - before for before, after in pairwise(tries(world, "source"))]
    assert 20 < len(gaps) < 50
    assert min(gaps) >= 60
    assert max(gaps) < 1000
    assert sum(gaps[:4]) < 1800


def test_callbacks_in_an_outage_are_tried_as_ever(world: World, rt: Runtime, side: str) -> None:
    """Within five seconds, then at gaps of thirty at most for ten minutes: breaker or not."""
    broken(world, side)
    drive(world, rt, HOUR)

    world.call_back()
    drive(world, rt, HOUR + 600)

    asked = tries(world, side, since=HOUR)
    assert asked[0] - HOUR <= URGENT_SECONDS
    gaps = [after - before for before, after in pairwise(asked)]
    assert min(gaps) >= URGENT_SECONDS
    assert gaps[0] <= 5
    assert max(gaps) <= 30
    assert asked[-1] > HOUR + 570


@pytest.mark.parametrize("early", [0.5, 20.0, 580.0, -1.0])
def test_a_callback_is_answered_when_the_source_is_back(
    world: World, rt: Runtime, side: str, early: float
) -> None:
    """It came shortly before the other side was back, or just after: 30 s later it is done."""
    broken(world, side)
    drive(world, rt, 2 * HOUR - max(early, 0.0))
    event_id = world.call_back()
    drive(world, rt, 2 * HOUR)
    faults_of(world, side).clear()
    if early < 0:
        event_id = world.call_back()

    drive(world, rt, 2 * HOUR + 30)

    assert world.event(event_id).state == "done"
    assert world.values()[TODAY] == 2.5


def test_what_waited_follows_soon(world: World, rt: Runtime, side: str) -> None:
    """The first success wakes the others: within a few seconds everything is there."""
    slugs = [f"g{number}" for number in range(8)]
    for slug in slugs:
        world.beeminder.state.add_goal("alice", slug, kyoom=True, aggday="sum")
        world.link(slug)
    broken(world, side)
    drive(world, rt, 2 * HOUR)
    faults_of(world, side).clear()
    world.call_back("g3")

    drive(world, rt, 2 * HOUR + URGENT_SECONDS + 2)

    assert [world.values(slug).get(TODAY) for slug in slugs] == [2.5] * len(slugs)


def test_other_sources_go_on(world: World, rt: Runtime) -> None:
    """The plant is away: what the roof says is on its goal as ever, and nobody waits."""
    world.link("output", source=second_source(world))
    broken(world)
    world.bemserver.faults.clear()  # they are at one server
    with world.ledger.write() as session:
        plant = session.get_one(Source, world.source_id)
        plant.settings = plant.settings | {"url": "http://127.0.0.1:9"}
    event_id = world.call_back("output")

    drive(world, rt, 100)

    assert world.event(event_id).state == "done"
    assert world.values("output")[TODAY] == 2.5
    assert world.feed().last_error


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
