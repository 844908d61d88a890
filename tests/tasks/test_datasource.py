"""Being a goal's data source: never instead of somebody else's unasked, and said once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from db.models import Goal, Notice
from tasks import datasource
from tests.tasks.sourced import APP, Sourced

NAME = "alice/energy"


@pytest.fixture
def house(world):
    """A world with an app."""
    return Sourced(world)


def goal(**facts):
    """A goal's row."""
    return Goal(user_id=1, slug="energy", declared_slug="energy", **facts)


free = st.sampled_from([None, "", "api", "API"])
taken = st.sampled_from(["fitbit", "ifttt", "zapier", "other-app", "garmin"])
ours = st.sampled_from(["waggle", "Waggle", "WAGGLE"])


@given(autodata=free)
def test_a_free_goal_is_taken(autodata):
    """Nothing is replaced, so nobody is asked and nothing is said."""
    row = goal(autodata=autodata)
    assert datasource.plan(row, wanted=True, app_name=APP, now=0) == APP
    assert datasource.objection(row, wanted=True, app_name=APP, name=NAME) is None


@given(autodata=taken)
def test_a_goal_that_something_feeds_is_not_taken(autodata):
    """The person is told which source is there and which command replaces it."""
    row = goal(autodata=autodata)
    assert datasource.plan(row, wanted=True, app_name=APP, now=0) is None
    said = datasource.objection(row, wanted=True, app_name=APP, name=NAME)
    assert said.key == autodata
    assert repr(autodata) in said.message
    assert "waggle link alice/energy" in said.message


@given(autodata=free | taken, before=st.sampled_from(["", "api", "fitbit"]))
def test_what_a_person_changed_afterwards_stays(autodata, before):
    """We were set once: another source now is somebody's choice, also manual entry."""
    row = goal(autodata=autodata, datasource_before=before)
    assert datasource.plan(row, wanted=True, app_name=APP, now=0) is None
    said = datasource.objection(row, wanted=True, app_name=APP, name=NAME)
    assert "waggle link alice/energy" in said.message


@given(autodata=ours, before=st.none() | st.just(""))
def test_our_own_name_is_known_in_any_case(autodata, before):
    """Beeminder may write an app's name in another case: nothing to do, nothing to say."""
    row = goal(autodata=autodata, datasource_before=before)
    assert datasource.plan(row, wanted=True, app_name=APP, now=0) is None
    assert datasource.objection(row, wanted=True, app_name=APP, name=NAME) is None


@given(
    autodata=free | taken | ours,
    before=st.none() | st.just(""),
    wanted=st.booleans(),
    app_name=st.sampled_from([None, "", APP]),
)
def test_without_an_app_or_a_wish_nothing_happens(autodata, before, wanted, app_name):
    """`keep`, a goal without feeds, a house without a registered app."""
    if wanted and app_name:
        return
    row = goal(autodata=autodata, datasource_before=before)
    assert datasource.plan(row, wanted=wanted, app_name=app_name, now=0) is None
    assert datasource.objection(row, wanted=wanted, app_name=app_name, name=NAME) is None


def test_a_refusal_is_not_planned_again_before_its_time():
    """A wrong app name is asked for once a day, not with every sync."""
    row = goal(datasource_error="refused", datasource_due_at=100.0)
    assert datasource.plan(row, wanted=True, app_name=APP, now=99) is None
    assert datasource.plan(row, wanted=True, app_name=APP, now=100) == APP


@pytest.mark.parametrize(
    ("facts", "offered"),
    [
        ({"autodata": APP, "safebuf": 0}, True),
        ({"autodata": "fitbit", "safebuf": -1}, True),
        ({"autodata": APP, "losedate": 1000}, True),
        ({"autodata": APP, "safebuf": 3, "losedate": 10**6}, False),
        ({"autodata": APP}, False),
        ({"autodata": None, "safebuf": 0}, False),
        ({"autodata": "api", "safebuf": 0}, False),
    ],
)
def test_manual_entry_is_offered_where_it_is_hidden_and_urgent(facts, offered):
    """Only on a red day, and only where a data source hides it."""
    text = datasource.offer(goal(**facts), 0, name=NAME)
    assert ("waggle manual alice/energy" in text) is offered
    assert bool(text) is offered


def test_somebody_elses_source_is_told_once(house):
    """Nothing is asked of Beeminder; the notice goes when the goal is ours or free."""
    house.there = "ifttt"
    house.consider()
    house.consider()
    assert (house.work(), house.there) == (0, "ifttt")
    (message,) = house.told()
    assert "'ifttt'" in message
    house.there = None
    house.consider()
    assert house.told() == []
    house.work()
    assert house.there == APP


def test_considering_writes_nothing_where_nothing_changes(house):
    """It runs after every sync: a goal that is ours costs one read."""
    house.there = "ifttt"
    house.consider()
    with house.world.reading() as session:
        before = session.exec(select(Notice)).one().model_dump()
    house.world.clock.advance(600)
    house.consider()
    with house.world.reading() as session:
        assert session.exec(select(Notice)).one().model_dump() == before
