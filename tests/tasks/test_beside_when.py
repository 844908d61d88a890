"""When facts are read beside the source: only where all is well, else they go first as ever."""

from collections.abc import Callable

import pytest
from sqlalchemy import update

from db import claiming
from db.models import Goal, User
from db.states import Lane
from tasks import beside, callbacks, facts, jobs
from tasks.jobs import Batch
from tasks.runtime import Runtime
from tests.tasks.meeting import after, asked
from tests.tasks.scenes import change_feed
from tests.world import World


def change_user(world: World, **columns: object) -> None:
    """Set columns of alice's row."""
    with world.ledger.write() as session:
        session.connection().execute(update(User).values(**columns))


def change_goal(world: World, **columns: object) -> None:
    """The same of her goal."""
    with world.ledger.write() as session:
        session.connection().execute(update(Goal).values(**columns))


def just_read(world: World) -> None:
    """All that is known of her is a second old."""
    change_user(world, facts_at=world.clock.at - 1)
    change_goal(world, facts_at=world.clock.at - 1)


def many(world: World) -> None:
    """Six feeds of one goal are claimed together, each of which has been looked at."""
    known = world.feed()
    looked = {"digest": known.digest, "cursor": known.cursor}
    for number in range(5):
        world.link("energy", label=f"l{number}", lane=Lane.URGENT, **looked)


def scheduled(world: World) -> None:
    """Nobody waits for it, though its person has changed since its goal was read."""
    change_feed(world, lane=Lane.BULK)
    change_user(world, facts_at=world.clock.at - 1)


ORDINARY: dict[str, Callable[[World], object]] = {
    "never looked at": lambda world: change_feed(world, digest=None),
    "restored": lambda world: change_feed(world, restored=True),
    "doubtful": lambda world: change_feed(world, doubtful=True),
    "failing": lambda world: change_feed(world, attempts=1),
    "put off": lambda world: change_feed(world, deferred_since=world.clock.at - 1),
    "old": lambda world: world.clock.advance(facts.BELIEVED_SECONDS),
    "known": just_read,
    "no zone": lambda world: change_user(world, timezone=None),
    "refused": lambda world: change_user(world, state="reauthorize"),
    "many": many,
    "resting": lambda world: change_feed(world, state="paused", reason="goal_frozen"),
    "frozen": lambda world: change_goal(world, frozen=True),
    "unfit": lambda world: change_goal(world, aggday="count"),
    "bad settings": lambda world: change_feed(world, params={"timeseries": "x"}),
    "scheduled": scheduled,
}


def batch_of(world: World, rt: Runtime) -> Batch:
    """What a worker claims now."""
    with world.ledger.write() as session:
        claims = claiming.claim(session, owner=rt.owner, now=world.clock.at, lane=Lane.BULK)
    with world.ledger.read() as session:
        return jobs.load(session, claims)


@pytest.mark.parametrize("what", [None, *ORDINARY])
def test_where_anything_is_the_matter_facts_go_first(
    world: World, landed: None, what: str | None
) -> None:
    """Only where all is well the source is asked by the facts of before."""
    after(world)
    rt = world.runtime()
    callbacks.open_new(rt)
    if what is not None:
        ORDINARY[what](world)
    batch = batch_of(world, rt)

    found = beside.questions(rt, batch)

    assert (found is None) is (what is not None)
    assert len(batch.jobs) == (6 if what == "many" else 1)
    assert asked(world) == []


def test_trouble_that_is_known_is_met_by_facts_first(world: World, landed: None) -> None:
    """Beeminder or the source did not answer before: nobody asks both at once."""
    after(world)
    rt = world.runtime()
    callbacks.open_new(rt)
    batch = batch_of(world, rt)
    batch.troubled = frozenset({"source:1"})

    assert beside.questions(rt, batch) is None
