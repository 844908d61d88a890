"""Becoming a goal's data source and giving it back, whatever happens on the way."""

import pytest
from sqlmodel import select

from db import datasources, pauses
from db.models import User
from db.states import UserState
from simulators.faults import Fault
from tasks import datasource_change, policy, suspects, sweep
from tests.tasks.scenes import InThread, at_once
from tests.tasks.sourced import APP, GOAL_PATH, Sourced, stalled


@pytest.fixture
def house(world):
    """A world with an app."""
    return Sourced(world)


def test_a_goal_gets_us_and_gives_us_back(house):
    """Set by a sync and the worker; the last feed's end restores manual entry."""
    house.consider()
    assert house.there is None
    assert house.work() == 1
    assert house.there == APP
    row = house.row
    assert (row.datasource_before, row.datasource_want, row.autodata) == ("", None, APP)
    house.consider()
    assert (house.work(), house.told()) == (0, [])
    house.stop()
    assert house.work() == 1
    assert house.there is None
    row = house.row
    assert (row.datasource_before, row.datasource_want) == (None, None)


def test_what_fed_the_goal_before_is_restored(house):
    """Also a source that we could take without asking."""
    house.there = "api"
    house.consider()
    house.work()
    assert house.there == APP
    house.stop()
    house.work()
    assert house.there == "api"


def test_a_source_that_came_a_moment_ago_is_not_replaced(house):
    """The facts were ten minutes old: what is there is read again before it is changed."""
    house.consider()
    house.state.goal("alice", "energy").autodata = "ifttt"
    house.work()
    assert (house.there, house.sets()) == ("ifttt", 0)
    row = house.row
    assert (row.autodata, row.datasource_want, row.datasource_before) == ("ifttt", None, None)
    house.consider()
    assert len(house.told()) == 1


def test_a_place_that_is_not_ours_any_more_is_not_given_back(house):
    """A person connected something else meanwhile: unlinking leaves that alone."""
    house.consider()
    house.work()
    house.state.goal("alice", "energy").autodata = "zapier"
    house.stop()
    house.work()
    assert house.there == "zapier"
    assert house.row.datasource_before is None


def test_a_person_who_asked_for_manual_entry_keeps_it(house):
    """The next syncs see that it is not ours, and leave it so."""
    house.consider()
    house.work()
    row = datasource_change.make(house.runtime(), house.goal_id, "")
    assert (house.there, row.datasource_before, row.datasource_want) == (None, "", None)
    house.consider()
    assert (house.work(), house.there) == (0, None)


def test_a_person_may_replace_a_source(house):
    """Asked for, ours goes over somebody else's, which is remembered and restored."""
    house.there = "ifttt"
    house.consider()
    row = datasource_change.make(house.runtime(), house.goal_id, APP)
    assert (house.there, row.datasource_before) == (APP, "ifttt")
    assert house.told() == []
    house.stop()
    house.work()
    assert house.there == "ifttt"


def test_a_source_that_cannot_be_restored_becomes_manual_entry(house):
    """Else the goal would ask somebody who doesn't answer, and hide manual entry for ever."""
    house.there = "fitbit"
    datasource_change.make(house.runtime(), house.goal_id, APP)
    house.stop()
    assert house.work() == 2
    assert house.there is None
    (message,) = house.told()
    assert "'fitbit'" in message
    assert house.row.datasource_before is None


def test_an_unknown_app_name_is_told_and_left_alone_for_a_day(house):
    """A person has to mend the setting; until then one try a day, and it heals by itself."""
    house.state.apps.clear()
    house.consider()
    assert house.work() == 1
    (message,) = house.told()
    assert "WAGGLE_BEEMINDER_APP_NAME" in message
    assert house.row.datasource_error
    house.consider()
    assert house.work() == 0
    house.world.beeminder.register_app(
        APP, client_id=APP, client_secret="x", redirect_uri="https://x.example.org"
    )
    house.world.clock.advance(policy.DAY)
    house.consider()
    assert house.work() == 1
    assert (house.there, house.told(), house.row.datasource_error) == (APP, [], None)


@pytest.mark.parametrize("status", [500, 503, 429])
def test_an_outage_is_waited_out(house, status):
    """The wish stays, the try is not repeated at once, and then it is made."""
    house.world.beeminder.faults.add(Fault(path=GOAL_PATH, status=status, times=1))
    house.consider()
    assert house.work() == 1
    row = house.row
    assert (row.datasource_want, bool(row.datasource_error)) == (APP, True)
    assert row.datasource_due_at > house.world.clock.at
    house.world.clock.advance(row.datasource_due_at - house.world.clock.at + 1)
    assert house.work() == 1
    assert (house.there, house.row.datasource_error, house.told()) == (APP, None, [])


