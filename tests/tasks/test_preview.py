"""What would be sent, and why: the same decisions as a sync, and nothing is written."""

import pytest

from clients.errors import NotFound
from db.models_points import Datapoint, Day
from tasks import preview
from tests.tasks.scenes import TODAY, YESTERDAY, all_rows
from tests.world import World


def actions(world: World) -> dict[str, str]:
    """The action by daystamp."""
    planned = preview.preview(world.runtime(), world.feed_id)
    return {plan.verdict.day.daystamp: plan.action for plan in planned}


def test_a_preview_tells_and_sends_nothing(world: World) -> None:
    """New days are created, days without samples are nothing; no row, no point, no lease."""
    assert actions(world) == {"20261118": "nothing", YESTERDAY: "create", TODAY: "create"}

    assert world.values() == {}
    assert all_rows(world, Datapoint) == []
    assert all_rows(world, Day) == []
    assert world.feed().epoch == 0
    assert world.beeminder.faults.count(method="POST") == 0


def test_after_a_sync_it_says_what_differs(world: World) -> None:
    """What landed is unchanged; new samples are an update."""
    world.work()
    assert actions(world)[TODAY] == "unchanged"
    world.measure(world.series, {world.clock.at - 60: 1.0})
    assert actions(world) == {"20261118": "nothing", YESTERDAY: "unchanged", TODAY: "update"}


def test_a_goal_that_is_gone_is_said(world: World) -> None:
    """There is nothing to preview."""
    world.beeminder.state.delete_goal("alice", "energy")
    with pytest.raises(NotFound):
        actions(world)


def test_a_goal_that_takes_no_data_is_said(world: World) -> None:
    """A frozen goal gets nothing, so there is no list of what it would get."""
    world.beeminder.state.change_goal("alice", "energy", frozen=True)
    with pytest.raises(preview.RestingError, match="frozen") as caught:
        preview.preview(world.runtime(), world.feed_id)
    assert caught.value.reason == "goal_frozen"
