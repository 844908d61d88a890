"""Promises of `waggle runs`: the keys of the contract, a table for people, only what was asked."""

import pytest
from sqlmodel import select

from db.models import Source, User
from db.models_runs import Run

NOW = 1_793_880_000.0
KEYS = {
    *("run", "source", "state", "progress", "attempt", "rows", "started_at", "finished_at"),
    *("project", "connector", "pipeline", "stream", "stream_error", "reconnects", "seen_at"),
    *("steps_done", "steps_total", "step", "error"),
}


@pytest.fixture
def store(applied, ledger):
    """Store a run of alice's plant."""

    def store(run_id: str, **more) -> None:
        with ledger.write() as session:
            source = session.exec(select(Source).where(Source.id == 1)).one()
            facts = {"source_id": source.id, "run_id": run_id, "started_at": NOW} | more
            session.add(Run(**facts))

    return store


def test_nothing_is_a_sentence(applied):
    """And an empty list for scripts."""
    assert "no run was followed yet" in applied("runs").stdout
    assert applied.json("runs") == []


def test_scripts_get_the_keys_of_the_contract(applied, store):
    """All of them, always; times as ISO, what nobody told as null."""
    store("r1", progress=0.5, rows=12.0, connector="c1", counters={"steps_done": 1})
    (run,) = applied.json("runs")
    assert run.keys() == KEYS
    assert (run["run"], run["source"], run["state"]) == ("r1", "plant", "running")
    assert (run["progress"], run["rows"], run["steps_done"]) == (0.5, 12.0, 1)
    assert run["started_at"] == "2026-11-05T12:00:00Z"
    assert run["seen_at"] is None


def test_people_read_a_bar_rows_the_stream_and_the_last_error(applied, store):
    """In one line each; what is not known is a dash."""
    store(
        "r1",
        progress=0.5,
        rows=1234567.0,
        counters={"steps_done": 2, "steps_total": 5, "step": "load"},
        stream="retrying",
        stream_error="closed with code 1006",
        reconnects=3,
        error="503 of \x1b[31mRIME",
    )
    store("r2", started_at=NOW - 60)
    head, first, second = applied("runs").stdout.splitlines()
    assert "progress" in head
    for words in (
        "██████████░░░░░░░░░░  50%  2 of 5 steps, at load",
        "1,234,567",
        "retrying, 3 reconnects",
        "503 of  [31mRIME; stream: closed with code 1006",
    ):
        assert words in first
    assert second.split()[:5] == ["r2", "plant", "running", "-", "1"]


def test_one_source_alone(applied, store, ledger):
    """Named as in the file, with its owner where two people call theirs the same."""
    with ledger.write() as session:
        session.add(User(id=77, username="bob"))
        session.flush()
        session.add(Source(id=77, user_id=77, name="plant", provider="rime"))
    store("hers")
    store("his", source_id=77)
    assert len(applied.json("runs")) == 2
    assert [run["run"] for run in applied.json("runs", "--source", "bob/plant")] == ["his"]
    assert "alice/plant" in applied.refusal("runs", "--source", "plant")
    assert "there is no source" in applied.refusal("runs", "--source", "pant")
    assert len(applied.json("runs", "--limit", "1")) == 1


@pytest.mark.parametrize("options", [["--until-idle"], ["--follow", "--json"]], ids=" ".join)
def test_what_does_not_go_together(applied, options):
    """Exit status 2 and one line."""
    assert "--follow" in applied.refusal("runs", *options)


def test_followed_until_nothing_runs(applied, store, ledger):
    """Idle at once: what has just ended is told once, what ended long ago is not; exit status 0."""
    store("old", finished_at=NOW + 60)
    store("new", finished_at=4e9, state="completed", progress=1.0, rows=7.0)
    told = applied("runs", "--follow", "--until-idle").stdout
    assert told.count("\n") == 1
    assert told.endswith(" plant new completed, 100%, rows 7\n")
