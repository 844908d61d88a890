"""Whatever goes wrong with a chunk: nothing is lost or doubled, and it says what it was."""

import pytest
from sqlmodel import select

from db import backfills, notices
from db.models_points import Datapoint
from simulators.faults import Fault
from tasks import backfill, deliver
from tests.tasks.past_days import FIRST, ask, created, die, history, row, work
from tests.tasks.scenes import LEASE_OVER, TODAY, TRIED_AGAIN, all_rows, change_feed
from tests.world import DAY, World, crash_at

STEPS = (
    "backfill.claimed",
    "backfill.fetched",
    "backfill.recorded",
    "push.begun",
    "push.sent",
    "backfill.advanced",
)


@pytest.fixture
def synced(world: World) -> World:
    """A world whose feed has had its own sync, and is not due."""
    history(world, 60)
    world.work()
    return world


@pytest.mark.parametrize("step", STEPS)
def test_a_killed_worker_is_taken_over(synced: World, step: str) -> None:
    """Killed at any step, three times over: each day is there once, and the backfill ends."""
    made = ask(synced)
    for _ in range(3):
        die(synced.runtime(trace=crash_at(step)))
        synced.clock.advance(TRIED_AGAIN)

    work(synced)

    assert row(synced, made).state == "done"
    assert len(synced.values()) == 51
    assert created(synced) == [1] * 51
    assert {point.state for point in all_rows(synced, Datapoint)} == {"landed"}


def test_a_killed_chunk_waits_for_the_end_of_its_lease(synced: World) -> None:
    """Nobody works on a feed whose holder may still be alive."""
    ask(synced)
    assert die(synced.runtime(trace=crash_at("backfill.fetched")))
    assert work(synced) == 0


def test_a_source_that_is_down_costs_an_attempt_and_is_asked_again(synced: World) -> None:
    """Transient: put back with a pause, the reason said, and then it goes on."""
    made = ask(synced)
    synced.bemserver.faults.add(Fault(path="timeseries_data", status=503, times=1))
    work(synced)
    found = row(synced, made)
    assert (found.state, found.attempts, found.next_day) == ("working", 1, FIRST)
    assert (found.error or "").startswith("source plant: ")
    assert found.due_at > synced.clock.at
    synced.clock.at = found.due_at
    work(synced)
    assert (row(synced, made).state, row(synced, made).error) == ("done", None)


def test_a_limit_costs_no_attempt(synced: World) -> None:
    """Beeminder names a time: nothing is asked before it, and nothing counted."""
    made = ask(synced)
    synced.beeminder.faults.add(
        Fault(method="POST", path="datapoints", status=429, retry_after="120")
    )
    work(synced)
    found = row(synced, made)
    assert (found.state, found.attempts) == ("working", 0)
    assert found.due_at >= synced.clock.at + 120
    asked = synced.beeminder.faults.count()
    synced.clock.advance(60)
    assert work(synced) == 0
    assert synced.beeminder.faults.count() == asked
    synced.clock.at = found.due_at
    synced.work()  # whoever comes first pushes what waits
    work(synced)
    assert row(synced, made).state == "done"
    assert created(synced) == [1] * 51


def test_a_goal_that_is_gone_ends_it_with_the_reason(synced: World) -> None:
    """A person has to do something: failed, the lease free, the feed's own state its own affair."""
    made = ask(synced)
    synced.beeminder.state.delete_goal("alice", "energy")
    synced.clock.advance(700)  # the facts are old
    change_feed(synced, due_at=synced.clock.at + DAY)
    work(synced)
    found = row(synced, made)
    assert (found.state, found.finished_at) == ("failed", synced.clock.at)
    assert "there is no goal 'energy' any more" in (found.error or "")
    assert (synced.feed().state, synced.feed().lease_owner) == ("active", None)


