"""Followed runs: one follower each, taken over from the dead, and ended once."""

import pytest
from sqlmodel import select

from db import runs, runs_found
from db.engine import Ledger
from db.feeds import LEASE_SECONDS
from db.models import Feed
from db.models_runs import Run
from db.runs import Held, Seen
from db.runs_found import Found
from db.states import Lane, RunState
from tests.tasks.scenes import at_once

pytestmark = pytest.mark.usefixtures("linked")

NOW = 1_800_000_000.0


def found(run_id: str, **more: str | None) -> Found:
    """A run of connector c1."""
    facts = {"project": "p1", "connector": "c1", "pipeline": None} | more
    return Found(run_id=run_id, **facts)  # type: ignore[arg-type]


def find(ledger: Ledger, *ids: str, now: float = NOW) -> int:
    """Find these runs; how many were new."""
    with ledger.write() as session:
        return runs_found.find(session, 1, [found(run_id) for run_id in ids], now)


def claim(ledger: Ledger, owner: str = "a", *, now: float = NOW, limit: int = 1000) -> list[Held]:
    """Take runs."""
    with ledger.write() as session:
        return runs.claim(session, owner=owner, now=now, limit=limit)


def row(ledger: Ledger, run_id: str = "r1") -> Run:
    """A run as it stands."""
    with ledger.read() as session:
        return session.exec(select(Run).where(Run.run_id == run_id)).one()


def end(ledger: Ledger, held: Held, *, state: str = RunState.COMPLETED, rows: float = 5.0) -> bool:
    """Write an end down."""
    with ledger.write() as session:
        seen = Seen(state=state, rows=rows, progress=1.0)
        return runs.finish(session, held, seen, ended_at=NOW + 5, now=NOW + 6)


def test_a_run_is_found_once(ledger: Ledger) -> None:
    """However often it is seen, and by however many at once."""
    assert sum(at_once(3, lambda _: find(ledger, "r2", "r1", "r3"))) == 3
    assert find(ledger, "r1") == 0


def test_a_run_has_one_follower(ledger: Ledger) -> None:
    """Four who claim at once get different ones, and all are followed."""
    find(ledger, *(f"r{number}" for number in range(40)))

    taken = at_once(4, lambda number: claim(ledger, f"w{number}", limit=15))

    ids = [held.run_id for some in taken for held in some]
    assert len(ids) == len(set(ids))
    rest = claim(ledger, "late")
    assert len(ids) + len(rest) == 40


def test_runs_of_a_dead_follower_are_taken_over(ledger: Ledger) -> None:
    """When their leases end, not before; what the dead one writes later is left."""
    find(ledger, "r1")
    (before,) = claim(ledger)
    assert claim(ledger, "b", now=NOW + LEASE_SECONDS - 1) == []
    (after,) = claim(ledger, "b", now=NOW + LEASE_SECONDS)
    assert after.epoch > before.epoch

    with ledger.write() as session:
        runs.keep(session, [(before, Seen(rows=99.0))])
    assert end(ledger, before) is False
    assert (row(ledger).rows, row(ledger).finished_at) == (None, None)
    assert end(ledger, after) is True


def test_renewing_says_what_is_still_ours(ledger: Ledger) -> None:
    """Whoever slept finds out which runs are others' now."""
    find(ledger, "r1", "r2")
    held = claim(ledger)
    with ledger.write() as session:
        assert runs.renew(session, held, NOW + 5) == {one.id for one in held}
    claim(ledger, "b", now=NOW + 5 + LEASE_SECONDS, limit=1)
    with ledger.write() as session:
        assert len(runs.renew(session, held, NOW + 16)) == 1
        assert runs.renew(session, [], NOW) == set()


def test_views_of_many_runs_are_written_together(ledger: Ledger) -> None:
    """Each its own, with what is not known left empty."""
    find(ledger, "r1", "r2")
    held = {one.run_id: one for one in claim(ledger)}
    with ledger.write() as session:
        runs.keep(
            session,
            [
                (held["r2"], Seen(rows=7.0, progress=0.5, counters={"steps_done": 2})),
                (held["r1"], Seen(attempt=2, stream="open", seen_at=NOW)),
            ],
        )
        runs.keep(session, [])

    assert (row(ledger, "r2").rows, row(ledger, "r2").counters) == (7.0, {"steps_done": 2})
    assert (row(ledger).attempt, row(ledger).stream, row(ledger).rows) == (2, "open", None)


def test_a_run_ends_once_and_its_feeds_are_due(ledger: Ledger) -> None:
    """Those that count its connector, also while they are being synced; no others."""
    with ledger.write() as session:
        for feed in session.exec(select(Feed)).all():
            feed.params = {"connector": "c1"} if feed.id == 1 else {"pipeline": "c1"}
            feed.due_at, feed.lane, feed.asked = NOW + 999, Lane.BULK, 4
    find(ledger, "r1")
    (held,) = claim(ledger)

    assert end(ledger, held) is True
    assert end(ledger, held) is False

    with ledger.read() as session:
        first, second = session.exec(select(Feed).order_by(Feed.id)).all()  # type: ignore[arg-type]
    assert (first.due_at, first.lane, first.asked) == (NOW + 6, Lane.DEFAULT, 5)
    assert (second.due_at, second.lane, second.asked) == (NOW + 999, Lane.BULK, 4)
    ended = row(ledger)
    assert (ended.state, ended.rows, ended.finished_at) == ("completed", 5.0, NOW + 5)
    assert ended.lease_owner is None
    assert claim(ledger, now=NOW + 99) == []
    assert find(ledger, "r1") == 0


def test_waking_makes_nothing_later(ledger: Ledger) -> None:
    """An urgent feed that is overdue stays so."""
    with ledger.write() as session:
        feed = session.get_one(Feed, 1)
        feed.params, feed.due_at, feed.lane = {"connector": "c1"}, NOW - 50, Lane.URGENT
    find(ledger, "r1")
    (held,) = claim(ledger)
    end(ledger, held)
    with ledger.read() as session:
        feed = session.get_one(Feed, 1)
    assert (feed.due_at, feed.lane) == (NOW - 50, Lane.URGENT)


def test_what_is_handed_back_is_followed_by_somebody_else(ledger: Ledger) -> None:
    """At once, or later where it is to rest."""
    find(ledger, "r1")
    held = claim(ledger)
    with ledger.write() as session:
        assert runs.any_free(session, NOW) is False
        runs.release(session, held, due_at=NOW + 3)
        assert runs.any_free(session, NOW + 2) is False
        assert runs.any_free(session, NOW + 3) is True
    assert len(claim(ledger, "b", now=NOW + 3)) == 1


def test_the_places_of_a_source_are_those_of_feeds_that_run(ledger: Ledger) -> None:
    """Each once, in order; a paused feed's, and another source's, are not among them."""
    with ledger.write() as session:
        first, second = session.exec(select(Feed).order_by(Feed.id)).all()
        first.params = {"pipeline": "p9"}
        second.params = {"connector": 7}
        for number, state, params in (
            (11, "failing", {"connector": "7"}),
            (12, "paused", {"connector": "c8"}),
            (13, "active", {"series": 3}),
        ):
            facts = {"goal_id": 1, "source_id": 1, "label": f"{number}", "metric": "m"}
            session.add(Feed(id=number, state=state, params=params, **facts))
    with ledger.read() as session:
        assert runs_found.places(session, 1) == [("connector", "7"), ("pipeline", "p9")]
        assert runs_found.places(session, 2) == []
