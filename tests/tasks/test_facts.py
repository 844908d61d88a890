"""Facts older than ten minutes are read again before they decide anything."""

from db.models import Goal, User
from tests.tasks.scenes import TODAY, all_rows, change_feed
from tests.world import World


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


def test_fresh_facts_are_believed_and_old_ones_are_not(world: World) -> None:
    """Within ten minutes nothing is read again; later user and goal are, once."""
    world.work()
    first = len(asked(world))
    world.clock.advance(599)
    world.call_back()
    world.work()
    assert len(asked(world)) == first
    world.clock.advance(2)
    world.call_back()
    world.work()
    assert asked(world)[first:] == [".json", "/goals/energy.json"]


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
