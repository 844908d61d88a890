"""Writing down what reconciling found: what is a person's from now on, and what goes out again."""

from collections.abc import Sequence

from sqlmodel import Session, col

from db import feeds, notices, reconciling, sendings
from db.feeds import Claim
from db.models import Feed
from db.models_points import Datapoint
from db.reconciling import Subject
from db.states import DatapointState
from tasks import repairs
from tasks.comparison import Finding
from tasks.reconcile_report import Done, Told
from tasks.repairs import Deed
from tasks.runtime import Runtime


def record(
    rt: Runtime,
    claims: Sequence[Claim],
    subject: Subject,
    decided: Sequence[tuple[Finding, Deed]],
) -> list[Told]:
    """Write down what was found; rows that somebody decided about meanwhile are left."""
    told = []
    touched = [f.row for f, deed in decided if f.row and (deed != Deed.LEAVE or _new_id(f))]
    with rt.ledger.write() as session:
        now = rt.clock.now()
        feeds.lock(session, col(Feed.id).in_([held.feed_id for held in claims]))
        for held in claims:
            feeds.hold(session, held, now)
        ours = reconciling.unchanged(session, touched)
        for finding, deed in decided:
            done = Done.LEFT
            if finding.row is not None and finding.row.id in ours:
                done = _do(session, subject, finding, deed, now)
            told.append(Told(finding=finding, done=done))
    return told


def _new_id(finding: Finding) -> bool:
    row, there = finding.row, finding.there
    return row is not None and there is not None and row.beeminder_id != there.id


def _do(session: Session, subject: Subject, finding: Finding, deed: Deed, now: float) -> Done:
    row = finding.row
    if row is None:
        return Done.LEFT
    if finding.there is not None and _new_id(finding):
        reconciling.learn_id(session, row.id or 0, finding.there.id)
    if deed == Deed.THAW:
        reconciling.thaw(session, row)
        _clear_notices(session, row, now)
        return Done.THAWED
    if deed in (Deed.FREEZE, Deed.ACCEPT):
        if row.frozen is None or deed == Deed.FREEZE:
            _freeze(session, subject, finding, row, now)
        if deed == Deed.FREEZE:
            return Done.FROZEN
        reconciling.accept(session, row)
        _clear_notices(session, row, now)
        return Done.ACCEPTED
    if deed in (Deed.QUEUE, Deed.WRITE):
        value = repairs.value_of(row)
        reconciling.write_again(session, row, value, there=_value_there(finding), now=now)
        _clear_notices(session, row, now)
        return Done.WRITTEN if deed == Deed.WRITE else Done.QUEUED
    return Done.LEFT


def _freeze(
    session: Session, subject: Subject, finding: Finding, row: Datapoint, now: float
) -> None:
    how = repairs.DELETED if finding.there is None else repairs.EDITED
    why = repairs.words(finding)
    if row.state == DatapointState.HELD:
        reconciling.stand_for(session, row, repairs.value_of(row))
    sendings.freeze(session, point_id=row.id or 0, how=how, there=_value_there(finding), why=why)
    notices.raise_(
        session,
        user_id=subject.user.id or 0,
        subject=f"feed:{row.feed_id}",
        kind=how,
        key=_key(row),
        message=why,
        now=now,
    )


def _value_there(finding: Finding) -> float | None:
    return None if finding.there is None else finding.there.value


def _clear_notices(session: Session, row: Datapoint, now: float) -> None:
    for kind in (repairs.EDITED, repairs.DELETED):
        notices.clear(session, subject=f"feed:{row.feed_id}", kind=kind, key=_key(row), now=now)


def _key(row: Datapoint) -> str:
    return row.daystamp or row.requestid