def test_an_answer_of_the_wrong_shape_is_an_accident_at_first(synced: World) -> None:
    """Three times in a row it is not: then it has failed."""
    made = ask(synced)
    synced.bemserver.faults.add(Fault(action="invalid_json", path="/timeseries_data", times=None))
    for _ in range(3):
        work(synced)
        assert row(synced, made).state == "working"
        synced.clock.at = max(synced.clock.at, row(synced, made).due_at)
    change_feed(synced, due_at=synced.clock.at + DAY)
    work(synced)
    assert row(synced, made).state == "failed"


def test_stopping_hands_back_between_two_steps(synced: World) -> None:
    """A worker that goes down leaves the chunk as it is; the next one does it again."""
    made = ask(synced)
    rt = synced.runtime()
    rt.trace = lambda step: rt.stopping.set() if step == "backfill.recorded" else None
    pushes = synced.beeminder.faults.count(method="POST", path="datapoints")
    assert backfill.run(rt)
    assert synced.beeminder.faults.count(method="POST", path="datapoints") == pushes
    assert (row(synced, made).state, row(synced, made).next_day) == ("working", FIRST)
    synced.clock.advance(LEASE_OVER)
    assert not backfill.run(rt)
    assert not backfill.run(rt, alone=True)
    work(synced)
    assert row(synced, made).state == "done"


def test_a_worker_that_slept_moves_nothing(synced: World) -> None:
    """Its lease was over and somebody has done the chunk: what it sent is looked at again."""
    made = ask(synced)

    def trace(step: str) -> None:
        if step == "push.sent" and not slept:
            slept.append(step)
            synced.clock.advance(LEASE_OVER)
            work(synced)

    slept: list[str] = []
    assert backfill.run(synced.runtime(trace=trace))
    assert row(synced, made).state == "done"
    assert synced.feed().doubtful
    assert synced.feed().due_at <= synced.clock.at
    synced.work()
    assert created(synced) == [1] * 51


def test_what_could_not_be_pushed_waits_as_long_as_the_backfill(synced: World) -> None:
    """Nobody else pushes it in the meantime: a Beeminder in trouble has its pause."""
    made = ask(synced)
    synced.beeminder.faults.add(Fault(method="POST", path="datapoints", status=503, times=1))
    work(synced)
    asked = synced.beeminder.faults.count(method="POST", path="datapoints")
    assert row(synced, made).attempts == 1
    assert not deliver.run(synced.runtime())
    assert synced.beeminder.faults.count(method="POST", path="datapoints") == asked
    synced.clock.at = row(synced, made).due_at
    work(synced)
    assert (row(synced, made).state, len(synced.values())) == ("done", 51)


def test_what_beeminder_refuses_for_good_ends_it_and_what_landed_is_known(synced: World) -> None:
    """One point of a chunk is refused: the others are marked, nothing of them is sent again."""
    made = ask(synced)
    refusal = {"errors": "no"}
    synced.beeminder.faults.add(
        Fault(method="POST", path="create_all", status=422, body=refusal, times=1)
    )
    synced.beeminder.faults.add(
        Fault(method="POST", path="datapoints.json", status=422, body=refusal, times=1)
    )
    work(synced)
    found = row(synced, made)
    assert (found.state, found.written) == ("failed", 30)
    ask(synced)
    work(synced)
    assert created(synced) == [1] * 51
    assert row(synced, made + 1).written == 18  # three days were there before


def test_what_else_waits_is_neither_pushed_nor_put_off(synced: World) -> None:
    """A point of another day, approved a moment ago, is the feed's own affair."""
    with synced.ledger.write() as session:
        point = session.exec(select(Datapoint).where(Datapoint.daystamp == TODAY)).one()
        point.state, point.value, point.landed_hash = "pending", 50.0, None
        point.due_at = synced.clock.at
        session.add(point)
    ask(synced, last="20261031")
    synced.beeminder.faults.add(Fault(method="POST", path="datapoints", status=503, times=1))
    work(synced)
    assert synced.values()[TODAY] == 3.0
    assert deliver.run(synced.runtime())
    assert synced.values()[TODAY] == 50.0


