"""Feeds and events whose workers die, and what is said of them."""

from db import claiming, deaths, events, feeds, inbox, opening, workers
from db.deaths import Burial
from db.engine import Ledger
from db.feeds import LEASE_SECONDS
from db.models import Event, Feed, Worker
from db.states import EventKind, Lane

NOW = 1_800_000_000.0
OVER = NOW + LEASE_SECONDS
ONE, TWO = 1, 2  # the feeds of `linked`


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
