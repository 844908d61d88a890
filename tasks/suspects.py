"""Suspects: work at which a worker has died, tried again one by one with a process to itself.

If the process dies again, nothing else was there that could have done it, and nothing else is lost
with it. Nobody waits for the process to get empty: from the wish on nobody new comes in, and
whoever leaves last tries the suspects (`Slots.alone`). One process at a time does so, the others
serve callbacks meanwhile; a callback of a house with a single process waits for a few seconds.
"""

import structlog
from sqlmodel import Session

from db import suspects
from db.events import ASKS_FOR_FEEDS
from db.states import Lane
from tasks import (
    backfill,
    callbacks,
    datasource_change,
    deauthorize,
    deliver,
    errands,
    reconcile,
    refresh,
    sync,
)
from tasks.runtime import Runtime
from tasks.slots import ALONE_SECONDS, EMPTY_WITHIN_SECONDS

log = structlog.get_logger(__name__)

SLICE_SECONDS = 3.0
REST = 0.5  # of what a slice took: the time that the others have before the next one
KINDS = (*ASKS_FOR_FEEDS, *deauthorize.KINDS)


def any_due(session: Session, now: float) -> bool:
    """Is there a suspect that could be tried now?"""
    return suspects.any_due(session, KINDS, now)


def run(rt: Runtime) -> bool:
    """Try one suspect; False when none is due. The caller sees to it that nothing else runs."""
    return (
        callbacks.look_one_up(rt, alone=True)
        or deauthorize.run(rt, alone=True)
        or sync.run(rt, Lane.BULK, alone=True)
        or datasource_change.run(rt, alone=True)
        or refresh.run(rt, alone=True) > 0
        or deliver.run(rt, alone=True)
        or errands.run(rt, alone=True)
        or backfill.run(rt, alone=True)
        or reconcile.run(rt, alone=True)
    )


def begin(rt: Runtime) -> None:
    """Have this process emptied for suspects, if there are any and it is its turn."""
    if rt.stopping.is_set():
        return
    if not rt.slots.wished:
        if not _take_turn(rt):
            return
        seconds = rt.slots.wish()
        _move_turn(rt, rt.clock.now() + seconds)
        if not seconds:
            return  # another process may be sooner empty
    run_alone(rt)


def run_alone(rt: Runtime) -> None:
    """Try suspects one after the other for a slice of time; nothing while others are at work."""
    with rt.slots.alone() as alone:
        if not alone:
            return
        began = rt.clock.now()
        _move_turn(rt, began + ALONE_SECONDS)
        tried = 0
        try:
            while rt.clock.now() < began + SLICE_SECONDS and run(rt):
                tried += 1
        finally:
            took = rt.clock.now() - began
            _move_turn(rt, began + took + took * REST)
            log.info("suspects.lived", count=tried, seconds=round(took, 1))
    rt.ring("sync", Lane.URGENT.name.lower())  # for those who were kept out


def _take_turn(rt: Runtime) -> bool:
    now = rt.clock.now()
    with rt.ledger.read() as session:
        if not suspects.any_due(session, KINDS, now):
            return False
    with rt.ledger.write() as session:
        ends_at = suspects.take_turn(session, now, EMPTY_WITHIN_SECONDS)
    if ends_at is None:
        return False
    rt.turn_until = ends_at
    return True


def _move_turn(rt: Runtime, to: float) -> None:
    with rt.ledger.write() as session:
        rt.turn_until = suspects.move_turn(session, rt.turn_until, to)
