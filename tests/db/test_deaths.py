"""Deaths: who died is known by who died with it, and only what dies alone again and again goes."""

import pytest

from db import backfills, claiming, deaths, events, feeds, inbox, needs, opening, pauses, workers
from db.deaths import Burial
from db.engine import Ledger
from db.feeds import LEASE_SECONDS, FencedError
from db.models import Backfill, Event, Feed, Worker
from db.states import EventKind, FeedState, Lane
from tests.tasks.scenes import at_once

NOW = 1_800_000_000.0
OVER = NOW + LEASE_SECONDS
ONE, TWO = 1, 2  # the feeds of `linked`

pytestmark = pytest.mark.usefixtures("linked")


def bury(ledger: Ledger, now: float = OVER) -> list[Burial]:
    """Look into the leases that have ended."""
    with ledger.write() as session:
        return deaths.bury(session, now)


def claim(
    ledger: Ledger, *, owner: str = "w", now: float = NOW, limit: int = 50, alone: bool = False
) -> list[feeds.Claim]:
    """Claim what is due, at most so many."""
    with ledger.write() as session:
        return claiming.claim(
            session, owner=owner, now=now, lane=Lane.BULK, limit=limit, alone=alone
        )


def feed(ledger: Ledger, feed_id: int = ONE) -> Feed:
    """A feed as it stands."""
    with ledger.read() as session:
        return session.get_one(Feed, feed_id)


def change(ledger: Ledger, feed_id: int = ONE, **columns: object) -> None:
    """Set columns of a feed."""
    with ledger.write() as session:
        row = session.get_one(Feed, feed_id)
        for name, value in columns.items():
            setattr(row, name, value)
        session.add(row)


def heard_of(ledger: Ledger, at: float, owner: str = "w") -> None:
    """The process says that it lives, for the first time or again."""
    with ledger.write() as session:
        if session.get(Worker, owner) is None:
            workers.register(
                session, Worker(name=owner, queues="", slots=1, started_at=at, seen_at=at)
            )
        workers.beat(session, name=owner, busy=0, now=at)


def call_back(ledger: Ledger, slug: str = "energy", at: float = NOW) -> str:
    """A callback, stored and tied to its feeds if there are any."""
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


def event(ledger: Ledger, event_id: str) -> Event:
    """An event as it stands."""
    with ledger.read() as session:
        return session.get_one(Event, event_id)


def test_a_lease_that_lasts_or_was_given_back_is_no_death(ledger: Ledger) -> None:
    """Nothing is counted before its end, after a release, or when a process stops in order."""
    (held, _) = claim(ledger)
    assert bury(ledger, OVER - 0.001) == []
    with ledger.write() as session:
        feeds.release(session, held)
        assert feeds.hand_back(session, owner="w") == 1

    assert bury(ledger, OVER + 60) == []
    assert (feed(ledger).deaths, feed(ledger, TWO).deaths) == (0, 0)
    assert not feed(ledger, TWO).suspect


def test_who_dies_alone_is_counted_and_runs_alone(ledger: Ledger) -> None:
    """It is a suspect: usual claims leave it, one that says so takes it."""
    change(ledger, TWO, due_at=OVER + 99)
    claim(ledger)

    assert bury(ledger) == [Burial(owner="w", lives=False, counted=ONE)]

    row = feed(ledger)
    assert (row.deaths, row.suspect, row.lease_owner) == (1, True, None)
    assert claim(ledger, now=OVER) == []
    (held,) = claim(ledger, now=OVER, alone=True)
    assert (held.feed_id, held.epoch) == (ONE, 2)


def test_those_that_die_together_are_not_counted(ledger: Ledger) -> None:
    """Nobody knows who did it: each of them is tried alone, one at a time."""
    claim(ledger)

    assert bury(ledger) == [Burial(owner="w", lives=False, suspects=(ONE, TWO))]

    assert [(row.deaths, row.suspect) for row in (feed(ledger), feed(ledger, TWO))] == [
        (0, True),
        (0, True),
    ]
    assert len(claim(ledger, now=OVER, alone=True)) == 1


def test_what_the_dead_process_had_claimed_later_died_with_it(ledger: Ledger) -> None:
    """Its leases end at different times: whoever is left of them did not die alone."""
    change(ledger, TWO, due_at=NOW + 5)
    claim(ledger)
    claim(ledger, now=NOW + 5)

    (burial,) = bury(ledger)

    assert burial.suspects == (ONE, TWO)
    assert claim(ledger, now=OVER + 4.9, alone=True)[0].feed_id == ONE
    assert claim(ledger, now=OVER + 4.9, alone=True) == []  # the other lease is kept to
    assert bury(ledger, OVER + 60)[0].owner == "w"
    assert feed(ledger, TWO).deaths == 0


