"""Being a goal's data source: never instead of somebody else's unasked, and given back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from db import datasources, notices, outbox, pauses
from db.models import FeedState, Goal, Notice, User, UserState
from simulators.faults import Fault
from tasks import datasource, datasource_change, policy
from tasks.runtime import Options
from tests.tasks.scenes import at_once
from tests.world import World

APP = "waggle"
GOAL_PATH = "goals/energy.json"
NAME = "alice/energy"


class House:
    """A world with a registered app, and the one goal that matters here."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.goal_id = world.feed().goal_id
        self.state = world.beeminder.state
        world.beeminder.register_app(
            APP, client_id=APP, client_secret="x", redirect_uri="https://x.example.org"
        )

    def runtime(self, **more):
        """A worker that knows the app."""
        url = self.world.beeminder_server.url
        options = {"beeminder_url": url, "beeminder_rate": 0, "app_name": APP} | more
        return self.world.runtime(options=Options(**options))

    @property
    def there(self):
        """What Beeminder says feeds the goal."""
        return self.state.goal("alice", "energy").autodata

    @there.setter
    def there(self, name):
        self.state.goal("alice", "energy").autodata = name
        self.put(autodata=name)

    @property
    def row(self):
        """The goal in the ledger."""
        with self.world.reading() as session:
            return session.get_one(Goal, self.goal_id)

    def put(self, **columns):
        """Set columns of the goal."""
        with self.world.ledger.write() as session:
            goal = session.get_one(Goal, self.goal_id)
            for name, value in columns.items():
                setattr(goal, name, value)
            session.add(goal)

    def consider(self, **more):
        """What a sync does after it."""
        datasource.consider(self.runtime(**more), self.goal_id)

    def work(self, **more):
        """Everything that is due; how many changes were tried."""
        rt, tries = self.runtime(**more), 0
        while datasource_change.run(rt):
            tries += 1
        return tries

    def stop(self):
        """Unlink the goal."""
        with self.world.ledger.write() as session:
            ids = [self.world.feed_id]
            pauses.halt(session, ids, state=FeedState.STOPPED, reason="x", now=0)
            outbox.withdraw(session, ids)
            datasources.give_back(session, [self.goal_id], self.world.clock.at)

    def told(self):
        """The messages that are open."""
        with self.world.reading() as session:
            return [notice.message for notice in notices.open_for(session)]

    def sets(self):
        """How often Beeminder was asked to set it."""
        return self.world.beeminder.faults.count(method="PUT", path=GOAL_PATH)


@pytest.fixture
def house(world):
    """A world with an app."""
    return House(world)


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
    """Its try is over after half a minute, and somebody else makes it."""
    house.consider()
    with house.world.ledger.write() as session:
        assert datasources.take(session, house.row, until=house.world.clock.at + 30)
    assert house.work() == 0
    house.world.clock.advance(31)
    assert house.work() == 1
    assert house.there == APP


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
