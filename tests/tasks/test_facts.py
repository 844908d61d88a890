"""Facts that may have changed are read again before they decide anything, and no others."""

from collections import Counter

import pytest

from clients.errors import Permanent
from db import people
from db.models import Goal, User
from db.states import Lane
from simulators.faults import Fault
from tasks import facts
from tasks.beeminder import Access
from tests.tasks.scenes import TODAY, all_rows, change_feed
from tests.world import TOKEN, World


def asked(world: World) -> list[str]:
    """What has been read at Beeminder, without the push."""
    found = [request for request in world.beeminder.faults.requests if request.method == "GET"]
    return [request.path.removeprefix("/api/v1/users/me") for request in found]


def test_facts_are_stored_as_beeminder_told_them(world: World) -> None:
    """What decides how we write: zone, deadline, kind, and the id that outlives names."""
    goal = world.beeminder.state.goal("alice", "energy")
    goal.deadline, goal.yaw, goal.odom = 3 * 3600, -1, True
    world.beeminder.state.users["alice"].timezone = "Europe/Paris"

    world.work()

    (row,) = all_rows(world, Goal)
    assert (row.beeminder_id, row.deadline, row.yaw, row.odom) == (goal.id, 10800, -1, True)
    (alice,) = all_rows(world, User)
    assert alice.timezone == "Europe/Paris"


def refresh(world: World, seconds: float = facts.BELIEVED_SECONDS) -> dict[int, Permanent]:
    """Bring the facts of alice and all her goals up to date."""
    rt = world.runtime()
    (alice,), goals = all_rows(world, User), all_rows(world, Goal)
    return facts.refresh(rt, Access(rt, world.user_id), alice, goals, seconds=seconds)


def later(world: World, seconds: float) -> list[str]:
    """So many seconds later: what an urgent sync reads at Beeminder."""
    world.clock.advance(seconds)
    before = len(asked(world))
    refresh(world, facts.believed([Lane.URGENT], of=world.user_id))
    return asked(world)[before:]


def test_fresh_facts_are_believed_and_old_ones_are_not(world: World) -> None:
    """Within ten minutes nothing is read again; later user and goal are, once."""
    world.work()
    first = len(asked(world))
    world.clock.advance(599)
    refresh(world)
    assert len(asked(world)) == first
    world.clock.advance(2)
    refresh(world)
    assert asked(world)[first:] == [".json", "/goals/energy.json"]


def test_urgent_work_believes_a_person_for_seconds(world: World) -> None:
    """Who moves a deadline and then presses refresh is not answered by what was before."""
    world.clock.advance(10)
    refresh(world)

    assert later(world, 6) == []
    assert later(world, 5) == [".json"]


def test_what_a_person_has_not_changed_is_confirmed_and_not_read(world: World) -> None:
    """Nothing changed since: for hours one small request a look is enough, for all goals."""
    world.link("output", series=world.other_series)
    world.clock.advance(10)
    refresh(world)

    assert [later(world, 61) for _ in range(30)] == [[".json"]] * 30
    assert {goal.facts_at for goal in all_rows(world, Goal)} == {world.clock.at}


@pytest.mark.parametrize("what", ["deadline", "timezone"])
def test_what_was_moved_seconds_ago_is_picked_up(world: World, what: str) -> None:
    """A deadline or zone changed after the last look: the next urgent one reads the goal again."""
    world.clock.advance(10)
    refresh(world)
    world.clock.advance(6)
    if what == "deadline":
        world.beeminder.state.change_goal("alice", "energy", deadline=10800)
    else:
        world.beeminder.state.change_user("alice", timezone="Asia/Kathmandu")

    assert later(world, 5) == [".json", "/goals/energy.json"]
    (alice,), (goal,) = all_rows(world, User), all_rows(world, Goal)
    found = (goal.deadline, alice.timezone)
    assert found == ((10800, "UTC") if what == "deadline" else (0, "Asia/Kathmandu"))


def test_a_change_within_the_second_of_a_look_is_picked_up(world: World) -> None:
    """Whole seconds hide it: after a look so close to a change the goals are read once more."""
    world.clock.advance(10)
    world.beeminder.state.change_goal("alice", "energy", deadline=3600)
    refresh(world)
    world.beeminder.state.change_goal("alice", "energy", deadline=7200)  # the same second

    assert later(world, 61) == [".json", "/goals/energy.json"]
    assert all_rows(world, Goal)[0].deadline == 7200
    assert later(world, 61) == [".json"]