def test_an_ended_lease_is_looked_into_before_it_is_taken(ledger: Ledger) -> None:
    """No claim of any kind takes a feed that nobody has buried."""
    claim(ledger)
    assert claim(ledger, now=OVER + 60) == []
    bury(ledger, OVER + 60)
    assert len(claim(ledger, now=OVER + 60, alone=True)) == 1


def test_two_who_look_at_once_count_once(ledger: Ledger) -> None:
    """Eight workers bury at the same moment: one death."""
    change(ledger, TWO, due_at=OVER + 99)
    claim(ledger)

    found = at_once(8, lambda _: bury(ledger))

    assert sum(len(burials) for burials in found if isinstance(burials, list)) == 1
    assert feed(ledger).deaths == 1


def test_the_late_holder_is_fenced_by_the_burial(ledger: Ledger) -> None:
    """A worker that was taken for dead writes nothing any more, claimed again or not."""
    held, _ = claim(ledger)
    bury(ledger)
    with pytest.raises(FencedError), ledger.write() as session:
        feeds.hold(session, held, OVER)


def test_a_thread_that_hangs_dies_without_its_process(ledger: Ledger) -> None:
    """Its lease was given up while the process lives: the other leases of that are left alone."""
    claim(ledger, limit=1)
    claim(ledger)
    for at in (NOW + 3, NOW + 6, NOW + 9):
        with ledger.write() as session:
            feeds.renew(session, owner="w", feed_ids=[TWO], now=at)
        heard_of(ledger, at)

    assert bury(ledger) == [Burial(owner="w", lives=True, counted=ONE)]

    assert (feed(ledger, TWO).lease_owner, feed(ledger, TWO).suspect) == ("w", False)


def test_feeds_of_one_thread_that_hangs_died_together(ledger: Ledger) -> None:
    """Also when one of them was held a little longer than the others."""
    claim(ledger)
    with ledger.write() as session:
        feeds.renew(session, owner="w", feed_ids=[TWO], now=NOW + 2.5)
    heard_of(ledger, NOW + 9)

    assert bury(ledger) == [Burial(owner="w", lives=True, suspects=(ONE, TWO))]


@pytest.mark.parametrize(("silent", "lives"), [(2.0, True), (5.9, True), (6.0, False)])
def test_who_has_missed_two_heartbeats_is_gone(
    ledger: Ledger, silent: float, *, lives: bool
) -> None:
    """Then everything that it held died with it."""
    claim(ledger, limit=1)
    claim(ledger)
    with ledger.write() as session:
        feeds.renew(session, owner="w", feed_ids=[TWO], now=OVER - silent)
    heard_of(ledger, OVER - silent)

    (burial,) = bury(ledger)

    assert (burial.lives, burial.counted) == (lives, ONE if lives else None)


def test_one_that_began_alone_is_counted_beside_those_that_came_later(ledger: Ledger) -> None:
    """It hung past its time alone and killed all: the newcomers are tried alone, uncounted."""
    change(ledger, suspect=True, deaths=1)
    claim(ledger, alone=True)
    claim(ledger)

    assert bury(ledger) == [Burial(owner="w", lives=False, counted=ONE, suspects=(TWO,))]
    assert (feed(ledger).deaths, feed(ledger, TWO).deaths) == (2, 0)


ENDS = {
    "finish": lambda s, h: feeds.finish(s, h, now=NOW, next_at=NOW, written=1),
    "fail": lambda s, h: feeds.fail(s, h, now=NOW, next_at=NOW, error={"code": "", "message": ""}),
    "put_back": lambda s, h: feeds.put_back(
        s, h, due_at=NOW, error={"message": ""}, deferred=False, now=NOW
    ),
    "deferral": lambda s, h: feeds.put_back(
        s, h, due_at=NOW, error={"message": ""}, deferred=True, now=NOW
    ),
    "rest": lambda s, h: feeds.rest(
        s, h, now=NOW, next_at=NOW, error={"code": "goal_frozen", "message": ""}
    ),
    "release": feeds.release,
}


