"""From a callback to its feeds: names that changed, names that nobody knows, feeds that sleep."""

import pytest

from db import people
from db.models import Goal, User
from simulators.faults import Fault
from tasks import callbacks
from tests.tasks.scenes import TODAY, all_rows, change_feed, look_up
from tests.world import TOKEN, World


def code(world: World, event_id: str) -> str:
    """The code of the error that the receiver shows."""
    event = world.event(event_id)
    assert event.state == "failed"
    return str((event.error or {})["code"])


def test_a_renamed_goal_is_found_by_its_id(world: World) -> None:
    """A callback with the new slug: looked up, renamed in the ledger, synced, nothing doubled."""
    world.work()
    world.clock.advance(60)
    world.measure(world.series, {world.clock.at - 30: 1.0})
    world.beeminder.state.rename_goal("alice", "energy", "power")
    event_id = world.call_back("power")

    world.work()

    assert world.event(event_id).state == "done"
    (goal,) = all_rows(world, Goal)
    assert (goal.slug, goal.declared_slug) == ("power", "energy")
    assert world.values("power")[TODAY] == 3.5
    assert len(world.points("power")) == 2


def test_a_renamed_goal_is_found_by_a_scheduled_sync(world: World) -> None:
    """Nobody called: old facts are read again by id, the feed goes on under the new name."""
    world.work()
    world.beeminder.state.rename_goal("alice", "energy", "power")
    world.clock.advance(3600)

    world.work()

    assert all_rows(world, Goal)[0].slug == "power"
    assert world.feed().state == "active"
    assert world.feed().last_synced_at == world.clock.at


def test_two_goals_that_swapped_their_names(world: World) -> None:
    """Slugs are swapped at Beeminder: both follow, no point lands on the other goal."""
    world.link("output", series=world.other_series)
    world.measure(world.other_series, {world.clock.at - 60: 9.0})
    world.work()
    state = world.beeminder.state
    state.rename_goal("alice", "energy", "tmp")
    state.rename_goal("alice", "output", "energy")
    state.rename_goal("alice", "tmp", "output")
    world.clock.advance(3600)

    world.work()

    assert sorted(goal.slug for goal in all_rows(world, Goal)) == ["energy", "output"]
    assert world.values("energy")[TODAY] == 9.0
    assert world.values("output")[TODAY] == 2.5
    assert len(world.points("energy")) + len(world.points("output")) == 3


def test_an_unknown_slug_is_looked_up_once_and_refused(world: World) -> None:
    """No goal of that name at Beeminder or here: no_such_feed, after one look-up."""
    event_id = world.call_back("tea")

    look_up(world)

    assert code(world, event_id) == "no_such_feed"
    assert world.beeminder.faults.count() == 1


def test_a_goal_that_is_not_linked_is_refused(world: World) -> None:
    """The goal is there at Beeminder, but nobody linked it here."""
    world.beeminder.state.add_goal("alice", "tea")
    event_id = world.call_back("tea")

    world.work()

    assert code(world, event_id) == "no_such_feed"


def test_an_unknown_person_is_refused_without_asking_anybody(world: World) -> None:
    """A username that is not linked, for a goal that nobody has, costs no request."""
    event_id = world.call_back("tea", username="mallory")

    look_up(world)

    assert code(world, event_id) == "no_such_feed"
    assert world.beeminder.faults.count() == 0


def person(world: World, name: str) -> int:
    """Somebody else with a goal `energy`, in the ledger and at Beeminder; returns their id."""
    world.beeminder.state.add_user(name, token=f"canary-of-{name}")
    world.beeminder.state.add_goal(name, "energy")
    with world.ledger.write() as session:
        user = User(username=name, created_at=world.clock.at)
        people.set_token(user, world.vault, token=f"canary-of-{name}", kind="personal")
        session.add(user)
        session.flush()
        session.add(Goal(user_id=user.id or 0, slug="energy", declared_slug="energy"))
        return user.id or 0


def test_a_renamed_person_is_found_by_their_token(world: World) -> None:
    """A callback with a name that nobody has: its owner is asked, followed, and synced."""
    person(world, "bob")
    world.work()
    world.clock.advance(61)
    world.measure(world.series, {world.clock.at - 30: 1.0})
    world.beeminder.state.rename_user("alice", "alicia")
    event_id = world.call_back(username="alicia")

    world.work()

    assert world.event(event_id).state == "done"
    assert [user.username for user in all_rows(world, User)] == ["alicia", "bob"]
    assert sum(p.value for p in world.beeminder.state.datapoints("alicia", "energy")) == 10.5


