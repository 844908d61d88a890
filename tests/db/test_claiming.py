"""Claims: one holder of each feed at a time, the best lane first, and nothing is forgotten."""

import random

import pytest
from sqlmodel import col, select

from db import claiming, claiming_outbox, feeds
from db.engine import Ledger
from db.models import Cover, Feed
from db.models_points import Datapoint
from db.states import FeedState, Lane
from tests.db.test_feeds import NOW, call_back, claim, fill, finish, state
from tests.tasks.scenes import at_once


def test_racing_workers_claim_each_feed_once_per_round(ledger: Ledger) -> None:
    """Six threads claim three at a time, for many rounds: nothing twice, nothing forgotten."""
    ids = fill(ledger, sources=3, feeds_each=8)

    for number in range(12):
        now = NOW + number * 100

        def take(worker: int, now: float = now) -> list[feeds.Claim]:
            taken: list[feeds.Claim] = []
            while found := claim(ledger, f"w{worker}", now=now, limit=3):
                taken += found
            return taken

        got = [held for taken in at_once(6, take) for held in taken]
        assert sorted(held.feed_id for held in got) == sorted(ids)
        assert {held.epoch for held in got} == {number + 1}
        for held in got:
            finish(ledger, held, now=now)


def test_racing_outbox_and_schedule_share_the_leases(ledger: Ledger) -> None:
    """The outbox and the schedule want the same feeds: each is held by one of them."""
    ids = fill(ledger, feeds_each=10)
    with ledger.write() as session:
        session.add_all(
            Datapoint(
                goal_id=session.get_one(Feed, feed_id).goal_id,
                feed_id=feed_id,
                requestid=f"wg-{feed_id}",
                value=1.0,
                content_hash="x",
                due_at=NOW,
            )
            for feed_id in ids
        )

    def take(worker: int) -> list[feeds.Claim]:
        if worker % 2:
            return claim(ledger, f"w{worker}", limit=4)
        with ledger.write() as session:
            return claiming_outbox.claim(session, owner=f"w{worker}", now=NOW, limit=4)

    got = [held.feed_id for taken in at_once(8, take) for held in taken]
    assert len(got) == len(set(got))


def test_callbacks_and_claims_in_parallel_lose_nothing(ledger: Ledger) -> None:
    """Callbacks for goals of several feeds arrive while workers claim and finish: all end done."""
    fill(ledger, sources=3, feeds_each=4, goals=4)
    events: list[str] = []

    def work(worker: int) -> None:
        rng = random.Random(worker)  # noqa: S311 -- a repeatable order
        for turn in range(9):  # shorter than a lease, however far apart the workers get
            if worker % 2:
                events.append(call_back(ledger, f"g{rng.randrange(4)}", NOW + turn))
            for held in claim(ledger, f"w{worker}", now=NOW + turn, limit=5):
                finish(ledger, held, now=NOW + turn)

    at_once(6, work)
    while found := claim(ledger, now=NOW + 1000):
        for held in found:
            finish(ledger, held, now=NOW + 1000)
        if not any(held.lane == Lane.URGENT for held in found):
            break

    assert len(events) == 27
    assert {state(ledger, event_id) for event_id in events} == {"done"}
    with ledger.read() as session:
        assert session.exec(select(Cover).where(col(Cover.done).is_(False))).all() == []


def test_feeds_that_share_no_request_are_taken_a_few_at_once(ledger: Ledger) -> None:
    """Their vendor's name decides: what one worker takes waits until all of it has been read."""
    fill(ledger, feeds_each=12)
    limits = {"bemserver": 5, "other": 1}
    assert [len(claim(ledger, together=limits)) for _ in range(3)] == [5, 5, 2]


def test_the_urgent_lane_goes_first_then_the_longest_due(ledger: Ledger) -> None:
    """A callback overtakes scheduled work; a lane never takes what is less urgent than itself."""
    first, second, third = fill(ledger, sources=3)
    with ledger.write() as session:
        for feed_id, lane, due in (
            (first, Lane.BULK, NOW - 500),
            (second, Lane.BULK, NOW - 900),
            (third, Lane.URGENT, NOW - 1),
        ):
            feed = session.get_one(Feed, feed_id)
            feed.lane, feed.due_at = lane, due
            session.add(feed)

    assert claim(ledger, lane=Lane.URGENT)[0].feed_id == third
    assert claim(ledger, lane=Lane.URGENT) == []
    assert [claim(ledger)[0].feed_id for _ in range(2)] == [second, first]


