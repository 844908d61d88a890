"""Promises about wishes for a goal's data source: kept once, given back, and nobody's but ours."""

import pytest

from db import datasources, pauses
from db.models import Goal
from db.states import FeedState
from tests.world import NOON


@pytest.fixture
def goal_id(world):
    """The goal of the world's first feed."""
    return world.feed().goal_id


def put(world, goal_id, **columns):
    """Set columns of a goal."""
    with world.ledger.write() as session:
        goal = session.get_one(Goal, goal_id)
        for name, value in columns.items():
            setattr(goal, name, value)
        session.add(goal)


def row(world, goal_id):
    """A goal as it stands now."""
    with world.reading() as session:
        return session.get_one(Goal, goal_id)


def stop(world, *feed_ids):
    """Stop these feeds."""
    with world.ledger.write() as session:
        pauses.halt(session, feed_ids, state=FeedState.STOPPED, reason="x", now=NOON)


def give_back(world, goal_id):
    """Give a goal back; True when there was something to give."""
    with world.ledger.write() as session:
        return datasources.give_back(session, [goal_id], NOON) == [goal_id]


def wanted(world, goal_id):
    """Does the goal want us?"""
    with world.reading() as session:
        return datasources.wanted(session, goal_id)


def test_one_feed_that_says_keep_keeps_the_goal(world, goal_id):
    """A goal has one data source, so the most careful of its feeds decides."""
    assert wanted(world, goal_id)
    roof = world.link("energy", label="roof", options={"datasource": "keep"})
    assert not wanted(world, goal_id)
    stop(world, roof)
    assert wanted(world, goal_id)
    stop(world, world.feed_id)
    assert not wanted(world, goal_id)


def test_what_is_not_due_or_not_wished_is_not_found(world, goal_id):
    """A wish in the future waits, and a goal without one is left alone."""
    with world.ledger.write() as session:
        assert (datasources.due(session, NOON), datasources.any_due(session, NOON)) == (None, False)
        datasources.ask(session, goal_id, "waggle", due_at=NOON + 5)
        assert (datasources.due(session, NOON), datasources.any_due(session, NOON)) == (None, False)
        assert datasources.due(session, NOON + 5).id == goal_id
        assert datasources.any_due(session, NOON + 5)


def test_a_try_is_taken_by_one_worker(world, goal_id):
    """Whoever read the same row a moment later finds that it has moved on."""
    put(world, goal_id, datasource_want="waggle", datasource_due_at=NOON)
    goal = row(world, goal_id)
    with world.ledger.write() as session:
        assert datasources.take(session, goal, now=NOON, until=NOON + 30)
    with world.ledger.write() as session:
        assert not datasources.take(session, goal, now=NOON, until=NOON + 40)
    assert row(world, goal_id).datasource_due_at == NOON + 30


@pytest.mark.parametrize("act", ["end", "put_off"])
def test_a_wish_that_has_changed_is_not_ended_by_the_old_one(world, goal_id, act):
    """A slow worker must not undo what a person has asked for since."""
    put(world, goal_id, datasource_want="waggle")
    old = row(world, goal_id)
    put(world, goal_id, datasource_want="")
    with world.ledger.write() as session:
        if act == "end":
            assert not datasources.end(session, old, error="old")
        else:
            assert not datasources.put_off(session, old, due_at=NOON, error="old")
    goal = row(world, goal_id)
    assert (goal.datasource_want, goal.datasource_error) == ("", None)


def test_a_goal_is_given_back_with_its_last_feed(world, goal_id):
    """Not while another feed needs the callbacks."""
    put(world, goal_id, datasource_before="fitbit")
    roof = world.link("energy", label="roof")
    stop(world, world.feed_id)
    assert not give_back(world, goal_id)
    stop(world, roof)
    assert give_back(world, goal_id)
    goal = row(world, goal_id)
    assert (goal.datasource_want, goal.datasource_due_at) == ("fitbit", NOON)


def test_a_goal_that_was_never_ours_is_not_given_back(world, goal_id):
    """Nothing is set there, and what was about to be set is not any more."""
    put(world, goal_id, datasource_want="waggle", autodata="fitbit")
    stop(world, world.feed_id)
    assert not give_back(world, goal_id)
    assert row(world, goal_id).datasource_want is None


def test_a_goal_that_is_linked_again_keeps_its_place(world, goal_id):
    """A feed that comes back before the worker was there undoes the giving back."""
    put(world, goal_id, datasource_before="")
    stop(world, world.feed_id)
    assert give_back(world, goal_id)
    with world.ledger.write() as session:
        datasources.take_up(session, goal_id)
    assert row(world, goal_id).datasource_want is None


def test_manual_entry_that_a_person_asked_for_is_not_taken_up(world, goal_id):
    """The same wish on a goal that still has feeds is a person's, and stays."""
    put(world, goal_id, datasource_before="", datasource_want="")
    with world.ledger.write() as session:
        datasources.take_up(session, goal_id)
    assert row(world, goal_id).datasource_want == ""


def test_goals_are_found_by_their_feeds(world, goal_id):
    """Each once."""
    feeds = [world.feed_id, world.link("energy", label="roof")]
    other = world.link("output")
    with world.reading() as session:
        assert datasources.goals_of(session, feeds) == {goal_id}
        assert datasources.goals_of(session, [*feeds, other]) == {
            goal_id,
            world.feed(other).goal_id,
        }
