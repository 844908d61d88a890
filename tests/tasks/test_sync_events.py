"""Single events: one datapoint for each, with its own time, made once and for ever."""

from collections.abc import Iterator

import pytest

from db.models_points import Datapoint
from tasks.runtime import Runtime
from tests.tasks.diary import Diary
from tests.tasks.measured import look, morning, ours
from tests.tasks.scenes import LEASE_OVER, TODAY, YESTERDAY, all_rows, die
from tests.world import World, crash_at

EARLY, LATE, NOW = morning(YESTERDAY), morning(YESTERDAY) + 7200.5, morning(TODAY)


@pytest.fixture
def diary() -> Diary:
    """Two events of yesterday and one of today."""
    return Diary(records=[("a", EARLY, 2.0), ("b", LATE, 2.0), ("c", NOW, 4.0)])


@pytest.fixture
def worker(world: World, diary: Diary) -> Iterator[Runtime]:
    """A worker whose feed takes the events."""
    with diary.feeding(world, "events") as rt:
        yield rt


def shown(world: World) -> list[tuple[int, str, float]]:
    """Time, day and value of our points at Beeminder."""
    return sorted((point.timestamp, point.daystamp, point.value) for point in world.points())


def test_each_event_is_a_datapoint_at_its_own_time(world: World, worker: Runtime) -> None:
    """Also two of one day with the same value."""
    world.work(worker)
    assert shown(world) == [
        (int(EARLY), YESTERDAY, 2.0),
        (int(LATE), YESTERDAY, 2.0),
        (int(NOW), TODAY, 4.0),
    ]
    assert len({point.requestid for point in world.points()}) == 3


def test_nothing_is_sent_again(world: World, worker: Runtime) -> None:
    """The same diary, read again and again, writes nothing."""
    world.work(worker)
    for _ in range(3):
        look(world, rt=worker)
    assert ours(world) == 3


def test_an_event_that_vanished_stays_if_it_landed(
    world: World, worker: Runtime, diary: Diary
) -> None:
    """Counted once is counted: also after it was deleted at the source."""
    world.work(worker)
    del diary.records[1:]
    look(world, rt=worker)
    assert len(world.points()) == 3
    assert {row.state for row in all_rows(world, Datapoint)} == {"landed"}


def test_an_event_that_vanished_before_it_was_sent_is_withdrawn(
    world: World, worker: Runtime, diary: Diary
) -> None:
    """It never was at Beeminder and does not come there; back at the source, it does."""
    worker.trace = crash_at("recorded")
    world.call_back()
    assert die(world, worker)
    gone = diary.records.pop(1)
    look(world, rt=worker)
    assert [at for at, _, _ in shown(world)] == [int(EARLY), int(NOW)]
    assert sorted(row.state for row in all_rows(world, Datapoint)) == [
        "landed",
        "landed",
        "withdrawn",
    ]

    diary.records.append(gone)
    look(world, rt=worker)
    assert len(shown(world)) == 3


def test_a_late_event_of_a_finished_day_is_added(
    world: World, worker: Runtime, diary: Diary
) -> None:
    """Its neighbours are left as they are."""
    world.work(worker)
    before = shown(world)
    diary.records.append(("d", EARLY + 60, 1.0))
    look(world, rt=worker)
    assert shown(world) == sorted([*before, (int(EARLY) + 60, YESTERDAY, 1.0)])
    assert ours(world) == 4


def test_a_corrected_event_updates_its_point(world: World, worker: Runtime, diary: Diary) -> None:
    """Better: in place; worse on a finished day: held; today's goes on."""
    world.work(worker)
    diary.records[:] = [("a", EARLY, 3.0), ("b", LATE, 1.0), ("c", NOW, 1.0)]
    look(world, rt=worker)
    assert [value for _, _, value in shown(world)] == [3.0, 2.0, 1.0]
    assert len(world.points()) == 3


def test_an_event_that_moves_to_today_takes_its_point_along(
    world: World, worker: Runtime, diary: Diary
) -> None:
    """The source corrects a time: the one datapoint moves, nothing is counted twice."""
    world.work(worker)
    diary.records[1] = ("b", NOW + 30, 2.0)
    look(world, rt=worker)
    assert shown(world) == [
        (int(EARLY), YESTERDAY, 2.0),
        (int(NOW), TODAY, 4.0),
        (int(NOW) + 30, TODAY, 2.0),
    ]


@pytest.mark.parametrize("step", ["recorded", "push.begun", "push.sent"])
def test_a_killed_worker_doubles_no_event(world: World, worker: Runtime, step: str) -> None:
    """Whoever takes over sends the same ids."""
    worker.trace = crash_at(step)
    world.call_back()
    assert die(world, worker)
    world.clock.advance(LEASE_OVER)
    world.work(worker)
    counts = world.beeminder.state.write_counts("alice", "energy")
    assert [found["created"] for found in counts.values()] == [1, 1, 1]
    assert len(shown(world)) == 3


def test_odd_record_ids_are_ids_all_the_same(world: World, worker: Runtime, diary: Diary) -> None:
    """Slashes, letters of other scripts, very long ones: distinct, plain, and short enough."""
    odd = ["a/b", "a b", "ä", "x" * 400, "x" * 401, "20261119"]
    diary.records[:] = [(one, EARLY + number, 1.0) for number, one in enumerate(odd)]
    world.work(worker)
    ids = {point.requestid or "" for point in world.points()}
    assert len(ids) == len(odd)
    assert all(len(one) <= 64 and one.replace("-", "").isalnum() for one in ids)


def test_events_are_one_sum_where_the_goal_takes_a_day_otherwise(
    world: World, worker: Runtime
) -> None:
    """A goal that takes the maximum of a day gets the day's sum as one point, zeros as well."""
    world.beeminder.state.change_goal("alice", "energy", aggday="max")
    world.work(worker)
    assert world.values() == {"20261118": 0.0, YESTERDAY: 4.0, TODAY: 4.0}
    assert len(world.points()) == 3