@pytest.mark.parametrize("end", ENDS)
def test_any_end_but_death_begins_to_count_anew(ledger: Ledger, end: str) -> None:
    """The worker has lived through it: no suspect any more."""
    change(ledger, deaths=4, suspect=True)
    (held,) = claim(ledger, alone=True)
    with ledger.write() as session:
        ENDS[end](session, held)
    assert (feed(ledger).deaths, feed(ledger).suspect) == (0, False)


def test_what_was_not_begun_proves_nothing(ledger: Ledger) -> None:
    """A claim that is given back at once leaves the count as it is; so does a process that stops.

    Else one that dies at each start of its work would never be found.
    """
    change(ledger, deaths=4, suspect=True)
    (held,) = claim(ledger, alone=True)
    with ledger.write() as session:
        feeds.release(session, held, tried=False)
    claim(ledger, alone=True)
    with ledger.write() as session:
        feeds.hand_back(session, owner="w")
    assert (feed(ledger).deaths, feed(ledger).suspect) == (4, True)


def die_alone(ledger: Ledger, times: int) -> float:
    """Feed one dies alone so many times in a row; returns when it was buried last."""
    now = NOW
    for _ in range(times):
        (held,) = claim(ledger, now=now, alone=feed(ledger).suspect, limit=1)
        assert held.feed_id == ONE
        now += LEASE_SECONDS
        bury(ledger, now)
        now = max(now, feed(ledger).lease_until)
    return now


def test_pauses_between_deaths_grow(ledger: Ledger) -> None:
    """5, 10, 20, 40 seconds, of which the lease takes up ten: what killed it may be over."""
    change(ledger, TWO, due_at=NOW + 9999)
    waits, now = [], NOW
    for times in range(4):
        claim(ledger, now=now, alone=times > 0)
        bury(ledger, now + LEASE_SECONDS)
        waits.append(feed(ledger).lease_until - now)
        now = feed(ledger).lease_until
    assert waits == [10.0, 10.0, 20.0, 40.0]


def test_a_fifth_death_alone_sets_aside(ledger: Ledger) -> None:
    """No claim takes it, its owner is told once, and who waits is told what to do."""
    change(ledger, TWO, due_at=NOW + 9999)
    with ledger.write() as session:
        asked = backfills.ask(session, ONE, first="20261101", last="20261110", now=NOW).id
    now = die_alone(ledger, 4)
    assert feed(ledger).state == FeedState.ACTIVE
    event_id = call_back(ledger, at=now)
    claim(ledger, now=now, alone=True)
    now += LEASE_SECONDS
    bury(ledger, now)

    row = feed(ledger)
    assert (row.state, row.reason, row.deaths) == (FeedState.FAILING, "set_aside", 5)
    assert "5 times in a row" in (row.last_error or "")
    assert "2027-01-15" in (row.last_error or "")
    assert "`waggle sync alice/energy --preview`" in (row.last_error or "")
    assert "`waggle resume alice/energy`" in (row.last_error or "")
    ended = event(ledger, event_id)
    assert (ended.state, ended.error) == (
        "failed",
        {"code": "set_aside", "message": row.last_error},
    )
    with ledger.read() as session:
        (need,) = needs.of(session, now)
        backfill = session.get_one(Backfill, asked)
    assert (need.subject, need.kind, need.message) == ("alice/energy", "set_aside", row.last_error)
    assert (backfill.state, backfill.error) == ("failed", row.last_error)
    assert [held.feed_id for held in claim(ledger, now=now + 1e6)] == [TWO]
    assert claim(ledger, now=now + 1e6, alone=True) == []


def test_a_callback_for_what_is_set_aside_fails_at_once(ledger: Ledger) -> None:
    """With its reason, not as if there were no feed; the other feed of the goal is synced."""
    change(ledger, state="failing", reason="set_aside", last_error="it killed", suspect=True)
    change(ledger, TWO, lane=Lane.BULK)
    event_id = call_back(ledger)

    ended = event(ledger, event_id)
    assert (ended.state, ended.error) == ("failed", {"code": "set_aside", "message": "it killed"})
    assert feed(ledger, TWO).lane == Lane.URGENT
    assert feed(ledger).asked == 0


