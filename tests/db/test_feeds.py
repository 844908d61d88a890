"""Claims: one holder at a time, lanes in order, and only what a claim saw is finished by it."""

import pytest

from db import claiming, deaths, feeds, inbox, opening
from db.engine import Ledger
from db.feeds import FencedError
from db.models import Event, Feed, Goal, Source, User
from db.states import EventKind, Lane

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