def test_made_up_names_cost_one_look_a_minute(world: World) -> None:
    """A flood of names for a slug that people have: each of these is asked once, and no more."""
    person(world, "bob")
    ids = [world.call_back(username=f"mallory{number}") for number in range(30)]

    look_up(world)

    assert {code(world, event_id) for event_id in ids} == {"no_such_feed"}
    assert world.beeminder.faults.count("users/me.json") == 2
    world.clock.advance(59)
    again = world.call_back(username="mallory")
    look_up(world)
    assert code(world, again) == "no_such_feed"
    assert world.beeminder.faults.count() == 2


def test_no_more_than_ten_people_are_asked(world: World) -> None:
    """Everybody calls a goal `energy`: of thirteen ten are asked, then it is nobody."""
    for number in range(12):
        person(world, f"p{number}")
    event_id = world.call_back(username="mallory")

    look_up(world)

    assert code(world, event_id) == "no_such_feed"
    assert world.beeminder.faults.count() == 10


def test_made_up_names_cost_no_more_while_beeminder_is_away(world: World) -> None:
    """Look-ups fail: whoever waits is tried again, but each person once a minute at most."""
    world.beeminder.faults.add(Fault(path="users/me", status=500, times=None))
    ids = [world.call_back(username=f"mallory{number}") for number in range(5)]
    for _ in range(12):
        look_up(world)
        world.clock.advance(5)
    assert world.beeminder.faults.count() == 1

    world.beeminder.faults.clear()
    for _ in range(20):
        world.clock.advance(30)
        look_up(world)

    assert {code(world, event_id) for event_id in ids} == {"no_such_feed"}


def test_somebody_whose_token_is_refused_hinders_nobody(world: World) -> None:
    """The first one asked has to connect again: the next one is the one with the new name."""
    bob = person(world, "bob")
    del world.beeminder.state.personal_tokens[TOKEN]
    world.beeminder.state.rename_user("bob", "robert")
    event_id = world.call_back(username="robert")

    look_up(world)

    alice, robert = all_rows(world, User)
    assert (alice.state, robert.username, robert.id) == ("reauthorize", "robert", bob)
    assert world.event(event_id).goal_id is not None


def test_names_are_compared_without_their_case(world: World) -> None:
    """`Alice/Energy` is alice/energy."""
    event_id = world.call_back("Energy", "ALICE")

    world.work()

    assert world.event(event_id).state == "done"


@pytest.mark.parametrize("state", ["paused", "stopped"])
def test_a_feed_that_a_person_stopped_stays_asleep(world: World, state: str) -> None:
    """A callback for a paused or unlinked feed is refused; nothing is read or written."""
    change_feed(world, state=state)
    event_id = world.call_back()

    world.work()

    assert code(world, event_id) == "no_such_feed"
    assert world.beeminder.faults.count() == world.bemserver.faults.count() == 0


def test_one_paused_feed_of_two_is_not_waited_for(world: World) -> None:
    """The callback waits for the feed that is awake."""
    other = world.link("energy", series=world.other_series, label="roof")
    change_feed(world, other, state="paused")
    event_id = world.call_back()

    world.work()

    assert world.event(event_id).state == "done"
    assert world.feed(other).epoch == 0


def test_a_look_up_that_fails_is_tried_again(world: World) -> None:
    """Beeminder is away: the event waits, is tried again within 5 s, and ends as it should."""
    world.beeminder.faults.add(Fault(path="goals", status=500))
    event_id = world.call_back("tea")
    look_up(world)
    event = world.event(event_id)
    assert (event.state, event.attempts) == ("received", 1)
    assert 0 < event.due_at - world.clock.at <= 5

    world.clock.advance(5)
    world.work()

    assert code(world, event_id) == "no_such_feed"


def test_a_look_up_waits_for_a_limit(world: World) -> None:
    """429 with Retry-After: no attempt, and no request before the time."""
    world.beeminder.faults.add(Fault(path="goals", status=429, retry_after="60"))
    event_id = world.call_back("tea")
    look_up(world)
    event = world.event(event_id)
    assert (event.attempts, event.deferrals) == (0, 1)
    asked = world.beeminder.faults.count()

    world.clock.advance(55)
    look_up(world)
    assert world.beeminder.faults.count() == asked
    world.clock.advance(6)
    look_up(world)

    assert code(world, event_id) == "no_such_feed"


def test_a_refused_token_ends_the_look_up(world: World) -> None:
    """The person has to connect again: the event says so."""
    world.beeminder.state.personal_tokens.clear()
    event_id = world.call_back("tea")

    world.work()

    assert code(world, event_id) == "reauthorize"


def test_more_callbacks_than_one_pass_takes_ring_again(world: World) -> None:
    """A flood is opened in parts: what is left is rung for, and nothing is forgotten."""
    ids = [world.call_back() for _ in range(230)]
    callbacks.open_new(world.runtime())
    assert ("sync", "urgent") in world.rung

    world.work()

    assert {world.event(event_id).state for event_id in ids} == {"done"}
