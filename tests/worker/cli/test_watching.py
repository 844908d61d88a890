"""Promises of `waggle run watch`: a wrong id is told at once, and nothing is changed at RIME."""

import time

import pytest
from sqlmodel import select

from db.models import Feed, Source, Worker
from db.models_runs import Run
from simulators.faults import Fault
from tests.tasks import rime_world
from tests.tasks.rime_world import CONNECTOR, EMAIL, PASSWORD, PIPELINE, PROJECT


@pytest.fixture
def shop(here, world):
    """A source `shop` whose one feed counts a connector, with a run that goes on and one over."""
    with rime_world.beside(world) as made:
        now = time.time()
        made.feed("rows", made.source(), "rows_extracted")
        made.rime.state.add_run(
            CONNECTOR, id="live", status="Running", started_at=now - 60, rows=1234
        )
        made.rime.state.add_run(
            CONNECTOR, id="past", rows=99, started_at=now - 600, finished_at=now - 300
        )
        made.rime.state.add_run(PIPELINE, id="night", status="Running", started_at=now, rows=None)
        yield made
        assert made.rime.state.harm == []


@pytest.fixture
def staffed(ledger):
    """A worker that is alive."""
    with ledger.write() as session:
        session.add(Worker(name="w", queues="progress", slots=1, started_at=0, seen_at=9e9))


def stored(ledger):
    """What is followed now."""
    with ledger.read() as session:
        return list(session.exec(select(Run)))


def test_a_run_is_followed_of_the_only_place_that_counts(here, shop, staffed, ledger):
    """One row, by hand, with what was read; the sentence says how to look."""
    told = here("run", "watch", "shop", "live")
    assert told.stdout == (
        "run live of connector orders is followed from now on: running, 1,234 rows. "
        "`waggle runs --follow` shows how it goes on\n"
    )
    assert told.stderr == ""
    (row,) = stored(ledger)
    assert (row.run_id, row.connector, row.pipeline) == ("live", CONNECTOR, None)
    assert (row.project, row.by_hand, row.state) == (PROJECT, True, "running")
    assert abs(row.started_at - (time.time() - 60)) < 30
    assert [run["run"] for run in here.json("runs", "--source", "shop")] == ["live"]


def test_one_that_is_followed_already_is_no_second(here, shop, staffed, ledger):
    """Asked for twice: one row. One that was followed to its end is not begun again."""
    here("run", "watch", "shop", "live")
    assert "is followed already" in here("run", "watch", "alice/shop", "live").stdout
    with ledger.write() as session:
        session.exec(select(Run)).one().finished_at = 1.0
    assert "followed to an end before" in here("run", "watch", "shop", "live").stdout
    assert here.json("run", "watch", "shop", "live")["followed"] is False
    assert len(stored(ledger)) == 1


def test_a_run_that_is_over_is_told_and_not_followed(here, shop, ledger):
    """State and rows as the source says them."""
    told = here("run", "watch", "shop", "past").stdout
    assert "run past of connector orders is over: completed, 99 rows" in told
    assert here.json("run", "watch", "shop", "past") == {
        "run": "past",
        "source": "shop",
        "user": "alice",
        "project": PROJECT,
        "connector": CONNECTOR,
        "pipeline": None,
        "state": "completed",
        "rows": 99.0,
        "followed": False,
    }
    assert stored(ledger) == []


def test_whose_run_it_is_may_be_said(here, shop, staffed, ledger):
    """A pipeline that no feed counts, in a project that is named."""
    shop.rime.state.add_project("other")
    shop.rime.state.add_pipeline("other", "late")
    shop.rime.state.add_run("late", id="r7", status="Running", started_at=time.time())
    here("run", "watch", "shop", "night", "--pipeline", PIPELINE)
    here("run", "watch", "shop", "r7", "--pipeline", "late", "--project", "other")
    rows = {row.run_id: (row.project, row.connector, row.pipeline) for row in stored(ledger)}
    assert rows == {"night": (PROJECT, None, PIPELINE), "r7": ("other", None, "late")}


def test_without_a_worker_nothing_follows_it_yet(here, shop, ledger):
    """It is stored all the same, and said what to start."""
    assert "waggle up" in here("run", "watch", "shop", "live").stderr
    assert len(stored(ledger)) == 1


@pytest.mark.parametrize("more", [None, "pipeline"])
def test_no_place_or_several_have_to_be_chosen_from(here, shop, ledger, more):
    """What to write is in the complaint."""
    if more is None:
        with ledger.write() as session:
            for feed in session.exec(select(Feed)):
                feed.state = "stopped"
    else:
        shop.feed("nights", 2, "runs_succeeded", pipeline=PIPELINE)
    said = here.refusal("run", "watch", "shop", "live")
    for word in (
        ["--connector ID", "--pipeline ID", "waggle source check shop"]
        if more is None
        else ["--connector orders", "--pipeline nightly"]
    ):
        assert word in said
    assert stored(ledger) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["live", "--connector", "a", "--pipeline", "b"], "exclude each other"),
        (["nope"], "there is no run 'nope' of connector orders in project shop"),
        (["live", "--connector", "none"], "there is no run 'live' of connector none"),
        (["live", "--project", "none"], "in project none"),
        (["../x"], "can't be an id"),
        (["live", "--connector", "a/b"], "can't be an id"),
        (["live", "--project", ".."], "can't be an id"),
    ],
    ids=["both", "run", "connector", "project", "odd-run", "odd-connector", "odd-project"],
)
def test_wrong_ids_are_refused(here, shop, ledger, arguments, words):
    """Exit status 2, one line, nothing stored."""
    assert words in here.refusal("run", "watch", "shop", *arguments)
    assert stored(ledger) == []


def test_only_runs_of_rime(here, shop, ledger):
    """Another provider's source is refused with a sentence; an unknown one with the nearest."""
    assert "only runs of RIME" in here.refusal("run", "watch", "plant", "live")
    assert "did you mean 'shop'?" in here.refusal("run", "watch", "shpo", "live")


def test_a_source_that_does_not_answer_is_no_wrong_id(here, shop, ledger):
    """Exit status 1: trying again may help."""
    shop.rime.faults.add(Fault(status=503, times=None))
    said = here.refusal("run", "watch", "shop", "live", status=1)
    assert "source shop" in said
    assert stored(ledger) == []


def test_a_login_of_its_own_leaves_the_stored_tokens_alone(here, shop, ledger, staffed):
    """With a password too; what the workers hold is neither used nor replaced."""
    source = shop.source("login", email=EMAIL, secrets={"password": PASSWORD})
    here("run", "watch", "login", "live", "--connector", CONNECTOR)
    with ledger.read() as session:
        assert session.get_one(Source, source).session_cipher is None
    assert len(stored(ledger)) == 1
