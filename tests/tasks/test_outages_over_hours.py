"""An outage of hours: the source is left alone, callbacks are not, and then all is made good."""

import contextlib
from itertools import pairwise

import pytest

from db import breakers, claiming, feeds
from db.breakers import URGENT_SECONDS
from db.feeds import Claim, FencedError
from db.models import Source
from db.states import Lane
from tasks import jobs, outages
from tasks.runtime import Runtime
from tests.tasks.away import BOTH_SIDES, HOUR, broken, drive, faults_of, tries
from tests.tasks.scenes import TODAY, at_once, second_source
from tests.world import World


@pytest.fixture
def rt(world: World) -> Runtime:
    """One worker."""
    return world.runtime()


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


@BOTH_SIDES
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


@BOTH_SIDES
@pytest.mark.parametrize("early", [0.5, 120.0, -1.0])
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


@BOTH_SIDES
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


def test_closing_and_claiming_never_wait_for_each_other(world: World) -> None:
    """Workers that end an outage and workers that claim its feeds at one moment: none is stuck."""
    for number in range(6):
        world.link(f"g{number}")
    broken(world)
    with world.ledger.read() as session:
        batch = jobs.load(session, [Claim(1, 1, 0, 0, "nobody", Lane.BULK)])
        opened = breakers.Health(
            bad=20.0, counted_at=world.clock.at, troubled_since=1.0, opened_at=world.clock.at
        )

    def close(_: int) -> None:
        for _turn in range(15):
            with world.ledger.write() as session:
                breakers.change(session, "source:1", lambda _: opened)
            outages.source(world.runtime(), batch, None)

    def claim(_: int) -> None:
        rt, now = world.runtime(), world.clock.at + 100
        for _turn in range(15):
            with rt.ledger.write() as session:
                held = claiming.claim(session, owner=rt.owner, now=now, lane=Lane.BULK)
            for feed in held:
                with contextlib.suppress(FencedError), rt.ledger.write() as session:
                    feeds.put_back(
                        session,
                        feed,
                        due_at=now - 10,
                        error={"code": "down", "message": "down"},
                        deferred=False,
                        now=now,
                    )

    at_once(6, lambda number: (close if number < 3 else claim)(number))
