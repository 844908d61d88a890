"""Waiting for a backfill: for a worker that does it, or by doing it where no worker runs."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence

from sqlmodel import Session

from db import feeds, resting
from db.models import Backfill, Feed
from db.states import BackfillState, Lane
from worker.cli import backfill_progress, ringing, working
from worker.cli.backfill_progress import Tracked
from worker.cli.house import House

POLL_SECONDS = 0.1


def ring(house: House) -> None:
    """Have it begun at once."""
    with ringing.ringer(house.settings) as rung:
        rung("backfill", "bulk")


def until_done(
    house: House, tracked: Sequence[Tracked], *, alive: int, timeout: float | None
) -> list[Tracked]:
    """Until all have ended or been halted, or as they stand after `timeout` seconds."""
    ends_at = None if timeout is None else time.monotonic() + timeout
    with contextlib.ExitStack() as stack:
        if alive:
            ring(house)
            work: Callable[[], bool] = lambda: False  # noqa: E731 -- one of two ways to wait
        else:
            work = stack.enter_context(_here(house, [one.row.feed_id for one in tracked]))
        show = stack.enter_context(backfill_progress.shown(tracked))
        while True:
            did_something = work()
            with house.ledger.read() as session:
                now = [_as_it_stands(session, one) for one in tracked]
            show(now)
            going = [one for one in now if one.row.state == BackfillState.WORKING]
            over = ends_at is not None and time.monotonic() >= ends_at
            if over or all(one.halted for one in going):
                return now
            if not did_something:
                time.sleep(POLL_SECONDS)


def _as_it_stands(session: Session, one: Tracked) -> Tracked:
    row = session.get_one(Backfill, one.row.id)
    feed = session.get_one(Feed, row.feed_id)
    running = resting.is_running(feed.state, feed.reason)
    halted = None if running else f"{feed.state} ({feed.reason})"
    return Tracked(one.name, row, halted)


@contextlib.contextmanager
def _here(house: House, feed_ids: list[int]) -> Iterator[Callable[[], bool]]:
    """No worker runs: do the chunks in this process, one piece of work per call."""
    from tasks import backfill, sync  # noqa: PLC0415 -- slow to import, only needed here

    with working.here(house) as rt:

        def make_way() -> bool:
            """A feed that is due goes first, and nobody else is there to sync it."""
            now = rt.clock.now()
            with rt.ledger.read() as session:
                found = [session.get_one(Feed, feed_id) for feed_id in feed_ids]
            late = [
                feed.id or 0
                for feed in found
                if feed.due_at <= now and feed.lane != Lane.URGENT and feed.lease_until <= now
            ]
            if late:
                with rt.ledger.write() as session:
                    feeds.ask(session, late, now)
            return bool(late)

        def alone() -> bool:
            """Nothing else runs in this process, so what has to run alone may."""
            return sync.run(rt, Lane.URGENT, alone=True) or backfill.run(rt, alone=True)

        def turn() -> bool:
            rt.step("command.turn")
            return sync.run(rt, Lane.URGENT) or backfill.run(rt) or alone() or make_way()

        yield turn