def told(world: World) -> list[str]:
    """What alice is told about her past days."""
    with world.reading() as session:
        return [row.message for row in notices.open_for(session) if row.kind == backfills.NOTICE]


def stay_away(world: World, made: int, until: float, *, every: float = 0.0) -> None:
    """Try whenever it is due, or so seldom; the feed's own schedule is kept out of it."""
    while row(world, made).state == "working" and world.clock.at < until:
        world.clock.at = max(world.clock.at + every, row(world, made).due_at)
        change_feed(world, due_at=world.clock.at + DAY)
        work(world)


def test_a_limit_that_lasts_is_told_once(synced: World) -> None:
    """Free for twenty times and a day; after that it costs attempts, and its owner hears of it."""
    made = ask(synced)
    synced.bemserver.faults.add(Fault(path="timeseries", status=429, retry_after="3600", times=30))
    stay_away(synced, made, synced.clock.at + DAY - 7200)
    assert (row(synced, made).attempts, told(synced)) == (0, [])

    stay_away(synced, made, synced.clock.at + 4 * 3600)

    found = row(synced, made)
    assert found.state == "working"
    assert 1 <= found.attempts <= 4
    assert found.deferrals >= 20 + found.attempts
    assert "a limit has put it off" in (found.error or "")
    assert len(told(synced)) == 1
    synced.bemserver.faults.clear()
    stay_away(synced, made, synced.clock.at + DAY)
    assert (row(synced, made).state, told(synced)) == ("done", [])


def test_after_a_week_without_progress_it_has_failed_and_can_be_asked_for_again(
    synced: World,
) -> None:
    """Not tried for ever: its owner is told the reason and the command, which then works."""
    made = ask(synced)
    synced.bemserver.faults.add(Fault(path="timeseries", status=500, times=None))
    started = synced.clock.at
    stay_away(synced, made, started + 14 * DAY, every=DAY / 4)

    found = row(synced, made)
    assert found.state == "failed"
    assert 7 * DAY <= (found.finished_at or 0.0) - started <= 7.5 * DAY
    (message,) = told(synced)
    assert "tried for days" in message
    assert "`waggle sync alice/energy --from 2026-10-01 --to 2026-11-20`" in message
    assert synced.feed().state == "active"

    synced.bemserver.faults.clear()
    again = ask(synced)
    assert told(synced) == []
    stay_away(synced, again, synced.clock.at + DAY)
    assert row(synced, again).state == "done"


def test_a_machine_that_was_off_for_a_week_has_not_given_up(synced: World) -> None:
    """It failed once, was switched off, and fails once more before its network is up: goes on."""
    made = ask(synced)
    synced.bemserver.faults.add(Fault(path="timeseries", status=500, times=2))
    work(synced)
    synced.clock.advance(8 * DAY)
    change_feed(synced, due_at=synced.clock.at + DAY)
    work(synced)
    assert row(synced, made).state == "working"
    stay_away(synced, made, synced.clock.at + DAY)
    assert row(synced, made).state == "done"


def test_who_is_to_blame_is_said_right(world: World) -> None:
    """The first look at a goal asks Beeminder, and only then the source is asked."""
    history(world, 10)
    change_feed(world, due_at=world.clock.at + DAY)  # a sync would go first
    made = ask(world)
    world.beeminder.faults.add(Fault(path="datapoints", method="GET", status=502, times=None))

    work(world)

    assert (row(world, made).error or "").startswith("Beeminder: ")
    world.beeminder.faults.clear()
    world.clock.at = row(world, made).due_at
    world.bemserver.faults.add(Fault(path="timeseries_data", status=502, times=None))
    work(world)
    assert (row(world, made).error or "").startswith("source plant: ")
