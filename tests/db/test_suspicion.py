"""Suspicion: only a good end of the work at which a worker died clears a feed of it."""

from collections.abc import Callable

import pytest
from sqlmodel import Session

from db import backfills, claiming, claiming_outbox, feeds, reconciling
from db.engine import Ledger
from db.feeds import LEASE_SECONDS, Claim
from db.models_points import Datapoint
from db.states import Work
from tests.db.dying import NOW, ONE, TWO, bury, change, claim, feed

DAY = 86400.0
Take = Callable[[Session, float, bool], list[Claim]]


def _backfill(session: Session, now: float, alone: bool) -> list[Claim]:  # noqa: FBT001 -- as all of them
    taken = backfills.claim(session, owner="w", now=now, alone=alone)
    return [] if taken is None else [taken[0]]


TAKES: dict[Work, Take] = {
    Work.SYNC: lambda s, now, alone: claiming.claim(
        s, owner="w", now=now, lane=feeds.Lane.BULK, limit=1, alone=alone
    ),
    Work.PUSH: lambda s, now, alone: claiming_outbox.claim(s, owner="w", now=now, alone=alone),
    Work.BACKFILL: _backfill,
    Work.RECONCILE: lambda s, now, alone: reconciling.claim_overdue(
        s, owner="w", now=now, alone=alone
    ),
}


@pytest.fixture(autouse=True)
def _all_is_due(ledger: Ledger, request: pytest.FixtureRequest) -> None:
    """Feed one has work of every kind; feed two none."""
    request.getfixturevalue("linked")
    change(ledger, TWO, due_at=NOW + 9 * DAY)
    change(ledger, last_synced_at=NOW - DAY, reconciled_at=NOW - 2 * DAY)
    with ledger.write() as session:
        backfills.ask(session, ONE, first="20261101", last="20261110", now=NOW)
        session.add(Datapoint(goal_id=1, feed_id=1, requestid="wg-a", value=1.0, content_hash="x"))


def take(ledger: Ledger, work: Work, now: float, *, alone: bool = False) -> Claim:
    """Lease feed one for this."""
    change(ledger, due_at=now if work == Work.SYNC else now + DAY)
    with ledger.write() as session:
        (held,) = TAKES[work](session, now, alone)
    assert (held.feed_id, feed(ledger).work) == (ONE, work)
    return held


def die(ledger: Ledger, work: Work, now: float = NOW) -> float:
    """Its worker dies at this; returns when it may be tried again."""
    take(ledger, work, now, alone=feed(ledger).suspect)
    bury(ledger, now + LEASE_SECONDS)
    return max(now + LEASE_SECONDS, feed(ledger).lease_until)


def end_well(ledger: Ledger, work: Work, now: float) -> None:
    """It is done, alone."""
    held = take(ledger, work, now, alone=True)
    with ledger.write() as session:
        feeds.release(session, held, done=True)


@pytest.mark.parametrize("other", Work)
@pytest.mark.parametrize("kind", Work)
def test_only_what_it_died_of_clears_it(ledger: Ledger, kind: Work, other: Work) -> None:
    """A backfill that kills is not forgotten with each sync; but a sync pushes what waits too."""
    now = die(ledger, kind)
    end_well(ledger, other, now)

    clears = other == kind or (kind, other) == (Work.PUSH, Work.SYNC)
    row = feed(ledger)
    assert (row.deaths, row.suspect) == ((0, False) if clears else (1, True))


def test_deaths_of_several_kinds_add_up_and_are_cleared_one_by_one(ledger: Ledger) -> None:
    """Whatever it does next runs alone until nothing is left of which it is suspected."""
    now = die(ledger, Work.RECONCILE)
    now = die(ledger, Work.SYNC, now)
    assert (feed(ledger).deaths, feed(ledger).suspect_of) == (2, "reconcile sync ")
    now = die(ledger, Work.RECONCILE, now)

    end_well(ledger, Work.SYNC, now)
    assert (feed(ledger).deaths, feed(ledger).suspect_of) == (3, "reconcile ")
    end_well(ledger, Work.RECONCILE, now)
    assert (feed(ledger).deaths, feed(ledger).suspect, feed(ledger).suspect_of) == (0, False, "")


def test_those_that_died_together_are_cleared_by_what_they_were_at(ledger: Ledger) -> None:
    """An innocent is anybody's again after one good end."""
    change(ledger, TWO, due_at=NOW)
    claim(ledger)
    bury(ledger)
    rows = [feed(ledger), feed(ledger, TWO)]
    assert [(row.deaths, row.suspect_of) for row in rows] == [(0, "sync ")] * 2
    change(ledger, TWO, due_at=NOW + 9 * DAY)

    end_well(ledger, Work.SYNC, NOW + LEASE_SECONDS)

    assert not feed(ledger).suspect


def test_a_backfill_that_was_cancelled_leaves_no_suspect_behind(ledger: Ledger) -> None:
    """What it died of will never end well: the next good end of anything clears it."""
    now = die(ledger, Work.BACKFILL)
    with ledger.write() as session:
        backfills.cancel(session, [ONE], now)
    assert feed(ledger).suspect

    end_well(ledger, Work.SYNC, now)

    assert (feed(ledger).deaths, feed(ledger).suspect) == (0, False)
