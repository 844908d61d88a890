"""Claims: one holder at a time, lanes in order, and only what a claim saw is finished by it."""

import random

import pytest
from sqlmodel import col, select

from db import claiming, deaths, feeds, inbox, opening
from db.engine import Ledger
from db.feeds import FencedError
from db.models import Cover, Datapoint, Event, Feed, Goal, Source, User
from db.states import EventKind, FeedState, Lane
from tests.tasks.scenes import at_once

NOW = 1_800_000_000.0


def fill(ledger: Ledger, *, sources: int = 1, feeds_each: int = 1, goals: int = 1) -> list[int]:
    """Sources with due feeds, spread over goals `g0`, `g1`…; the ids of the feeds."""
    with ledger.write() as session:
        user = User(username="alice")
        session.add(user)
        session.flush()
        rows = [Goal(user_id=user.id, slug=f"g{n}", declared_slug=f"g{n}") for n in range(goals)]
        session.add_all(rows)
        session.flush()
        made = []
        for number in range(sources):
            source = Source(user_id=user.id, name=f"s{number}", provider="bemserver")
            session.add(source)
            session.flush()
            for n in range(feeds_each):
                made.append(
                    Feed(
                        goal_id=rows[len(made) % goals].id,
                        source_id=source.id,
                        label=f"{number}-{n}",
                        metric="m",
                        due_at=NOW - 1,
                    )
                )
        session.add_all(made)
        session.flush()
        return [feed.id or 0 for feed in made]


def call_back(ledger: Ledger, slug: str = "g0", at: float = NOW) -> str:
    """A callback, stored and tied to its feeds."""
    new = inbox.NewEvent(
        kind=EventKind.AUTOFETCH,
        payload={"username": "alice", "slug": slug},
        received_at=at,
        id=inbox.new_id(at),
    )
    with ledger.write() as session:
        inbox.store(session, [new])
    with ledger.write() as session:
        opening.open_callbacks(session, at)
    return new.id


def claim(ledger: Ledger, owner: str = "a", *, now: float = NOW, lane: Lane = Lane.BULK, **more):
    """Claim in a transaction of its own."""
    with ledger.write() as session:
        return claiming.claim(session, owner=owner, now=now, lane=lane, **more)


def finish(ledger: Ledger, held: feeds.Claim, *, now: float = NOW) -> None:
    """Finish in a transaction of its own."""
    with ledger.write() as session:
        feeds.finish(session, held, now=now, next_at=now + 60, written=1)


def row(ledger: Ledger, feed_id: int) -> Feed:
    """The feed as it stands."""
    with ledger.read() as session:
        return session.get_one(Feed, feed_id)


def state(ledger: Ledger, event_id: str) -> str:
    """How far the event has come."""
    with ledger.read() as session:
        return session.get_one(Event, event_id).state


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
            return claiming.claim_outbox(session, owner=f"w{worker}", now=NOW, limit=4)

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


@pytest.mark.parametrize("second", ["another worker", "another thread of the same worker"])
@pytest.mark.parametrize("what", ["finish", "fail", "put_back", "hold", "release", "rest", "wake"])
def test_everything_that_ends_a_claim_is_fenced(ledger: Ledger, what: str, second: str) -> None:
    """After the feed was claimed again, the first holder changes nothing about it."""
    (feed_id,) = fill(ledger)
    event_id = call_back(ledger)
    (old,) = claim(ledger, "a")
    owner = "b" if second == "another worker" else "a"
    with ledger.write() as session:
        deaths.bury(session, NOW + feeds.LEASE_SECONDS)
    (new,) = claim(ledger, owner, now=NOW + feeds.LEASE_SECONDS, alone=True)
    assert (old.epoch, new.epoch) == (1, 2)
    before = row(ledger, feed_id).model_dump()
    error = {"code": "x", "message": "y"}
    ends = {
        "finish": lambda s: feeds.finish(s, old, now=NOW, next_at=NOW, written=1),
        "fail": lambda s: feeds.fail(s, old, now=NOW, next_at=NOW, error=error),
        "put_back": lambda s: feeds.put_back(
            s, old, due_at=NOW, error=error, deferred=False, now=NOW
        ),
        "hold": lambda s: feeds.hold(s, old, NOW),
        "release": lambda s: feeds.release(s, old),
        "rest": lambda s: feeds.rest(s, old, now=NOW, next_at=NOW, error=error),
        "wake": lambda s: feeds.wake(s, old, NOW),
    }

    with pytest.raises(FencedError), ledger.write() as session:
        ends[what](session)

    assert row(ledger, feed_id).model_dump() == before
    assert state(ledger, event_id) == "working"


