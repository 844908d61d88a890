"""Promises of `waggle link`: what it would replace is asked about, and nobody's goal is harmed."""

import json

import pytest

from db.models import Feed, Goal
from db.models_points import Day
from db.states import FeedState
from simulators.faults import Fault
from tests.worker.cli.goals import APP, answering, row, there, with_app


@pytest.fixture
def app(here, world):
    """Commands of a house with a registered app."""
    return with_app(here, world)


def test_how_the_goal_counts_is_shown(app, world, ledger):
    """The way of counting, what is sent, units, and the data source."""
    with ledger.write() as session:
        session.add(
            Day(
                feed_id=world.feed_id,
                daystamp="20261101",
                starts_at=0,
                ends_at=1,
                value=1,
                unit="Wh",
            )
        )
    told = app("link", "alice/energy").stdout
    assert "the days are added up" in told
    assert "as_is" in told
    assert "'Wh'" in told
    assert "'kWh'" in told
    assert "data source: manual entry" in told
    assert "the goal's data source is 'waggle'" in told


def test_a_free_goal_is_taken_without_asking(app, world):
    """Nothing is replaced; a second time nothing is left to do."""
    found = app.json("link", "alice/energy")
    assert found["datasource"] == {"before": None, "now": APP}
    assert there(world).autodata == APP
    assert row(world).datasource_before == ""
    before = world.beeminder.faults.count(method="PUT")
    assert app.json("link", "alice/energy")["datasource"] == {"before": APP, "now": APP}
    assert world.beeminder.faults.count(method="PUT") == before


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_without_a_terminal_nobody_is_replaced(app, world, flags):
    """Exit status 1, the reason, and nothing has changed."""
    there(world).autodata = "fitbit"
    done = app("link", "alice/energy", *flags, status=1)
    assert "'fitbit'" in done.stderr
    assert "--yes" in done.stderr
    assert there(world).autodata == "fitbit"
    assert (row(world).datasource_want, row(world).datasource_before) == (None, None)
    assert world.beeminder.faults.count(method="PUT") == 0


@pytest.mark.parametrize("said", [True, False])
def test_a_person_is_asked_before_somebody_is_replaced(app, world, monkeypatch, said):
    """The question names what is there; no is an answer."""
    there(world).autodata = "ifttt"
    asked = answering(monkeypatch, said)
    app("link", "alice/energy")
    assert len(asked) == 1
    assert "'ifttt'" in asked[0]
    assert there(world).autodata == (APP if said else "ifttt")
    assert row(world).datasource_before == ("ifttt" if said else None)


def test_yes_is_an_answer(app, world):
    """What was there is remembered."""
    there(world).autodata = "ifttt"
    assert app.json("link", "alice/energy", "--yes")["datasource"]["now"] == APP
    assert (there(world).autodata, row(world).datasource_before) == (APP, "ifttt")


def test_a_goal_that_is_sent_nothing_keeps_its_source(app, world):
    """Even with --yes: manual entry would be hidden, and nothing would come instead."""
    there(world).aggday = "triangle"
    done = app("link", "alice/energy", "--yes", status=1)
    assert done.stdout.count("'triangle'") == 1
    assert "nothing is sent to this goal" in done.stderr
    assert there(world).autodata is None
    assert world.beeminder.faults.count(method="PUT") == 0


def test_keep_is_kept(app, world):
    """Also with --yes: the file says so."""
    world.link("energy", label="roof", options={"datasource": "keep"})
    assert "left as it is" in app("link", "alice/energy", "--yes").stdout
    assert there(world).autodata is None


def test_without_an_app_that_is_said(here, world):
    """Beeminder would not ask; the rest is shown all the same."""
    told = here("link", "alice/energy").stdout
    assert "WAGGLE_BEEMINDER_APP_NAME" in told
    assert there(world).autodata is None


def test_an_app_that_beeminder_does_not_know_is_a_failure(app, world):
    """Exit status 1, with the setting to look at."""
    world.beeminder.state.apps.clear()
    done = app("link", "alice/energy", status=1)
    assert "datasource" in done.stderr
    assert row(world).datasource_want is None


def test_beeminder_that_is_away_is_told(app, world):
    """Exit status 1, one line, nothing changed."""
    world.beeminder.faults.add(Fault(path="goals/energy", status=500, times=None))
    line = app.refusal("link", "alice/energy", status=1)
    assert line.startswith("alice/energy: ")
    assert row(world).datasource_want is None


def test_a_goal_that_is_not_linked_is_refused(app, world):
    """With the nearest name."""
    assert "alice/energy" in app.refusal("link", "alice/enrgy")


def test_an_unlinked_goal_comes_back(app, world, ledger):
    """What unlink stopped, link brings back; what something else stopped stays so."""
    app("unlink", "alice/energy", "--yes")
    assert world.feed().state == FeedState.STOPPED
    app("link", "alice/energy")
    assert (world.feed().state, there(world).autodata) == (FeedState.ACTIVE, APP)
    with ledger.write() as session:
        feed = session.get_one(Feed, world.feed_id)
        feed.state, feed.reason = FeedState.STOPPED, "not in the file"
    assert "not in the file" in app.refusal("link", "alice/energy", status=1)


def test_a_label_means_the_whole_goal(app, world):
    """How the goal counts concerns every feed of it."""
    there(world).kyoom = False
    world.link("energy", label="roof")
    found = json.loads(app("link", "alice/energy:roof", "--json", status=1).stdout)
    assert [each["feed"] for each in found["feeds"]] == ["alice/energy", "alice/energy:roof"]
    assert all("2 feeds" in each["problem"] for each in found["feeds"])


def test_a_goal_whose_name_is_anothers_now_is_left_alone(app, world, ledger):
    """By its id it is another goal: nothing of it is changed."""
    with ledger.write() as session:
        goal = session.get_one(Goal, row(world).id)
        goal.beeminder_id = "another"
    assert "another goal" in app.refusal("link", "alice/energy", status=1)
    assert there(world).autodata is None
