"""A correction that passes late: the days after it say what the source says, also old ones."""

import pytest

from db import approvals
from db.models import Backfill, Feed
from db.models_points import Datapoint
from tasks import days
from tests.tasks import past_days
from tests.tasks.measured import look, say
from tests.tasks.scenes import TODAY, YESTERDAY, all_rows
from tests.world import DAY, World

LATER = "20261125"


def stamps(first: str, last: str) -> list[str]:
    """The days between, both included."""
    count = (days.parse(last) - days.parse(first)).days + 1
    return [days.stamp(days.parse(first) + n * days.ONE_DAY) for n in range(count)]


def approve(world: World) -> None:
    """A person lets pass what is held."""
    now = world.clock.at
    with world.ledger.write() as session:
        rows = approvals.approve(session, [world.feed_id], daystamp=None, now=now)
        feed = session.get_one(Feed, world.feed_id)
        approvals.read_on(session, feed, rows, now=now)


def go_on(world: World, said: dict[str, float]) -> None:
    """Day after day is looked at, until a correction is long out of sight."""
    said_so_far = {day: value for day, value in said.items() if day <= TODAY}
    for day in stamps("20261121", LATER):
        said_so_far[day] = said[day]
        say(world, said_so_far)
        look(world, after=DAY)


@pytest.mark.parametrize("less", [2.0, 0.5])
def test_a_total_moves_to_today_when_an_old_correction_passes(world: World, less: float) -> None:
    """Five days went on without it: all of them are asked about, and end where the source does."""
    world.beeminder.state.change_goal("alice", "energy", kyoom=False, aggday="last")
    said = dict.fromkeys(stamps("20261118", LATER), 5.0)
    say(world, {day: 5.0 for day in said if day <= TODAY})
    world.work()
    said[YESTERDAY] -= less
    go_on(world, said)
    assert world.values()[LATER] == 40.0  # without the correction

    for _ in range(3):  # what follows is worse as well, and asked about once more
        approve(world)
        past_days.work(world)
        look(world, after=3700)

    assert world.values()[YESTERDAY] == 10.0 - less
    assert world.values()[LATER] == 40.0 - less
    assert {row.state for row in all_rows(world, Datapoint)} == {"landed"}


def test_days_that_stand_alone_are_not_read_again(world: World) -> None:
    """A summing goal's total of one day says nothing of the next one."""
    say(world, {YESTERDAY: 5.0, TODAY: 1.0})
    world.work()
    say(world, {YESTERDAY: 3.0, TODAY: 1.0})
    look(world)
    approve(world)
    assert all_rows(world, Backfill) == []