def test_a_lease_that_has_ended_but_was_not_taken_is_still_ours(ledger: Ledger) -> None:
    """Late is not fenced: as long as nobody has looked why it ended, the holder may finish."""
    (feed_id,) = fill(ledger)
    (held,) = claim(ledger)

    finish(ledger, held, now=NOW + 60)

    assert row(ledger, feed_id).last_synced_at == NOW + 60


def test_the_heartbeat_renews_only_its_own(ledger: Ledger) -> None:
    """A renewal moves the end of our leases, and of nobody else's."""
    first, second = fill(ledger, sources=2)
    claim(ledger, "a")
    claim(ledger, "b")
    with ledger.write() as session:
        feeds.renew(session, owner="a", feed_ids=[first, second], now=NOW + 5)

    ends = {
        row(ledger, feed_id).lease_owner: row(ledger, feed_id).lease_until
        for feed_id in (first, second)
    }
    assert ends == {"a": NOW + 15, "b": NOW + 10}


def test_handing_back_fences_the_threads_that_still_run(ledger: Ledger) -> None:
    """A stopping worker's leases end at once, and its last threads change nothing."""
    (feed_id,) = fill(ledger)
    (held,) = claim(ledger, "a")
    with ledger.write() as session:
        assert feeds.hand_back(session, owner="a") == 1

    assert claim(ledger, "b")[0].feed_id == feed_id
    with pytest.raises(FencedError):
        finish(ledger, held)


def test_a_failed_try_counts_and_a_deferral_does_not(ledger: Ledger) -> None:
    """Attempts of feed and event grow with failures; a limit adds a deferral to both."""
    (feed_id,) = fill(ledger)
    event_id = call_back(ledger)
    error = {"code": "x", "message": "y"}
    for deferred in (False, True, True):
        (held,) = claim(ledger)
        with ledger.write() as session:
            feeds.put_back(session, held, due_at=NOW, error=error, deferred=deferred, now=NOW)
    (held,) = claim(ledger)
    finish(ledger, held)

    with ledger.read() as session:
        event = session.get_one(Event, event_id)
    assert (event.state, event.attempts, event.deferrals, event.datapoints) == ("done", 2, 2, 1)
    feed = row(ledger, feed_id)
    assert (feed.attempts, feed.deferrals, feed.failing_since) == (0, 0, None)
    assert feed.deferred_since is None


def test_a_deferral_that_is_not_free_counts_and_is_shortened_by_nobody(ledger: Ledger) -> None:
    """Past its ceiling: an attempt with its error, and still not before the time it names."""
    (feed_id,) = fill(ledger)
    error = {"code": "x", "message": "y"}
    for number, free in enumerate((True, False)):
        (held,) = claim(ledger, now=NOW + number)
        call_back(ledger)
        with ledger.write() as session:
            due_at = NOW + (60 if number else 1)
            at = NOW + number
            feeds.put_back(
                session, held, due_at=due_at, error=error, deferred=True, free=free, now=at
            )

    feed = row(ledger, feed_id)
    assert (feed.attempts, feed.deferrals, feed.due_at) == (1, 2, NOW + 60)
    assert (feed.deferred_since, feed.failing_since, feed.last_error) == (NOW, NOW + 1, "y")
    assert claim(ledger, now=NOW + 59) == []


def test_a_released_claim_leaves_time_and_counts_alone(ledger: Ledger) -> None:
    """The outbox looked in: the feed is due as before and its events still wait, untried."""
    (feed_id,) = fill(ledger)
    event_id = call_back(ledger)
    before = row(ledger, feed_id)
    (held,) = claim(ledger)
    with ledger.write() as session:
        feeds.release(session, held)

    after = row(ledger, feed_id)
    assert (after.due_at, after.lane, after.attempts) == (before.due_at, before.lane, 0)
    assert claim(ledger)[0].feed_id == feed_id
    assert state(ledger, event_id) == "working"
    with ledger.read() as session:
        assert session.get_one(Event, event_id).attempts == 1


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
        assert claiming.has_outbox(session, NOW) is waits
        assert bool(claiming.claim_outbox(session, owner="a", now=NOW)) is waits
