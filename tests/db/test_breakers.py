"""Breakers: stored only while there is trouble, and one probe at a time for all workers."""

import contextlib
from dataclasses import replace

import pytest
from sqlalchemy import select, text
from sqlmodel import col

from db import breakers
from db.breakers import PROBE_SECONDS, URGENT_SECONDS, WELL, Health
from db.engine import Ledger
from db.models import Feed, Goal, Source, User
from db.models_limits import Breaker
from db.states import Lane
from tests.tasks.scenes import at_once

NOW = 1_800_000_000.0
ILL = Health(
    bad=1.0, counted_at=NOW, troubled_since=NOW, reason="down", probe_at=NOW, probed_at=NOW
)
SUBJECTS = ["source:1", "user:1"]

pytestmark = pytest.mark.usefixtures("linked")


@pytest.fixture
def others(ledger: Ledger, linked: None) -> None:
    """Feed 3: another source of alice's; feed 4: bob's."""
    with ledger.write() as session:
        session.add(User(id=2, username="bob"))
        session.flush()
        session.add(Source(id=2, user_id=1, name="roof", provider="bemserver"))
        session.add(Source(id=3, user_id=2, name="plant", provider="bemserver"))
        session.add(Goal(id=2, user_id=2, slug="energy", declared_slug="energy"))
        session.flush()
        session.add(Feed(id=3, goal_id=1, source_id=2, label="other", metric="m"))
        session.add(Feed(id=4, goal_id=2, source_id=3, metric="m"))


def put(ledger: Ledger, subject: str = "source:1", **columns: float | None) -> None:
    """Store a breaker; by default it was opened just now, to be probed in a minute."""
    opened = {"troubled_since": NOW - 900, "opened_at": NOW, "probed_at": NOW, "probe_at": NOW + 60}
    with ledger.write() as session:
        session.add(Breaker(subject=subject, **(opened | columns)))


def stored(ledger: Ledger) -> dict[str, Breaker]:
    """All rows by their subjects."""
    with ledger.read() as session:
        return {row.subject: row for row in session.scalars(select(Breaker))}


def free(ledger: Ledger, now: float) -> list[int]:
    """The feeds that no breaker holds up."""
    with ledger.read() as session:
        asked = select(col(Feed.id)).where(~breakers.blocked(now)).order_by(col(Feed.id))
        return list(session.scalars(asked))


def admit(ledger: Ledger, now: float, *, urgent: bool = False) -> bool:
    """May work on alice's plant begin?"""
    with ledger.write() as session:
        return breakers.admit(session, source_id=1, user_id=1, now=now, urgent=urgent)


@pytest.mark.parametrize(
    ("subject", "left"),
    [("source:1", [3, 4]), ("source:2", [1, 2, 4]), ("user:1", [4]), ("user:2", [1, 2, 3])],
)
@pytest.mark.usefixtures("others")
def test_an_open_breaker_holds_up_its_own_feeds_only(
    ledger: Ledger, subject: str, left: list[int]
) -> None:
    """The feeds of the source, or of all sources of the person, until the probe is due."""
    put(ledger, subject)

    assert free(ledger, NOW) == left
    assert free(ledger, NOW + 59) == left
    assert free(ledger, NOW + 60) == [1, 2, 3, 4]


@pytest.mark.usefixtures("others")
def test_one_subject_is_not_taken_for_another(ledger: Ledger) -> None:
    """source:11 is not source:1, nor is user:1."""
    for subject in ("source:11", "source:", "user:11", "user:", "source:0"):
        put(ledger, subject)

    assert free(ledger, NOW) == [1, 2, 3, 4]


def test_trouble_that_opened_nothing_holds_nobody_up(ledger: Ledger) -> None:
    """A closed breaker is a count."""
    put(ledger, opened_at=None)

    assert free(ledger, NOW) == [1, 2]
    assert admit(ledger, NOW)
    assert stored(ledger)["source:1"].probes == 0


def test_a_callback_waits_for_seconds_only(ledger: Ledger) -> None:
    """Urgent feeds pass shortly after the last probe, the others when the next is due."""
    put(ledger)
    with ledger.write() as session:
        session.get_one(Feed, 1).lane = Lane.URGENT

    assert free(ledger, NOW + URGENT_SECONDS - 0.1) == []
    assert free(ledger, NOW + URGENT_SECONDS) == [1]


def test_the_condition_does_not_mind_what_is_joined(ledger: Ledger) -> None:
    """Queries with and without their sources, alone and below an UPDATE."""
    put(ledger)
    joined = (
        select(col(Feed.id))
        .join(Source, col(Source.id) == col(Feed.source_id))
        .join(Breaker, col(Breaker.subject) == "source:1")
        .where(~breakers.blocked(NOW))
    )
    with ledger.write() as session:
        assert list(session.scalars(joined)) == []
        changed = session.connection().execute(
            Feed.__table__.update().where(breakers.blocked(NOW)).values(epoch=5)
        )
        assert changed.rowcount == 2


