"""A ledger and a queue stay small: retention, dead workers, bells that nobody heard."""

import os
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlmodel import select

from db import notices, retention, workers
from db.metadata import METADATA
from db.models import Event, Notice, Worker
from db.models_limits import Quota
from db.models_points import Datapoint, Sending
from tasks import housekeeping
from tasks.runtime import Options
from tests.db import everything
from tests.tasks.scenes import all_rows
from tests.world import DAY, World


def test_finished_events_are_kept_for_the_retention(world: World) -> None:
    """So many days and no longer; what has not ended is never forgotten."""
    world.call_back()
    world.work()
    world.clock.advance(29 * DAY)
    waiting = world.call_back("nobody-looked-at-it")
    rt = world.runtime(options=Options(retention_days=30))

    assert housekeeping.run(rt) == 0
    world.clock.advance(DAY + 1)
    assert housekeeping.run(rt) == 1
    world.clock.advance(100 * DAY)
    assert housekeeping.run(rt) == 0
    assert [event.id for event in all_rows(world, Event)] == [waiting]


def test_receipts_and_cleared_notices_are_kept_as_long(world: World) -> None:
    """The last two sendings of a datapoint, and what is not cleared, are kept for ever."""
    with world.ledger.write() as session:
        point = Datapoint(
            goal_id=1, feed_id=world.feed_id, requestid="wg-1", value=1, content_hash="h"
        )
        session.add(point)
        session.flush()
        for epoch in (1, 2, 3):
            session.add(
                Sending(datapoint_id=point.id, epoch=epoch, value=1, sent_at=world.clock.at)
            )
        for kind in ("held", "units"):
            notices.raise_(
                session,
                user_id=world.user_id,
                subject="feed:1",
                kind=kind,
                message="m",
                now=world.clock.at,
            )
        notices.clear(session, subject="feed:1", kind="units", now=world.clock.at)
    rt = world.runtime(options=Options(retention_days=30))

    world.clock.advance(30 * DAY)
    housekeeping.run(rt)
    assert (len(all_rows(world, Sending)), len(all_rows(world, Notice))) == (3, 2)
    world.clock.advance(1)
    housekeeping.run(rt)
    assert [sending.epoch for sending in all_rows(world, Sending)] == [2, 3]
    assert [notice.kind for notice in all_rows(world, Notice)] == ["held"]


def test_receipts_of_a_long_retention_are_thinned(world: World) -> None:
    """A value that grows each hour makes thousands of rows a year; two months of them are kept."""
    world.measure(world.series, {world.clock.at - 60: 1.0})
    world.work()
    for more in (2.0, 3.0):
        world.measure(world.series, {world.clock.at - 60: more})
        world.clock.advance(10)
        world.call_back()
        world.work()
    sent, last = len(all_rows(world, Sending)), world.values()["20261120"]

    world.clock.advance(59 * DAY)
    housekeeping.run(world.runtime())
    assert len(all_rows(world, Sending)) == sent
    world.clock.advance(2 * DAY)
    housekeeping.run(world.runtime())
    values = [sending.value for sending in all_rows(world, Sending)]
    assert len(values) == sent - 1
    assert last in values


def test_workers_that_were_killed_are_forgotten(world: World) -> None:
    """They could not say goodbye."""
    with world.ledger.write() as session:
        workers.register(
            session, Worker(name="w", queues="x", slots=1, started_at=0, seen_at=world.clock.at)
        )
    housekeeping.run(world.runtime())
    assert len(all_rows(world, Worker)) == 1
    world.clock.advance(601)
    housekeeping.run(world.runtime())
    assert all_rows(world, Worker) == []


def test_bells_that_nobody_heard_are_purged(tmp_path: Path) -> None:
    """Queue files older than ten minutes go, fresh ones and other files stay."""
    for name, age in (("old.msg", 601), ("fresh.msg", 599), ("old.lock", 9999)):
        path = tmp_path / name
        path.touch()
        os.utime(path, (1000.0 - age, 1000.0 - age))

    assert housekeeping.purge_bells(tmp_path, now=1000.0) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fresh.msg", "old.lock"]


def test_a_folder_that_is_not_there_has_no_bells(tmp_path: Path) -> None:
    """Before the first bell."""
    assert housekeeping.purge_bells(tmp_path / "none") == 0


KEPT_FOR_EVER = {"user", "source", "goal", "feed", "day", "datapoint", "sighted", "sending"}
KEPT_FOR_EVER |= {"tally"}  # a row for each thing that is counted, of a list of ours


def test_every_table_is_bounded_or_kept_on_purpose(world: World) -> None:
    """Years later only the memory of what was sent is left of a row in each table."""
    with world.ledger.write() as session:
        everything.fill(session, world.vault, number=7)
        for table, column in (("event", "state"), ("errand", "state")):
            session.connection().execute(update(METADATA.tables[table]).values({column: "failed"}))
    world.clock.advance(5 * 365 * DAY)
    housekeeping.run(world.runtime())
    with world.reading() as session:
        left = {name for name, rows in everything.rows(session).items() if rows}
        texts = [row.message for row in session.exec(select(Notice))]
    assert left - {"quota", "breaker", "alert", "channel", "notice"} == KEPT_FOR_EVER
    assert "canary-notice-message-7" not in texts
    with world.reading() as session:
        assert session.exec(select(Quota)).all() == []


def test_many_old_events_go_without_a_long_transaction(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A callback that arrives is stored between two of them."""
    monkeypatch.setattr(retention, "MOST", 2)
    for _ in range(5):
        world.call_back()
    world.work()
    world.clock.advance(31 * DAY)
    rt = world.runtime(options=Options(retention_days=30))
    assert housekeeping.run(rt) == 5
    assert all_rows(world, Event) == []


def test_a_worker_that_stops_leaves_the_rest_for_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told to stop while there is much to forget."""
    monkeypatch.setattr(retention, "MOST", 2)
    for _ in range(5):
        world.call_back()
    world.work()
    world.clock.advance(500 * DAY)
    rt = world.runtime()
    rt.stopping.set()
    assert housekeeping.run(rt) == 0
    assert len(all_rows(world, Event)) == 5