def test_a_goal_that_was_not_looked_at_since_a_change_is_not_confirmed(world: World) -> None:
    """The change was noticed by a sync of another goal: this one is read again all the same."""
    world.link("output", series=world.other_series)
    world.clock.advance(10)
    refresh(world)
    world.clock.advance(30)
    world.beeminder.state.change_goal("alice", "output", deadline=3600)
    world.clock.advance(40)
    rt, (alice,) = world.runtime(), all_rows(world, User)
    energy, _ = all_rows(world, Goal)
    facts.refresh(rt, Access(rt, world.user_id), alice, [energy], seconds=60)

    assert later(world, 5) == ["/goals/output.json"]
    assert all_rows(world, Goal)[1].deadline == 3600


def test_a_later_look_of_somebody_else_is_not_overwritten(world: World) -> None:
    """A worker that read before another one, and writes after it, changes nothing."""
    world.clock.advance(10)
    refresh(world)
    (goal,) = all_rows(world, Goal)
    with world.ledger.write() as session:
        people.store_goal_facts(
            session, goal.id, {"facts_at": world.clock.at - 1, "deadline": 3600}
        )
        people.store_user_facts(
            session, world.user_id, {"facts_at": world.clock.at - 1, "timezone": "Asia/Tokyo"}
        )

    assert all_rows(world, Goal)[0].deadline == 0
    assert all_rows(world, User)[0].timezone == "UTC"


def test_people_who_were_read_together_are_not_read_together_again() -> None:
    """Hundreds at once would be in the way of each other; ten seconds are the most."""
    times = [facts.believed([Lane.URGENT], of=number) for number in range(1, 51)]

    assert times == [facts.believed([Lane.URGENT], of=number) for number in range(1, 51)]
    assert all(7.0 <= each <= 10.0 for each in times)
    in_each_second = Counter(int(each) for each in times)
    assert max(in_each_second.values()) <= 20


@pytest.mark.parametrize(("later", "old"), [(30.0, False), (61.0, True), (590.0, True)])
def test_who_somebody_is_holds_for_a_minute(world: World, later: float, *, old: bool) -> None:
    """Their time zone is not asked for with each goal, and never believed for longer."""
    refresh(world)
    (alice,) = all_rows(world, User)
    seconds = facts.believed([Lane.URGENT], of=0)

    assert facts.is_old(alice, (alice.facts_at or 0.0) + later, seconds) is old
    assert not facts.is_old(alice, (alice.facts_at or 0.0) + 599, facts.BELIEVED_SECONDS)
    assert facts.is_old(alice, (alice.facts_at or 0.0) + 601, facts.BELIEVED_SECONDS)


def test_what_was_read_in_the_future_is_not_believed(world: World) -> None:
    """A clock was a day ahead for a while: the facts are read again, and can be written."""
    world.clock.advance(86400)
    refresh(world)
    world.clock.advance(-86400)
    world.beeminder.state.change_goal("alice", "energy", deadline=3600)

    refresh(world)

    (goal,) = all_rows(world, Goal)
    assert (goal.deadline, goal.facts_at) == (3600, world.clock.at)


def test_what_decides_about_deadlines_is_stored(world: World) -> None:
    """Value, derail time, buffer and whether the goal was put away."""
    goal = world.beeminder.state.goal("alice", "energy")
    goal.facts = {"safebuf": 0, "curval": 12.5, "losedate": 1_800_000_000}

    refresh(world)

    (row,) = all_rows(world, Goal)
    assert (row.safebuf, row.curval, row.losedate, row.archived) == (0, 12.5, 1_800_000_000, False)


@pytest.mark.parametrize(
    ("goal", "reason"),
    [
        ({}, None),
        ({"lost": True}, None),
        ({"frozen": True}, "goal_frozen"),
        ({"lost": True, "frozen": True}, "goal_frozen"),
        ({"won": True}, "goal_finished"),
        ({"won": True, "frozen": True}, "goal_finished"),
        ({"won": True, "frozen": True, "archived": True}, "goal_archived"),
    ],
)
def test_why_a_goal_rests(goal: dict[str, bool], reason: str | None) -> None:
    """Frozen, finished or archived; a goal that was only lost goes on."""
    assert facts.resting(Goal(user_id=1, slug="g", declared_slug="g", **goal)) == reason


def test_a_goal_that_rests_is_read_again_at_every_look(world: World) -> None:
    """However fresh the facts are: it may have been restarted a second ago."""
    world.beeminder.state.change_goal("alice", "energy", frozen=True)
    refresh(world)

    assert later(world, 1) == ["/goals/energy.json"]


@pytest.mark.parametrize("list_of_archived", ["there", "not there"])
def test_a_goal_is_looked_for_among_those_that_are_archived(
    world: World, list_of_archived: str
) -> None:
    """Renamed and put away: found by its id there, or else not found at all."""
    world.clock.advance(10)
    refresh(world)
    state = world.beeminder.state
    state.rename_goal("alice", "energy", "power")
    state.change_goal("alice", "power", archived=True)
    if list_of_archived == "not there":
        world.beeminder.faults.add(
            Fault(path="goals/archived", status=404, body={"error": "no"}, times=None)
        )
    world.clock.advance(3600)

    missing = refresh(world)

    (row,) = all_rows(world, Goal)
    if list_of_archived == "there":
        assert (missing, row.slug, row.archived) == ({}, "power", True)
    else:
        assert [error.reason for error in missing.values()] == ["goal_not_found"]


