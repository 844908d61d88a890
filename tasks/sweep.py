"""The sweep looks at the ledger and rings for what is due. It may run twice, late or never twice.

A bell says only that there is work of a kind, so the sweep needs to remember nothing: lost bells,
expired leases and retries that have come due are all the same to it.
"""

import structlog

from db import (
    backfills,
    claiming,
    claiming_outbox,
    datasources,
    deferrals,
    messages,
    opening,
    reconciling,
    runs_found,
    tallies,
    workers,
)
from db import errands as stored_errands
from db import events as inbox_events
from db import runs as ledger_runs
from db.events import ASKS_FOR_FEEDS
from db.states import Lane
from tasks import deaths, deauthorize, errands, long_waits, policy, runs, suspects, telling_news
from tasks.runtime import Runtime

log = structlog.get_logger(__name__)

FEWEST_BELLS = 2
PROGRESS = "progress"
# Seconds after which an event that could not be finished is dead, by kind.
AGES = {
    ASKS_FOR_FEEDS: policy.CALLBACK.dead_after,
    deauthorize.KINDS: policy.DEAUTHORIZE.dead_after,
}


def run(rt: Runtime) -> dict[str, int]:
    """Ring for everything that is due; returns how many bells were rung for what."""
    rt.tally.mark(tallies.SWEEP, at=rt.clock.now())
    deaths.bury(rt)
    long_waits.tell(rt)
    errands.give_up(rt)
    now = rt.clock.now()
    _count_waits(rt, now)
    rung: dict[str, int] = {}
    with rt.ledger.read() as session:
        # Twice the free slots: enough to keep all busy, too few to fill a broker.
        at_most = max(FEWEST_BELLS, 2 * workers.free_slots(session, now))
        callbacks = opening.any_new(session, now) or inbox_events.any_due(
            session, ASKS_FOR_FEEDS, now
        )
        due = {lane: claiming.due_sources(session, lane, now, at_most=at_most) for lane in Lane}
        one_bell = {
            "push.default": claiming_outbox.any_due(session, now),
            "deauthorize.default": inbox_events.any_due(session, deauthorize.KINDS, now),
            f"{errands.TASK}.urgent": stored_errands.any_due(session, now),
            "datasource.default": datasources.any_due(session, now),
            "backfill.bulk": backfills.any_due(session, now),
            "reconcile.bulk": reconciling.any_overdue(session, now),
            "suspects.default": suspects.any_due(session, now),
            "tell.bulk": messages.any_due(session, now) or telling_news.any_news(session, now),
        }
        if workers.anybody_on(session, PROGRESS, now):
            one_bell |= {
                f"discover.{PROGRESS}": runs_found.any_to_look_at(session, runs.PROVIDER, now),
                f"follow.{PROGRESS}": ledger_runs.any_free(session, now),
            }
        too_old = [
            (kinds, now - age)
            for kinds, age in AGES.items()
            if inbox_events.any_older(session, now - age, kinds=kinds)
        ]
    due[Lane.URGENT] = max(due[Lane.URGENT], int(callbacks))
    for lane, count in due.items():
        if count:
            rung[f"sync.{lane.name.lower()}"] = min(count, at_most)
    rung |= {name: 1 for name, waits in one_bell.items() if waits}
    for kinds, received_before in too_old:
        with rt.ledger.write() as session:
            gone = inbox_events.give_up(session, received_before, now, kinds=kinds)
        log.warning("events.dead", count=gone)
    for name, count in rung.items():
        task, queue = name.split(".")
        for _ in range(count):
            if not rt.ring(task, queue):
                return rung  # the broker is away: the next sweep rings again
    return rung


def _count_waits(rt: Runtime, now: float) -> None:
    """Callbacks that came to a closed gate, or that one was closed before."""
    with rt.ledger.read() as session:
        if not deferrals.any_new(session, now):
            return
    with rt.ledger.write() as session:
        deferrals.count(session, now)
