"""Which runs are followed: those that run where a feed counts, and those that people name.

Both tasks end at once. To follow is to hand runs to the process's lasting loop, which keeps them.
"""

from collections.abc import Sequence
from typing import cast

import structlog

from clients.errors import ClientError
from clients.rime import Run
from clients.rime_paths import Kind
from db import runs, runs_found
from db.models import Source
from db.runs import Held
from db.runs_found import Found
from db.states import Lane
from tasks import connecting, gates
from tasks.gates import DeferredError
from tasks.live.loop import Desk
from tasks.live.source import LiveSource
from tasks.metrics.rime_history import Place
from tasks.metrics.rime_reader import Reader
from tasks.runtime import Runtime

log = structlog.get_logger(__name__)

PROVIDER = "rime"
LOOK_SECONDS = 30.0  # from one look for new runs to the next
LATER_SECONDS = 300.0  # after a failure, which the syncs of the source tell of
SLICE_SECONDS = 5.0


def discover(rt: Runtime) -> int:
    """Look for runs that run at each source whose turn it is; how many were new."""
    began, new = rt.clock.now(), 0
    while rt.clock.now() - began < SLICE_SECONDS and not rt.stopping.is_set():
        now = rt.clock.now()
        with rt.ledger.write() as session:
            due = runs_found.source_to_look_at(
                session, PROVIDER, now=now, again_at=now + LOOK_SECONDS
            )
        if due is None:
            return new
        source, places = due
        try:
            new += _look(rt, source, [Place(cast("Kind", kind), of) for kind, of in places])
        except (ClientError, DeferredError) as error:
            log.info("runs.not_looked_for", source=source.id, reason=str(error))
            at = error.until if isinstance(error, DeferredError) else now + LATER_SECONDS
            with rt.ledger.write() as session:
                runs_found.look_later(session, source.id or 0, at=at)
    rt.ring("discover", "progress")
    return new


def _look(rt: Runtime, source: Source, places: Sequence[Place]) -> int:
    reader = connecting.connect(rt, source)
    if not isinstance(reader, Reader):
        return 0
    found = []
    with gates.errand(Lane.BULK):
        for place in places:
            found += [
                _found(reader.project, place, run)
                for run in reader.running(place, now=rt.clock.now())
            ]
    if not found:
        return 0
    with rt.ledger.write() as session:
        return runs_found.find(session, source.id or 0, found, rt.clock.now())


def _found(project: str, place: Place, run: Run) -> Found:
    return Found(
        project=project,
        connector=place.id if place.kind == "connector" else None,
        pipeline=place.id if place.kind == "pipeline" else None,
        run_id=run.id,
        started_at=run.started,
    )


def follow(rt: Runtime) -> int:
    """Take runs that nobody follows, as many as there is room for; how many."""
    desk = rt.desk
    if desk is None:
        with rt.lock:
            desk = rt.desk = rt.desk or Desk(rt, most=rt.options.progress_runs)
    if not desk.room or rt.stopping.is_set():
        return 0
    now = rt.clock.now()
    with rt.ledger.write() as session:
        held = runs.claim(session, owner=rt.owner, now=now, limit=desk.room)
    sources: dict[int, LiveSource | None] = {}
    taken, left = [], []
    for one in held:
        if one.source_id not in sources:
            sources[one.source_id] = _source(rt, one)
        source = sources[one.source_id]
        if source is None:
            left.append(one)
        else:
            taken.append((one, source))
    if left:
        with rt.ledger.write() as session:
            runs.release(session, left, due_at=now + LATER_SECONDS)
    if taken:
        desk.take(taken)
    return len(taken)


def _source(rt: Runtime, held: Held) -> LiveSource | None:
    with rt.ledger.read() as session:
        source = session.get_one(Source, held.source_id)
    try:
        return LiveSource(rt, source)
    except (ClientError, DeferredError) as error:
        log.warning("run.not_followed", source=source.id, reason=str(error))
        return None
