"""Which workers live, and how many of their slots are free."""

from sqlalchemy import bindparam, delete, func, select, update
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from db.models import Worker
from db.once import Once

ALIVE_SECONDS = 15.0
LOST_SECONDS = 60.0  # whoever is silent for so long does not come back

# Named once: to make a statement costs more than to ask with it, and these are asked all the time.
_HEARD_OF = col(Worker.seen_at) > bindparam("since")
_BEAT = Once(
    update(Worker)
    .where(col(Worker.name) == bindparam("worker"))
    .values(busy=bindparam("at_work"), seen_at=bindparam("now"))
)
_QUEUES = Once(select(col(Worker.queues)).where(_HEARD_OF))
_FREE_SLOTS = Once(select(func.coalesce(func.sum(Worker.slots - Worker.busy), 0)).where(_HEARD_OF))


def register(session: Session, worker: Worker) -> None:
    """A worker starts."""
    session.add(worker)


def beat(session: Session, *, name: str, busy: int, now: float) -> None:
    """A worker says that it lives."""
    _BEAT.ask(session, {"worker": name, "at_work": busy, "now": now})


def leave(session: Session, name: str) -> None:
    """A worker has stopped."""
    session.connection().execute(delete(Worker).where(col(Worker.name) == name))


def forget_dead(session: Session, now: float) -> None:
    """Workers that were killed leave no word; they are forgotten after ten silent minutes."""
    session.connection().execute(delete(Worker).where(col(Worker.seen_at) < now - 600))


def alive(session: Session, now: float) -> int:
    """How many workers have been heard of lately."""
    found = session.connection().execute(
        select(func.count()).select_from(Worker).where(col(Worker.seen_at) > now - ALIVE_SECONDS)
    )
    return found.scalar_one()


def known(session: Session) -> list[Worker]:
    """All that have not said goodbye and are not forgotten yet."""
    asked = select_rows(Worker).order_by(col(Worker.name))
    return list(session.exec(asked.execution_options(populate_existing=True)))


def lost(session: Session, now: float) -> list[tuple[str, float]]:
    """Workers that fell silent without a word, and when they were heard of last."""
    rows = session.connection().execute(
        select(col(Worker.name), col(Worker.seen_at)).where(
            col(Worker.seen_at) <= now - LOST_SECONDS
        )
    )
    return [(row.name, row.seen_at) for row in rows]


def anybody_on(session: Session, queue: str, now: float) -> bool:
    """Does a living worker listen to this queue? Else its bells would only pile up."""
    found = _QUEUES.ask(session, {"since": now - ALIVE_SECONDS})
    return any(queue in queues.split(",") for queues in found.scalars())


def free_slots(session: Session, now: float) -> int:
    """Slots of living workers that do nothing, by their last word."""
    found = _FREE_SLOTS.ask(session, {"since": now - ALIVE_SECONDS})
    return int(found.scalar_one())
