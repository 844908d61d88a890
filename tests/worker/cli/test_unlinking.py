"""Promises of `waggle unlink` and `waggle manual`: what is given back is given back at once."""

import pytest
from sqlmodel import select

from db.models_points import Datapoint
from db.states import FeedState
from simulators.faults import Fault
from tests.worker.cli.goals import APP, answering, row, there, with_app


@pytest.fixture
def linked(here, world):
    """Commands of a house that is the goal's data source."""
    app = with_app(here, world)
    there(world).autodata = "api"
    app("link", "alice/energy")
    assert there(world).autodata == APP
    return app


def test_unlink_stops_and_gives_back(linked, world, ledger):
    """No datapoint leaves any more, and the source of before is there again."""
    with ledger.write() as session:
        session.add(
            Datapoint(
                goal_id=row(world).id,
                feed_id=world.feed_id,
                requestid="wg-x",
                value=1,
                content_hash="x",
            )
        )
    told = linked("unlink", "alice/energy", "--yes").stdout
    assert "not fed any more" in told
    assert "'api'" in told
    feed = world.feed()
    assert (feed.state, feed.reason) == (FeedState.STOPPED, "unlinked")
    assert there(world).autodata == "api"
    assert (row(world).datasource_before, row(world).datasource_want) == (None, None)
    with ledger.read() as session:
        assert session.exec(select(Datapoint.state)).one() == "withdrawn"
    assert "stopped already" in linked.refusal("unlink", "alice/energy", "--yes", status=1)


def test_unlink_asks(linked, world, monkeypatch):
    """Without an answer, and after a no, everything is as it was."""
    assert "--yes" in linked.refusal("unlink", "alice/energy", status=1)
    asked = answering(monkeypatch, False)  # noqa: FBT003 -- an answer
    linked("unlink", "alice/energy")
    assert "alice/energy" in asked[0]
    assert (world.feed().state, there(world).autodata) == (FeedState.ACTIVE, APP)


def test_the_last_feed_gives_the_goal_back(linked, world):
    """One of two goes, and the other one still gets its callbacks."""
    world.link("energy", label="roof")
    linked("unlink", "alice/energy:roof", "--yes")
    assert (world.feed().state, there(world).autodata) == (FeedState.ACTIVE, APP)
    linked("unlink", "alice/energy", "--yes")
    assert there(world).autodata == "api"


def test_unlink_works_while_beeminder_is_away(linked, world):
    """The feed stops at once; the rest is the worker's, and that is said."""
    world.beeminder.faults.add(Fault(path="goals/energy", status=500, times=None))
    assert "the worker goes on" in linked("unlink", "alice/energy", "--yes").stderr
    assert world.feed().state == FeedState.STOPPED
    assert row(world).datasource_want == "api"


def test_what_a_person_set_meanwhile_is_not_touched(linked, world):
    """It is not ours to give back."""
    there(world).autodata = "ifttt"
    linked("unlink", "alice/energy", "--yes")
    assert there(world).autodata == "ifttt"


def test_manual_entry_comes_back_in_one_step(linked, world):
    """The goal is still fed, and later syncs leave the choice alone."""
    assert "manual entry" in linked("manual", "alice/energy").stdout
    assert there(world).autodata is None
    assert world.feed().state == FeedState.ACTIVE
    linked("sync", "alice/energy", "--wait")
    assert (there(world).autodata, row(world).datasource_want) == (None, None)
    linked("link", "alice/energy")
    assert there(world).autodata == APP


def test_manual_on_a_goal_that_was_never_ours_is_remembered(here, world):
    """A sync does not take it right after the person has said no."""
    app = with_app(here, world)
    app("manual", "alice/energy")
    app("sync", "alice/energy", "--wait")
    assert (there(world).autodata, row(world).datasource_want) == (None, None)


def test_a_goal_that_comes_back_at_once_is_not_given_away(linked, world):
    """Beeminder was away at the unlink, and the person has changed their mind since."""
    fault = Fault(path="goals/energy", status=500, times=None)
    world.beeminder.faults.add(fault)
    linked("unlink", "alice/energy", "--yes")
    world.beeminder.faults.clear()
    linked("link", "alice/energy")
    assert (there(world).autodata, row(world).datasource_want) == (APP, None)
