"""Work of every kind passes over what does not answer, and one of all workers probes it."""

from collections.abc import Callable

import pytest
from sqlmodel import Session

from db import backfills, claiming, claiming_outbox, reconciling
from db.breakers import PROBE_SECONDS, URGENT_SECONDS
from db.engine import Ledger
from db.models import Feed, Source
from db.models_limits import Breaker
from db.models_points import Datapoint
from db.states import Lane
from tests.tasks.scenes import at_once

NOW = 1_800_000_000.0
DAY = 86400.0

pytestmark = pytest.mark.usefixtures("linked")
Take = Callable[[Session, float], bool]


def sync(session: Session, now: float) -> bool:
    """Is there a sync to do?"""
    there = claiming.due_sources(session, Lane.BULK, now, at_most=9) > 0
    return bool(claiming.claim(session, owner="w", now=now, lane=Lane.BULK)) and there


def push(session: Session, now: float) -> bool:
    """Are there points to push?"""
    there = claiming_outbox.any_due(session, now)
    return bool(claiming_outbox.claim(session, owner="w", now=now)) and there


def read_again(session: Session, now: float) -> bool:
    """Are there past days to read?"""
    there = backfills.any_due(session, now)
    return backfills.claim(session, owner="w", now=now) is not None and there


def reconcile(session: Session, now: float) -> bool:
    """Is there a goal to compare?"""
    there = reconciling.any_overdue(session, now)
    return bool(reconciling.claim_overdue(session, owner="w", now=now)) and there


def prepare(ledger: Ledger, work: Take) -> None:
    """Feeds 1 and 2 wait for work of this kind, and for no other."""
    with ledger.write() as session:
        for number in (1, 2):
            feed = session.get_one(Feed, number)
            feed.due_at, feed.lane = NOW if work is sync else NOW + DAY, Lane.BULK
            feed.last_synced_at, feed.reconciled_at = NOW, NOW
            if work is reconcile:
                feed.reconciled_at = NOW - 3 * DAY
            if work is push:
                session.add(
                    Datapoint(
                        goal_id=1,
                        feed_id=number,
                        requestid=f"wg-{number}",
                        value=1.0,
                        content_hash="h",
                        due_at=NOW,
                    )
                )
        if work is read_again:
            backfills.ask(session, 1, first="20260101", last="20260102", now=NOW)


def open_(ledger: Ledger, subject: str, probe_at: float = NOW + 60) -> None:
    """Store an open breaker."""
    with ledger.write() as session:
        row = Breaker(subject=subject, troubled_since=NOW - 900, opened_at=NOW)
        row.probed_at, row.probe_at = NOW, probe_at
        session.add(row)


def can(ledger: Ledger, work: Take, now: float) -> bool:
    """Is it taken now?"""
    with ledger.write() as session:
        return work(session, now)


@pytest.mark.parametrize("subject", ["source:1", "user:1"])
@pytest.mark.parametrize("work", [sync, push, read_again, reconcile])
def test_work_waits_for_whom_it_asks(ledger: Ledger, work: Take, subject: str) -> None:
    """Until the probe is due, and not at all for a source that it does not ask."""
    prepare(ledger, work)
    open_(ledger, subject)
    asks = subject == "user:1" or work in (sync, read_again)

    assert can(ledger, work, NOW + 59) is not asks
    assert can(ledger, work, NOW + 60) is asks  # else it has been taken already


@pytest.mark.parametrize("work", [sync, push, read_again, reconcile])
def test_one_of_all_workers_probes(ledger: Ledger, work: Take) -> None:
    """Eight come at the moment it is due: one gets the work, and its turn is taken."""
    prepare(ledger, work)
    open_(ledger, "user:1", probe_at=NOW)
    with ledger.write() as session:  # the same at another source, so that all could find some
        session.add(Source(id=2, user_id=1, name="roof", provider="bemserver"))
        session.flush()
        session.get_one(Feed, 2).source_id = 2

    assert sum(bool(taken) for taken in at_once(8, lambda _: can(ledger, work, NOW))) == 1
    with ledger.read() as session:
        row = session.get_one(Breaker, "user:1")
        assert (row.probes, row.probe_at) == (1, NOW + PROBE_SECONDS)


def test_a_probe_takes_the_feeds_of_a_source_together(ledger: Ledger) -> None:
    """They share their requests: the first answer is one for all of them."""
    prepare(ledger, sync)
    open_(ledger, "source:1", probe_at=NOW)

    with ledger.write() as session:
        claims = claiming.claim(session, owner="w", now=NOW, lane=Lane.BULK)

    assert {held.feed_id for held in claims} == {1, 2}


def test_who_does_not_answer_keeps_nobody_else_waiting(ledger: Ledger) -> None:
    """The feed that has waited longest is behind a breaker: the next one is taken."""
    prepare(ledger, sync)
    with ledger.write() as session:
        session.add(Source(id=2, user_id=1, name="roof", provider="bemserver"))
        session.flush()
        other = session.get_one(Feed, 2)
        other.source_id, other.due_at = 2, NOW + 1
    open_(ledger, "source:1", probe_at=NOW + 900)

    with ledger.write() as session:
        (held,) = claiming.claim(session, owner="w", now=NOW + 2, lane=Lane.BULK)

    assert held.feed_id == 2


def test_a_callback_does_not_wait_for_the_pause(ledger: Ledger) -> None:
    """Urgent feeds are taken a few seconds after the last probe, and take what is due along."""
    prepare(ledger, sync)
    open_(ledger, "source:1", probe_at=NOW + 900)
    with ledger.write() as session:
        session.get_one(Feed, 2).lane = Lane.URGENT

    def claimed(at: float) -> set[int]:
        with ledger.write() as session:
            found = claiming.claim(session, owner="w", now=at, lane=Lane.URGENT)
            return {held.feed_id for held in found}

    assert claimed(NOW + URGENT_SECONDS - 0.1) == set()
    assert claimed(NOW + URGENT_SECONDS) == {2}
