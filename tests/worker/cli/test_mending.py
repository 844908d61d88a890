"""Promises of `waggle link --fix-goal`: shown first, refused where it derails, never needed."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from db.models import Feed
from db.states import FeedState
from simulators.beeminder_datapoints import create
from tests.worker.cli.goals import answering, row, there, with_app


def day(back):
    """The daystamp of so many days ago."""
    return (datetime.fromtimestamp(time.time(), UTC) - timedelta(days=back)).strftime("%Y%m%d")


def road(value):
    """A bright red line that is level at this value."""
    now = time.time()
    return [[int(now - 60 * 86400), value, None], [int(now + 400 * 86400), value, None]]


@pytest.fixture
def app(here, world):
    """A goal that takes the last value, fed by daily totals of a person: 3, 4, 5."""
    goal = there(world)
    goal.kyoom, goal.aggday, goal.roadall = False, "last", road(1)
    state = world.beeminder.state
    for back, value in ((2, 3), (1, 4), (0, 5)):
        create(
            state,
            goal,
            {"value": str(value), "daystamp": day(back)},
            via=None,
        )
    return with_app(here, world)


def test_a_goal_that_fits_is_left_alone(here, world):
    """Nothing is changed, and that is said."""
    assert "nothing to fix" in here("link", "alice/energy", "--fix-goal", "--yes").stdout
    assert world.beeminder.faults.count(method="PUT") == 0


def test_the_past_is_shown_both_ways(app, world, monkeypatch):
    """Fourteen days, the value before and after, and a question; after a no all is as it was."""
    asked = answering(monkeypatch, False)  # noqa: FBT003 -- an answer
    told = app("link", "alice/energy", "--fix-goal").stdout
    assert "Change how the goal counts" in asked[0]
    assert "current value: 5 now, 12 after" in told
    assert f"{day(1)}" in told
    assert there(world).kyoom is False


def test_a_change_is_made_when_asked_for(app, world):
    """The goal sums then, the feed runs again, and the document tells the past days."""
    with world.ledger.write() as session:
        feed = session.get_one(Feed, world.feed_id)
        feed.state, feed.reason, feed.due_at = FeedState.FAILING, "unfit", 9e9
    found = app.json("link", "alice/energy", "--fix-goal", "--yes")
    assert found["fix"]["kyoom"] == [False, True]
    assert found["fix"]["curval"] == [5, 12]
    assert [each["after"] for each in found["fix"]["days"]][-3:] == [3, 7, 12]
    assert there(world).kyoom is True
    feed = world.feed()
    assert (feed.state, feed.due_at < 9e9, row(world).facts_at) == (FeedState.ACTIVE, True, None)


def test_a_change_that_derails_is_refused(app, world):
    """Also with --yes: yesterday would be red. Nothing else is changed either."""
    goal = there(world)
    goal.yaw, goal.dir, goal.roadall = -1, 1, road(6.5)
    done = app("link", "alice/energy", "--fix-goal", "--yes", status=1)
    assert "yesterday would be on the wrong side" in done.stderr
    assert "red" in done.stdout
    assert (goal.kyoom, goal.autodata) == (False, None)
    assert world.beeminder.faults.count(method="PUT") == 0


def test_what_cannot_be_told_is_not_changed(app, world):
    """A goal whose value is not what its datapoints give."""
    there(world).facts["curval"] = 77
    done = app("link", "alice/energy", "--fix-goal", "--yes", status=1)
    assert "77" in done.stderr
    assert there(world).kyoom is False


def test_a_plan_without_it_is_no_obstacle(app, world):
    """Told as that; the data source is set all the same, and values are sent as they fit."""
    world.beeminder.state.premium = False
    done = app("link", "alice/energy", "--fix-goal", "--yes", status=1)
    assert "paid plan" in done.stderr
    assert (there(world).kyoom, there(world).autodata) == (False, "waggle")
    app("sync", "alice/energy", "--wait")


def test_levels_of_several_feeds_fit_nowhere(app, world):
    """A goal of their own is the advice."""
    params = {"aggregation": "avg"}
    world.link("energy", label="roof", params=params)
    with world.ledger.write() as session:
        feed = session.get_one(Feed, world.feed_id)
        feed.params = feed.params | params
    line = app("link", "alice/energy", "--fix-goal", "--yes", status=1).stderr
    assert "goals of their own" in line
    assert there(world).kyoom is False
