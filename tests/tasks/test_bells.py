"""The shells: a bell carries nothing, is answered in its lane, and is passed on when more waits."""

from collections.abc import Callable

import pytest
import structlog
from celery import Task
from sqlalchemy.exc import OperationalError

from db.states import Lane
from tasks import bells, sweep
from tests.tasks.scenes import TODAY
from tests.world import World

TASKS = {
    "waggle.sync": bells.sync_due,
    "waggle.push": bells.push_pending,
    "waggle.deauthorize": bells.deauthorize_revoked,
    "waggle.datasource": bells.change_datasources,
    "waggle.errands": bells.do_errands,
    "waggle.backfill": bells.backfill_due,
    "waggle.reconcile": bells.reconcile_overdue,
    "waggle.suspects": bells.try_suspects,
    "waggle.refresh_tokens": bells.refresh_tokens,
    "waggle.sweep": bells.sweep_ledger,
    "waggle.tidy": bells.tidy_tables,
    "waggle.housekeeping": bells.keep_house,
}


def counted(times: int) -> tuple[list[int], Callable[[], bool]]:
    """Work that is there so many times."""
    done: list[int] = []

    def once() -> bool:
        done.append(1)
        return len(done) < times

    return done, once


def test_tasks_are_named_by_what_they_do() -> None:
    """A message that is queued survives a rename of the function."""
    assert {name: task.name for name, task in TASKS.items()} == {name: name for name in TASKS}


def test_without_a_runtime_no_task_runs() -> None:
    """A task in a process that has not started says so."""
    bells.bind(None)
    with pytest.raises(RuntimeError, match="no runtime"):
        bells.runtime()


def test_a_bell_is_answered_until_nothing_is_left(world: World) -> None:
    """All there is, in one slot, and no bell after it."""
    done, once = counted(5)
    bells.drain(world.runtime(), Lane.BULK, once, task="sync")
    assert len(done) == 5
    assert world.rung == []


def test_without_a_free_slot_the_bell_waits(world: World) -> None:
    """Whoever holds the slots looks for more before they go: nothing is done here."""
    rt = world.runtime()
    done, once = counted(5)
    with rt.slots.enter(Lane.BULK), rt.slots.enter(Lane.BULK):
        bells.drain(rt, Lane.BULK, once, task="sync")
    assert done == []


def test_a_slice_that_ends_rings_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One long backlog does not keep a slot: the rest is rung for in its lane."""
    monkeypatch.setattr(bells, "SLICE_SECONDS", 0.0)
    _, once = counted(5)
    bells.drain(world.runtime(), Lane.BULK, once, task="sync")
    assert world.rung == [("sync", "bulk")]


def test_a_stopping_process_answers_and_rings_no_more(world: World) -> None:
    """The next process is rung by its first sweep."""
    rt = world.runtime()
    rt.stopping.set()
    done, once = counted(5)
    bells.drain(rt, Lane.BULK, once, task="sync")
    assert (done, world.rung) == ([], [])


def test_every_task_does_its_work_when_called(world: World) -> None:
    """Each shell, called as a worker calls it, in the lane of the queue it came from."""
    event_id = world.call_back()
    bells.bind(world.runtime())
    try:
        for task in TASKS.values():
            found: Task = task
            found.push_request(delivery_info={"routing_key": "urgent"})
            try:
                found()
            finally:
                found.pop_request()
    finally:
        bells.bind(None)
    assert world.event(event_id).state == "done"
    assert world.values()[TODAY] == 2.5


def test_a_ledger_that_is_away_is_one_line(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every task ends quietly and can be rung again; any other mistake is still shown."""
    bells.bind(world.runtime())

    def away(_rt: object) -> None:
        raise OperationalError("SELECT secrets", None, OSError("gone\nwith the wind"))

    monkeypatch.setattr(sweep, "run", away)
    with structlog.testing.capture_logs() as lines:
        bells.sweep_ledger()
    assert [line["event"] for line in lines] == ["ledger.away"]
    assert lines[0]["task"] == "waggle.sweep"
    assert "\n" not in lines[0]["reason"]

    monkeypatch.setattr(sweep, "run", lambda _rt: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        bells.sweep_ledger()
    assert all(isinstance(task, bells.LedgerTask) for task in TASKS.values())