def test_what_is_not_due_leased_or_asleep_is_not_claimed(ledger: Ledger) -> None:
    """Only feeds that are due, free and active or failing are taken."""
    ids = fill(ledger, feeds_each=6)
    changes = (
        {"due_at": NOW + 0.001},
        {"lease_until": NOW + 0.001},
        {"state": FeedState.PAUSED},
        {"state": FeedState.STOPPED},
        {"state": FeedState.FAILING},
        {"lease_until": NOW},
    )
    with ledger.write() as session:
        for feed_id, columns in zip(ids, changes, strict=True):
            feed = session.get_one(Feed, feed_id)
            for name, value in columns.items():
                setattr(feed, name, value)
            session.add(feed)

    assert {held.feed_id for held in claim(ledger)} == set(ids[4:])


def test_a_look_and_a_claim_say_the_same(ledger: Ledger) -> None:
    """There is something to claim as long as something is claimed, in each lane."""
    (urgent,) = fill(ledger)
    with ledger.write() as session:
        session.get_one(Feed, urgent).lane = Lane.DEFAULT

    def looks(lane: Lane) -> bool:
        with ledger.read() as session:
            return claiming.any_due(session, lane, NOW)

    assert [looks(lane) for lane in Lane] == [False, True, True]
    assert claim(ledger) != []
    assert [looks(lane) for lane in Lane] == [False, False, False]


def test_a_claim_takes_no_more_than_its_limit(ledger: Ledger) -> None:
    """Of twenty due feeds three are taken, then the next three."""
    fill(ledger, feeds_each=20)
    assert [len(claim(ledger, limit=3)) for _ in range(3)] == [3, 3, 3]


def test_due_sources_are_counted_per_lane_and_no_further_than_asked(ledger: Ledger) -> None:
    """The sweep's question: so many sources of exactly this lane, up to its limit."""
    fill(ledger, sources=5, feeds_each=2)
    with ledger.read() as session:
        count = {lane: claiming.due_sources(session, lane, NOW, at_most=3) for lane in Lane}
    assert count == {Lane.URGENT: 0, Lane.DEFAULT: 3, Lane.BULK: 0}


@pytest.mark.parametrize(
    ("values", "waits"),
    [
        ({"due_at": NOW + 60}, True),
        ({"due_at": NOW - 1}, False),  # it pushes them itself when it is synced
        ({"due_at": NOW + 60, "state": FeedState.PAUSED}, False),
        ({"due_at": NOW + 60, "lease_until": NOW + 5}, False),
    ],
)
def test_the_outbox_is_of_feeds_whose_own_time_has_not_come(
    ledger: Ledger, values: dict[str, object], *, waits: bool
) -> None:
    """What a paused, running or due feed has pending is nobody else's to push."""
    (feed_id,) = fill(ledger)
    with ledger.write() as session:
        feed = session.get_one(Feed, feed_id)
        for name, value in values.items():
            setattr(feed, name, value)
        session.add(feed)
        session.add(
            Datapoint(
                goal_id=feed.goal_id,
                feed_id=feed_id,
                requestid="r",
                value=1.0,
                content_hash="h",
                due_at=NOW,
            )
        )

    with ledger.write() as session:
        assert claiming_outbox.any_due(session, NOW) is waits
        assert bool(claiming_outbox.claim(session, owner="a", now=NOW)) is waits


def test_claiming_goes_along_its_index(ledger: Ledger) -> None:
    """Neither database looks at every feed to find one that is due."""
    fill(ledger, sources=3, feeds_each=20)
    asked = (
        select(Feed.source_id).where(claiming.due(NOW, Lane.BULK)).order_by(Feed.lane, Feed.due_at)
    )
    with ledger.write() as session:
        dialect = session.get_bind().dialect
        words = str(asked.limit(1).compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
        if dialect.name == "postgresql":
            session.connection().exec_driver_sql("SET LOCAL enable_seqscan = off")
            session.connection().exec_driver_sql("SET LOCAL enable_sort = off")
        explain = "EXPLAIN" if dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
        plan = session.connection().exec_driver_sql(f"{explain} {words}").all()

    assert "ix_feed_claim" in str(plan)
