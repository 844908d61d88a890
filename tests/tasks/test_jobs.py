"""What a claim is about, read for all of its feeds at once."""

import itertools
from collections.abc import Sequence

import pytest
from sqlmodel import delete

from db import breakers, claiming
from db.breakers import Health
from db.covers import MOST_ASKERS, Asker
from db.feeds import Claim
from db.models import Feed
from db.models_points import Datapoint, Day
from db.states import Lane
from tasks import callbacks, jobs
from tests.db.counting import statements
from tests.tasks.scenes import all_rows
from tests.world import World


def test_a_claim_is_loaded_in_as_many_questions_as_one_feed(world: World) -> None:
    """Fifty feeds of a source are claimed together: what they are about is not asked one by one."""
    with world.ledger.write() as session:
        known = world.feed()
        for number in range(9):
            label = f"copy{number}"
            session.add(
                Feed(goal_id=known.goal_id, source_id=known.source_id, metric="m", label=label)
            )
    feeds = all_rows(world, Feed)

    def load(rows: Sequence[Feed]) -> int:
        claims = [Claim(row.id or 0, row.source_id, 1, 0, "worker", Lane.URGENT) for row in rows]
        with world.ledger.read() as session, statements(world.ledger) as asked:
            batch = jobs.load(session, claims)
        assert [job.feed.id for job in batch.jobs] == [row.id for row in rows]
        assert {job.feeds for job in batch.jobs} == {10}
        return len(asked)

    assert load(feeds) == load(feeds[:1]) == 1


@pytest.mark.parametrize("ill", [set(), {"source:1"}, {"user:1"}, {"source:1", "user:1"}])
def test_a_claim_says_which_of_the_two_is_in_trouble(world: World, ill: set[str]) -> None:
    """The outcome of a sync is counted for these alone: of one that is forgotten none gets well."""
    trouble = Health(bad=1.0, counted_at=world.clock.at, troubled_since=world.clock.at)
    with world.ledger.write() as session:
        for subject in ill | {"source:11", "user:11"}:
            breakers.change(session, subject, lambda _: trouble)
        held = claiming.claim(session, owner="a", now=world.clock.at, lane=Lane.BULK)

    with world.ledger.read() as session:
        assert jobs.load(session, held).troubled == ill


def test_a_claim_names_each_callback_that_its_feeds_answer_once(world: World) -> None:
    """Two feeds of a goal have the same callbacks; the oldest are named, and no endless list."""
    world.link("energy", label="b")
    called = [world.call_back(request_id=f"r-{number}") for number in range(MOST_ASKERS + 5)]
    assert callbacks.open_new(world.runtime())
    with world.ledger.write() as session:
        held = claiming.claim(session, owner="a", now=world.clock.at, lane=Lane.URGENT)

    with world.ledger.read() as session:
        asking = jobs.load(session, held).askers

    assert len(held) == 2
    oldest = sorted(zip(called, itertools.count(), strict=False))[:MOST_ASKERS]
    assert asking == tuple(Asker(event_id, f"r-{number}") for event_id, number in oldest)


def test_the_same_facts_give_the_same_ids_after_a_lost_home(world: World) -> None:
    """The memory of what was sent is lost: the same facts are recognised, nothing is doubled."""
    world.work()
    before = {point.requestid: point.id for point in world.points()}
    with world.ledger.write() as session:
        session.connection().execute(delete(Datapoint))
        session.connection().execute(delete(Day))
    world.call_back()

    world.work()

    assert {point.requestid: point.id for point in world.points()} == before