def test_resuming_has_it_tried_alone_with_all_its_tries(ledger: Ledger) -> None:
    """A person says so: it runs again, where it can't take others along, and the notice is gone."""
    change(ledger, TWO, due_at=NOW + 9999)
    now = die_alone(ledger, 5)
    with ledger.write() as session:
        pauses.wake(session, [ONE], now)

    row = feed(ledger)
    assert (row.state, row.reason, row.deaths, row.suspect) == ("active", None, 0, True)
    with ledger.read() as session:
        assert needs.of(session, now) == []
    assert claim(ledger, now=now) == []
    assert [held.feed_id for held in claim(ledger, now=now, alone=True)] == [ONE]


@pytest.mark.parametrize("state", [FeedState.PAUSED, FeedState.STOPPED])
def test_what_a_person_stopped_is_not_set_aside(ledger: Ledger, state: str) -> None:
    """It was held for a look at its goal: the lease is freed, nothing else changes."""
    change(ledger, state=state, reason="x", deaths=4, lease_owner="w", lease_until=OVER)
    bury(ledger)
    row = feed(ledger)
    assert (row.state, row.reason, row.deaths, row.lease_owner) == (state, "x", 4, None)


def deauthorized(ledger: Ledger) -> str:
    """An event that no feed answers."""
    new = inbox.NewEvent(
        kind=EventKind.DEAUTHORIZED, payload={"token_hashes": []}, received_at=NOW - 1
    )
    with ledger.write() as session:
        inbox.store(session, [new])
    return new.id


def claim_event(ledger: Ledger, now: float = NOW, *, alone: bool = False) -> str | None:
    """Claim it."""
    with ledger.write() as session:
        held = events.claim(
            session, kinds=[EventKind.DEAUTHORIZED], owner="w", now=now, alone=alone
        )
    return None if held is None else held.event.id


def test_an_event_that_keeps_dying_is_dead(ledger: Ledger) -> None:
    """Five deaths: shown with what happened, fit to be replayed, and nobody takes it."""
    event_id = deauthorized(ledger)
    now = NOW
    for times in range(5):
        assert claim_event(ledger, now, alone=times > 0) == event_id
        (burial,) = bury(ledger, now + LEASE_SECONDS)
        now = max(now + LEASE_SECONDS, event(ledger, event_id).lease_until)
    assert burial.dead == (event_id,)
    row = event(ledger, event_id)
    assert (row.state, row.deaths, row.finished_at is not None) == ("dead", 5, True)
    assert (row.error or {})["code"] == "killed_its_worker"
    assert claim_event(ledger, now + 9999, alone=True) is None


def test_an_event_that_was_ended_meanwhile_stays_so(ledger: Ledger) -> None:
    """It was given up for its age while somebody held it: only the lease goes."""
    event_id = deauthorized(ledger)
    claim_event(ledger)
    with ledger.write() as session:
        row = session.get_one(Event, event_id)
        row.state, row.deaths = "done", 4
        session.add(row)
    bury(ledger)
    row = event(ledger, event_id)
    assert (row.state, row.deaths, row.lease_owner) == ("done", 4, None)


def test_an_event_that_ends_begins_anew(ledger: Ledger) -> None:
    """Put back, it has been lived through."""
    event_id = deauthorized(ledger)
    claim_event(ledger)
    bury(ledger)
    with ledger.write() as session:
        held = events.claim(
            session, kinds=[EventKind.DEAUTHORIZED], owner="w", now=OVER, alone=True
        )
        assert held is not None
        events.put_back(session, held, due_at=OVER)
    assert event(ledger, event_id).deaths == 0


def test_a_feed_that_died_with_an_event_is_not_counted(ledger: Ledger) -> None:
    """Whichever lease ends first: nobody renews an event's."""
    change(ledger, TWO, due_at=OVER + 99)
    event_id = deauthorized(ledger)
    claim_event(ledger)
    claim(ledger)
    with ledger.write() as session:
        feeds.renew(session, owner="w", feed_ids=[ONE], now=NOW + 6)
    heard_of(ledger, NOW + 6)

    assert bury(ledger) == []  # its process may be alive, for all that is known
    (burial,) = bury(ledger, OVER + 2)

    assert (burial.lives, burial.suspects, burial.events) == (False, (ONE,), (event_id,))
    assert feed(ledger).deaths == 0


def test_an_event_that_a_living_process_lost_is_counted(ledger: Ledger) -> None:
    """Its thread hangs, or left by an error that nobody expected."""
    event_id = deauthorized(ledger)
    claim_event(ledger)
    heard_of(ledger, OVER + 5)
    assert bury(ledger, OVER + 5) == []
    (burial,) = bury(ledger, OVER + 6)
    assert (burial.lives, burial.events) == (True, (event_id,))
