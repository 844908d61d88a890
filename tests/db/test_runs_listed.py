"""Runs for people: in order, each to whom it belongs, and what is wrong with their following."""

import pytest

from db import runs_listed
from db.engine import Ledger
from db.models import Source, User
from db.models_runs import Run
from db.runs_listed import Figures

NOW = 1_800_000_000.0


@pytest.fixture(autouse=True)
def people(ledger: Ledger) -> None:
    """Alice with two sources, and Bob with one."""
    with ledger.write() as session:
        session.add_all([User(id=1, username="alice"), User(id=2, username="bob")])
        session.flush()
        for number, user, name in ((1, 1, "shop"), (2, 1, "mill"), (3, 2, "shop")):
            session.add(Source(id=number, user_id=user, name=name, provider="rime"))


def add(ledger: Ledger, *runs: Run) -> None:
    """Store runs, one by one: their ids are in this order."""
    for run in runs:
        with ledger.write() as session:
            session.add(run)


def run(run_id: str, source: int = 1, **more) -> Run:
    """A run that was found a minute ago and heard of now."""
    return Run(run_id=run_id, source_id=source, **({"found_at": NOW - 60, "seen_at": NOW} | more))


def listed(ledger: Ledger, **asked) -> list[str]:
    """Ids of runs, in order."""
    with ledger.read() as session:
        return [row["run_id"] for row in runs_listed.rows(session, **({"limit": 9} | asked))]


def test_what_runs_goes_first_and_then_what_ended_last(ledger):
    """However early it started; and only so many."""
    add(
        ledger,
        run("old-end", started_at=NOW - 50, finished_at=NOW - 40),
        run("long", started_at=NOW - 9000),
        run("no-start"),
        run("last-end", started_at=NOW - 70, finished_at=NOW - 10),
        run("young", started_at=NOW - 5),
    )
    everything = ["young", "no-start", "long", "last-end", "old-end"]
    assert listed(ledger, running_first=True) == everything
    assert listed(ledger, running_first=True, limit=2) == everything[:2]
    assert listed(ledger, running_first=True, ended_after=NOW - 20) == everything[:4]


def test_only_what_was_asked_for(ledger):
    """Of a person all sources, of a source nothing else."""
    add(ledger, run("a"), run("b", source=2), run("c", source=3))
    assert listed(ledger, user_id=1) == ["b", "a"]
    assert listed(ledger, source_id=2) == ["b"]
    assert listed(ledger) == ["c", "b", "a"]


def test_many_people_are_asked_for_at_once(ledger):
    """Each gets what they would get alone, also who has none, and nobody a run of another."""
    add(
        ledger,
        *(run(f"a{number}", source=1 + number % 2) for number in range(5)),
        run("a-over", finished_at=NOW),
        *(run(f"b{number}", source=3) for number in range(2)),
    )
    with ledger.read() as session:
        found = runs_listed.rows_by_user(session, [1, 2, 77], limit=3)
    ids = {user: [row["run_id"] for row in rows] for user, rows in found.items()}
    assert ids == {
        1: listed(ledger, user_id=1, limit=3, running_first=True),
        2: ["b1", "b0"],
        77: [],
    }
    assert ids[1] == ["a4", "a3", "a2"]


def test_figures_are_of_what_goes_on(ledger):
    """Each state of a stream counted, zeros named; what has ended is in none of them."""
    add(
        ledger,
        run("open", stream="open", reconnects=3, seen_at=NOW - 7),
        run("fresh", stream="open"),
        run("stale", seen_at=NOW - 300),
        run("never", seen_at=None, found_at=NOW - 301, stream="given_up", reconnects=1),
        run("found", seen_at=None),
        run("over", stream="open", reconnects=50, seen_at=NOW - 9000, finished_at=NOW - 8000),
    )
    with ledger.read() as session:
        found = runs_listed.figures(session, NOW)
    assert found == Figures(
        streams={"none": 2, "open": 2, "retrying": 0, "given_up": 1},
        reconnects=4,
        stale=2,
        lag=7.0,
    )


def test_without_runs_all_figures_are_zero(ledger):
    """No lag of nothing."""
    with ledger.read() as session:
        found = runs_listed.figures(session, NOW)
    assert (found.reconnects, found.stale, found.lag) == (0, 0, 0.0)
    assert set(found.streams.values()) == {0}


def test_troubles_name_run_source_and_reason(ledger):
    """Stale ones with what the last read said, given up streams with why; one may be both."""
    add(
        ledger,
        run("fine", stream="open"),
        run("quiet", seen_at=NOW - 400, error="503 of RIME"),
        run("both", 3, seen_at=NOW - 900, stream="given_up", stream_error="refused: 403"),
        run("deaf", stream="given_up", stream_error="the stream refuses our login"),
        run("over", seen_at=NOW - 900, finished_at=NOW - 800, stream="given_up"),
    )
    with ledger.read() as session:
        stale, given_up = runs_listed.troubles(session, NOW)
    assert [(one.run, one.source, one.why, one.since) for one in stale] == [
        ("both", "source shop of bob", None, NOW - 900),
        ("quiet", "source shop of alice", "503 of RIME", NOW - 400),
    ]
    assert [(one.run, one.why) for one in given_up] == [
        ("both", "refused: 403"),
        ("deaf", "the stream refuses our login"),
    ]
