"""All that is told of the ledger in figures, read at once and told for a few seconds."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Mapped
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col

from db import alerts, freshness, runs, runs_listed, standing, tallies, workers
from db.freshness import Freshness
from db.models_points import Datapoint
from db.models_runs import Run
from db.standing import Queue, Standing
from db.states import DatapointState
from db.tallies import Key, Seen
from webhooks import queries
from webhooks.queries import Hindrances


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one look at the ledger has found.

    `serving`: living workers by queue. `alerts`: how many are open. `tallies`: what workers count.
    """

    standing: Standing
    queues: tuple[Queue, ...]
    serving: Mapping[str, int]
    freshness: Mapping[str, Freshness]
    hindrances: Hindrances
    runs: runs_listed.Figures
    alerts: int
    tallies: Mapping[Key, Seen]


def read(session: Session, now: float) -> Figures:
    """A fixed number of questions, however many rows there are."""
    known = workers.known(session)
    alive = [one for one in known if one.seen_at > now - workers.ALIVE_SECONDS]
    served = [queue for worker in alive for queue in worker.queues.split(",")]
    return Figures(
        standing=standing.standing(session, now),
        queues=(*standing.queues(session, now), _outbox(session, now), _progress(session, now)),
        serving={queue: served.count(queue) for queue in set(served)},
        freshness=freshness.by_state(session, now),
        hindrances=queries.hindrances(session, now),
        runs=runs_listed.figures(session, now),
        alerts=len(alerts.open_now(session)),
        tallies=tallies.everything(session),
    )


def _outbox(session: Session, now: float) -> Queue:
    due = and_(col(Datapoint.state) == DatapointState.PENDING, col(Datapoint.due_at) <= now)
    return _queue(session, "outbox", col(Datapoint.due_at), due, now)


def _progress(session: Session, now: float) -> Queue:
    return _queue(session, "progress", col(Run.due_at), runs.free(now), now)


def _queue(
    session: Session, name: str, due_at: Mapped[float], due: ColumnElement[bool], now: float
) -> Queue:
    asked = select(func.count(), func.coalesce(func.min(due_at), now)).where(due)
    row = session.connection().execute(asked).one()
    return Queue(name, row[0], now - row[1])