def test_each_look_is_by_primary_key(sqlite_url: str) -> None:
    """A claim over many due feeds reads no table from end to end for it."""
    asked = select(col(Feed.id)).where(breakers.blocked(NOW))
    ledger = Ledger(sqlite_url)  # PostgreSQL plans by the size of the tables
    with contextlib.closing(ledger), ledger.read() as session:
        plain = asked.compile(session.connection(), compile_kwargs={"literal_binds": True})
        plan = session.connection().execute(text(f"EXPLAIN QUERY PLAN {plain}")).all()

    steps = [row[-1] for row in plan]
    scans = [step.split("_")[0] for step in steps if step.startswith("SCAN ") and "ROW" not in step]
    assert scans == ["SCAN feed", "SCAN breaker"]  # the second once for all: is any open?
    assert steps[steps.index("SCAN feed") + 1].startswith("SCALAR SUBQUERY")


def test_without_trouble_work_begins(ledger: Ledger) -> None:
    """Where nothing is stored everybody may go, as often as they like."""
    assert [admit(ledger, NOW) for _ in range(3)] == [True] * 3
    assert stored(ledger) == {}


def test_one_worker_takes_the_probe(ledger: Ledger) -> None:
    """Ten workers come when the time has come: one is let through, and the next a minute later."""
    put(ledger, probe_at=NOW)

    assert sorted(at_once(10, lambda _: admit(ledger, NOW))) == [False] * 9 + [True]
    assert not admit(ledger, NOW + PROBE_SECONDS - 1)
    assert admit(ledger, NOW + PROBE_SECONDS)
    row = stored(ledger)["source:1"]
    assert (row.probes, row.probed_at) == (2, NOW + PROBE_SECONDS)


def test_callbacks_take_turns_every_three_seconds(ledger: Ledger) -> None:
    """Urgent work does not wait for the pause, and has a rate of its own."""
    put(ledger, probe_at=NOW + 900, probed_at=NOW - 1)

    went = [seconds for seconds in range(10) if admit(ledger, NOW + seconds, urgent=True)]

    assert went == [2, 5, 8]
    assert not admit(ledger, NOW + 899)


@pytest.mark.parametrize("late", SUBJECTS)
def test_where_both_are_open_both_turns_are_taken_or_none(ledger: Ledger, late: str) -> None:
    """A probe of the source that the link holds up is nobody's, and uses no turn up."""
    for subject in SUBJECTS:
        put(ledger, subject, probe_at=NOW + 30 if subject == late else NOW)

    assert not admit(ledger, NOW)
    assert {row.probes for row in stored(ledger).values()} == {0}
    assert admit(ledger, NOW + 30)
    assert {row.probes for row in stored(ledger).values()} == {1}


def test_good_health_leaves_no_row(ledger: Ledger) -> None:
    """Nothing is written for a subject that is well, and a row goes when it is well again."""
    with ledger.write() as session:
        assert breakers.change(session, "source:1", lambda _: WELL) == (WELL, WELL)

    with ledger.write() as session:
        assert breakers.change(session, "source:1", lambda _: ILL) == (WELL, ILL)
        assert breakers.troubled(session, SUBJECTS) == {"source:1"}
    with ledger.write() as session:
        assert breakers.change(session, "source:1", lambda _: WELL) == (ILL, WELL)
        assert breakers.troubled(session, SUBJECTS) == set()
    assert stored(ledger) == {}


def test_no_outcome_is_lost_between_workers(ledger: Ledger) -> None:
    """Twenty failures at one moment, the first of them among them, count twenty."""

    def fail(_: int) -> None:
        with ledger.write() as session:
            breakers.change(session, "user:1", lambda was: replace(ILL, bad=was.bad + 1))

    at_once(20, fail)

    assert stored(ledger)["user:1"].bad == 20


def test_every_part_of_health_is_kept(ledger: Ledger) -> None:
    """What was stored is read back as it was."""
    whole = Health(
        good=0.5,
        bad=7.25,
        counted_at=NOW,
        troubled_since=NOW - 700,
        opened_at=NOW - 50,
        reason="no connection",
        probe_at=NOW + 70,
        probed_at=NOW - 1,
        probes=3,
    )
    with ledger.write() as session:
        breakers.change(session, "source:1", lambda _: whole)
    with ledger.write() as session:
        assert breakers.change(session, "source:1", lambda was: was) == (whole, whole)


def test_operators_see_what_is_open(ledger: Ledger) -> None:
    """Since when, why, and when it is tried again; trouble that opened nothing is not shown."""
    put(ledger, "user:1", troubled_since=NOW - 1000)
    put(ledger, "source:1", troubled_since=NOW - 2000, probes=4)
    put(ledger, "source:2", opened_at=None)
    with ledger.write() as session:
        session.get_one(Breaker, "source:1").reason = "no connection"

    with ledger.read() as session:
        first, second = breakers.open_ones(session)

    assert first == breakers.Open(
        subject="source:1",
        troubled_since=NOW - 2000,
        opened_at=NOW,
        reason="no connection",
        probe_at=NOW + 60,
        probes=4,
    )
    assert (second.subject, second.reason) == ("user:1", "")


def test_what_nobody_uses_is_forgotten(ledger: Ledger) -> None:
    """A source without feeds is never probed again: its row does not stay for ever."""
    put(ledger, "source:1", counted_at=NOW - 100, probed_at=NOW - 200)
    put(ledger, "source:2", counted_at=NOW - 200, probed_at=NOW - 100)
    put(ledger, "source:3", counted_at=NOW - 200, probed_at=NOW - 200)

    with ledger.write() as session:
        assert breakers.forget_unused(session, NOW - 150) == ["source:3"]
        breakers.forget(session, ["source:1"])

    assert list(stored(ledger)) == ["source:2"]
