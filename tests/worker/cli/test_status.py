"""Promises of `waggle status`: the keys of the contract, what needs a person, and what waits."""

from sqlmodel import select

from db import notices
from db.models import Feed, Worker
from db.models_runs import Run
from simulators.faults import Fault

NOW = 1_793_880_000.0


def tell(ledger, kind, message):
    """A notice about the roof of alice/energy."""
    with ledger.write() as session:
        feed = session.exec(select(Feed).where(Feed.label == "roof")).one()
        notices.raise_(
            session, user_id=1, subject=f"feed:{feed.id}", kind=kind, message=message, now=NOW
        )


def test_status_has_the_keys_of_the_contract(applied):
    """What scripts rely on."""
    found = applied.json("status")
    assert found.keys() == {
        "users", "sources", "feeds", "inbox", "outbox", "notices", "gates", "breakers",
        "suspects", "set_aside", "deferred", "runs",
    }  # fmt: skip
    assert found["runs"] == {"stale": [], "given_up": []}
    assert found["notices"] == []
    assert [feed["feed"] for feed in found["feeds"]] == ["alice/energy", "alice/energy:roof"]
    assert found["sources"] == [{"name": "plant", "provider": "bemserver", "state": "active"}]
    assert len(applied.json("status", "--limit", "1")["feeds"]) == 1


def test_status_for_people_says_that_nothing_runs(applied, ledger):
    """Feeds, counts, and whether anybody works at all."""
    told = applied("status").stdout
    assert "alice/energy:roof" in told
    assert "0 alive: nothing is synced" in told
    with ledger.write() as session:
        session.add(
            Worker(name="w", queues="urgent,default,bulk", slots=1, started_at=0, seen_at=4e9)
        )
    assert "1 alive\n" in applied("status").stdout


def test_status_tells_first_what_needs_a_person(applied, ledger):
    """What to do stands on top with the feed's name; with nothing to do it is left out."""
    assert "needs you" not in applied("status").stdout
    tell(ledger, "held", "one day is held")
    tell(ledger, "units", "kWh is not \x1b[31mminutes")
    told = applied("status").stdout
    assert told.startswith("needs you\n")
    assert "2026-11-05 12:00:00  alice/energy:roof  one day is held\n" in told
    assert told.index("needs you") < told.index("last sync")
    assert "\x1b" not in told
    assert applied.json("status")["notices"][0] == {
        "subject": "alice/energy:roof",
        "kind": "held",
        "message": "one day is held",
        "since": "2026-11-05T12:00:00Z",
    }


def test_a_feed_behind_a_closed_gate_says_so_in_its_row(here, world):
    """What it waits for and until when stands where its last error would, and its next sync too."""
    world.bemserver.faults.add(Fault(status=429, headers={"Retry-After": "900"}))
    world.work()
    (feed,) = here.json("status")["feeds"]
    assert feed["waits_for"]["gate"] == "bemserver:plant"
    assert feed["next_sync_at"] >= feed["waits_for"]["until"]
    (line,) = [row for row in here("status").stdout.splitlines() if row.startswith("alice/energy")]
    assert "waits for a limit: bemserver:plant, until 20" in line


def test_runs_that_nobody_hears_of_are_told_with_what_to_do(applied, ledger):
    """Stale ones and streams that were given up, with the reasons; else there is no such line."""
    assert "\nruns " not in applied("status").stdout
    with ledger.write() as session:
        session.add(Run(source_id=1, run_id="r1", seen_at=NOW, error="503 \x1b[31mof RIME"))
        session.add(
            Run(
                source_id=1,
                run_id="r2",
                found_at=NOW,
                seen_at=9e9,
                stream="given_up",
                stream_error="the stream refuses our login",
            )
        )
    stale, given_up = [
        line for line in applied("status").stdout.splitlines() if line.startswith("runs ")
    ]
    assert "run r1 of source plant of alice (503  [31mof RIME): not heard of for 5 min" in stale
    assert "waggle progress" in stale
    assert "run r2 of source plant of alice (the stream refuses our login): the str" in given_up
    assert "progress_url" in given_up
    assert applied.json("status")["runs"]["stale"] == [
        {
            "run": "r1",
            "source": "source plant of alice",
            "reason": "503 \x1b[31mof RIME",
            "since": "2026-11-05T12:00:00Z",
        }
    ]