def test_a_limit_is_kept(house):
    """Not a request before the time that Beeminder named."""
    house.world.beeminder.faults.add(
        Fault(path=GOAL_PATH, status=429, headers={"Retry-After": "120"}, times=1)
    )
    house.consider()
    house.work()
    assert house.row.datasource_due_at == pytest.approx(house.world.clock.at + 120)


def test_a_lost_answer_costs_nothing(house):
    """Beeminder had set it: the second try sees that, and what was there before is still known."""
    house.there = "api"
    house.world.beeminder.faults.add(Fault(path=GOAL_PATH, method="PUT", action="lose_reply"))
    house.consider()
    house.work()
    house.world.clock.advance(policy.DAY)
    house.work()
    assert house.there == APP
    row = house.row
    assert (row.datasource_want, row.datasource_before) == (None, "api")


def test_a_killed_worker_leaves_the_wish(house):
    """Its try is over after half a minute; the next one is made alone, and ends well."""
    house.consider()
    with house.world.ledger.write() as session:
        now = house.world.clock.at
        assert datasources.take(session, house.row, now=now, until=now + 30)
    assert house.work() == 0
    assert not suspects.run(house.runtime())
    house.world.clock.advance(31)
    assert house.work() == 0
    assert "datasource.default" not in (rung := sweep.run(house.runtime()))
    assert rung["suspects.default"] == 1
    assert suspects.run(house.runtime())
    assert (house.there, house.row.datasource_tries) == (APP, 0)


def test_two_workers_set_it_once(house):
    """Both see the wish, one takes it."""
    house.consider()
    at_once(4, lambda _number: house.work())
    assert (house.there, house.sets()) == (APP, 1)


def test_a_goal_that_was_unlinked_meanwhile_is_not_taken(house):
    """The wish outlived the feed: nothing is set."""
    house.consider()
    house.stop()
    assert house.work() == 0
    house.put(datasource_want=APP)
    house.work()
    assert (house.there, house.row.datasource_want) == (None, None)


def test_a_goal_that_is_unlinked_while_it_is_taken_is_given_back(house):
    """A person asked for it and unlinked elsewhere at once: the goal does not stay ours."""
    with stalled(house, "GET") as (stall, rt):
        taking = InThread(lambda: datasource_change.make(rt, house.goal_id, APP))
        assert stall.reached.wait(10)
        house.stop()
        stall.go.set()
        taking.join()
    assert house.there == APP
    house.work()
    assert (house.there, house.row.datasource_before) == (None, None)


def test_a_goal_that_is_linked_while_it_is_given_back_is_taken_again(house):
    """The request was under way when a feed came back: that is nobody's choice against us."""
    house.consider()
    house.work()
    house.stop()
    with stalled(house) as (stall, rt):
        giving = InThread(lambda: datasource_change.run(rt))
        assert stall.reached.wait(10)
        with house.world.ledger.write() as session:
            datasources.take_up(session, house.goal_id)
            pauses.wake(session, [house.world.feed_id], house.world.clock.at)
        stall.go.set()
        giving.join()
    assert house.there is None
    house.consider()
    assert (house.work(), house.there, house.told()) == (1, APP, [])


def test_a_renamed_goal_is_found_by_its_id(house):
    """Also when its old name is another goal's now: that one is not touched."""
    state = house.state
    house.put(beeminder_id=state.goal("alice", "energy").id)
    state.rename_goal("alice", "energy", "power")
    state.rename_goal("alice", "output", "energy")
    house.consider()
    house.work()
    assert state.goal("alice", "power").autodata == APP
    assert state.goal("alice", "energy").autodata is None


def test_a_dead_token_ends_the_wish_quietly(house):
    """The person's feeds say that they have to connect again; nothing is said twice."""
    house.state.personal_tokens.clear()
    house.consider()
    assert house.work() == 1
    assert (house.row.datasource_want, house.told()) == (None, [])


def test_what_is_to_be_given_back_waits_for_a_new_token(house):
    """Unless the person has taken our access away for good."""
    house.consider()
    house.work()
    house.state.personal_tokens.clear()
    house.stop()
    house.work()
    assert house.row.datasource_want == ""
    with house.world.ledger.write() as session:
        session.exec(select(User)).one().state = UserState.DEAUTHORIZED
    house.world.clock.advance(policy.DAY)
    house.work()
    assert house.row.datasource_want is None


def test_a_lost_ledger_gives_back_to_manual_entry(house):
    """The goal is ours and nobody knows what was before: it does not stay ours without a feed."""
    house.there = "Waggle"
    house.consider()
    assert house.row.datasource_before == ""
    house.stop()
    house.work()
    assert house.there in (None, "Waggle")
    assert house.sets() == 1