def test_a_renamed_person_is_followed(world: World) -> None:
    """The token says who it is: the name in the ledger moves, the one of the file stays."""
    with world.ledger.write() as session:
        alice = session.get_one(User, world.user_id)
        alice.declared_username = "alice"
        session.add(alice)
    refresh(world)
    world.beeminder.state.rename_user("alice", "alicia")
    world.clock.advance(700)

    refresh(world)

    (alice,) = all_rows(world, User)
    assert (alice.username, alice.declared_username) == ("alicia", "alice")


def test_two_people_who_swapped_their_names(world: World) -> None:
    """Whoever is read first takes the name; the other makes room and is found again by id."""
    state = world.beeminder.state
    state.add_user("bob", token="canary-of-bob")
    with world.ledger.write() as session:
        bob = User(username="bob", created_at=world.clock.at)
        people.set_token(bob, world.vault, token="canary-of-bob", kind="personal")
        session.add(bob)
    state.rename_user("alice", "other")
    state.rename_user("bob", "alice")
    state.rename_user("other", "bob")

    rt = world.runtime()
    for user in all_rows(world, User):
        facts.refresh(rt, Access(rt, user.id), user, [])

    assert [user.username for user in all_rows(world, User)] == ["bob", "alice"]


def test_two_rows_of_one_person_are_told_and_not_mixed(world: World) -> None:
    """A second row got a token of the same person: a reason in words, and nothing overwritten."""
    refresh(world)
    with world.ledger.write() as session:
        other = User(username="alicia", created_at=world.clock.at)
        people.set_token(other, world.vault, token=TOKEN, kind="personal")
        session.add(other)
    rt = world.runtime()
    _, other = all_rows(world, User)

    with pytest.raises(facts.SamePersonError, match="alicia and alice"):
        facts.refresh(rt, Access(rt, other.id), other, [])

    assert [user.username for user in all_rows(world, User)] == ["alice", "alicia"]


def test_a_moved_deadline_decides_at_once(world: World) -> None:
    """The goal's day ends at 3 am now: a sample of 1 am counts for the day before."""
    world.beeminder.state.goal("alice", "energy").deadline = 3 * 3600
    midnight = world.clock.at - 12 * 3600
    world.measure(world.series, {midnight + 3600: 10.0})

    world.work()

    assert world.values() == {"20261119": 17.0, TODAY: 2.5}


def test_many_stale_goals_are_read_in_one_list(world: World) -> None:
    """Twelve goals of a person that are known by their ids cost one request, not twelve."""
    for number in range(12):
        world.beeminder.state.add_goal("alice", f"g{number}", kyoom=True, aggday="sum")
        world.link(f"g{number}")
    world.work()
    before = len(asked(world))
    world.clock.advance(3600)
    for feed_id in range(1, 14):
        change_feed(world, feed_id, due_at=world.clock.at)

    world.work()

    assert asked(world)[before:] == [".json", "/goals.json"]


def test_a_goal_with_many_feeds_is_read_once(world: World) -> None:
    """Feeds that are claimed together bring their goal once each: it is one page, not a list."""
    for number in range(4):
        world.link("energy", label=f"l{number}")
    world.work()
    before = len(asked(world))
    world.clock.advance(3600)
    for feed_id in range(1, 6):
        change_feed(world, feed_id, due_at=world.clock.at)

    world.work()

    assert asked(world)[before:] == [".json", "/goals/energy.json"]


def test_an_archived_goal_is_found_on_its_own_page(world: World) -> None:
    """The list leaves archived goals out: they are there all the same, and refuse data."""
    world.work()
    world.beeminder.state.goal("alice", "energy").archived = True
    world.clock.advance(3600)
    world.measure(world.series, {world.clock.at - 60: 1.0})
    event_id = world.call_back()

    world.work()

    assert (world.event(event_id).error or {})["code"] != "goal_not_found"


def test_another_goal_under_an_old_name_is_not_taken_for_ours(world: World) -> None:
    """Renamed away, and a new goal has the old slug: the id decides where data goes."""
    world.work()
    state = world.beeminder.state
    state.rename_goal("alice", "energy", "power")
    state.add_goal("alice", "energy", kyoom=True, aggday="sum")
    world.clock.advance(3600)
    world.measure(world.series, {world.clock.at - 60: 1.0})

    world.work()

    assert world.points("energy") == []
    assert world.values("power")[TODAY] == 3.5
