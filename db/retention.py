"""Deleting what is too old, a little at a time: nobody who stores a callback waits for it."""

from sqlalchemy import ColumnElement, case, delete, select, tuple_
from sqlmodel import Session, SQLModel, col

from db.models import Backfill, LoginLink
from db.models_limits import Quota
from db.models_notebook import Validator
from db.models_runs import Run

MOST = 500  # rows of one transaction: some milliseconds


def some(session: Session, model: type[SQLModel], where: ColumnElement[bool]) -> int:
    """Delete rows for which this holds, `MOST` of them at the most; returns how many."""
    keys = list(SQLModel.metadata.tables[str(model.__tablename__)].primary_key)
    chosen = select(*keys).where(where).limit(MOST)
    key = keys[0] if len(keys) == 1 else tuple_(*keys)
    # Asked twice: somebody may have used a row since it was chosen.
    done = session.connection().execute(
        delete(model).where(key.in_(chosen), where).execution_options(synchronize_session=False)
    )
    return done.rowcount


def forget_links(session: Session, before: float) -> int:
    """Links of `waggle login` that ended before then, used or not."""
    return some(session, LoginLink, col(LoginLink.expires_at) < before)


def forget_runs(session: Session, before: float) -> int:
    """Runs that were over before then: what they came to is counted."""
    return some(session, Run, col(Run.finished_at) < before)


def forget_backfills(session: Session, before: float) -> int:
    """Past days that were read before then."""
    return some(session, Backfill, col(Backfill.finished_at) < before)


def forget_validators(session: Session, before: float) -> int:
    """Answers that no source was asked for since: the next one is read whole."""
    return some(session, Validator, col(Validator.seen_at) < before)


def forget_gates(session: Session, before: float) -> int:
    """Gates that were used, and that nobody came to since."""
    latest = case(
        (col(Quota.next_free_at) > col(Quota.closed_until), col(Quota.next_free_at)),
        else_=col(Quota.closed_until),
    )
    return some(session, Quota, latest.between(1.0, before))
