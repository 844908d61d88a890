"""Outages of sources and of the links to Beeminder: counted, told once, and over.

Only silence counts as failure: no answer, a broken one, a page instead of data. Whoever says that
the login is wrong or the goal gone has answered; and a refusal by a limit says nothing at all. What
opens and closes is decided in `tasks.breaker`; here its owner is told, and what waited is woken.

The row of a breaker is locked before feeds are: nothing of this runs in a transaction that has
written a feed.
"""

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from sqlmodel import Session

from clients.errors import ClientError, RateLimited, Unavailable
from clients.gate import ClosedError
from db import breakers, notices, sources, waking
from db.breakers import Health
from db.states import SourceState
from tasks import breaker, reading
from tasks.beeminder import Access
from tasks.gates import DeferredError
from tasks.jobs import Batch
from tasks.providers import Answer
from tasks.reading import Question
from tasks.runtime import Runtime

log = structlog.get_logger(__name__)

OPENED, CLOSED = "breaker", "recovered"  # kinds of notices
MOST_REASON = 200  # characters
MINUTE, HOUR, DAY = 60, 3600, 86400
UNUSED_SECONDS = 2.0 * DAY  # what is in use is tried every day at least


@dataclass(frozen=True, slots=True)
class _Subject:
    """Of whom this is: their owner, their name, and what is done, and may be done, meanwhile."""

    key: str
    user_id: int
    name: str
    meanwhile: str
    wake: Callable[[Session, float], int]
    source_id: int | None = None


def ask(rt: Runtime, batch: Batch, questions: Sequence[Question]) -> dict[int, Answer]:
    """`tasks.reading.ask`, whose outcome counts for the health of the source."""
    try:
        answers = reading.ask(rt, batch, questions)
    except (ClientError, DeferredError) as error:
        source(rt, batch, error)
        raise
    if answers:
        source(rt, batch, _of_all(answers))
    return answers


def source(rt: Runtime, batch: Batch, error: ClientError | ClosedError | None) -> None:
    """The source of this batch was read; None: it answered."""
    source_id = batch.source.id or 0
    subject = _Subject(
        breakers.source(source_id),
        batch.user.id or 0,
        f"source {batch.source.name}",
        "Waggle goes on trying, at once for callbacks and every 15 minutes at the latest, and its "
        "feeds catch up by themselves. See that it runs and can be reached from here, and that its "
        "address in the file is right",
        lambda session, now: waking.of_source(session, source_id, now),
        source_id,
    )
    _count(rt, subject, error, troubled=batch.troubled)


def linked(rt: Runtime, access: Access, *, troubled: Collection[str] | None = None) -> None:
    """Work for this person is done: did Beeminder answer what it was asked last?

    One outcome for a piece of work, however many feeds it is about. Where only reads were answered
    an open breaker stays so while pushes wait: what waits would not follow. `troubled`: subjects in
    trouble when it was begun; None: look.
    """
    if (
        access.lost is None
        and troubled is not None
        and breakers.link(access.user_id) not in troubled
    ):
        return  # all was well and is: there is nothing to count
    if access.lost is not None or access.answered:
        _linked(rt, access.user_id, access.lost, pushed=access.pushed, troubled=troubled)


def _linked(
    rt: Runtime,
    user_id: int,
    error: ClientError | DeferredError | None,
    *,
    pushed: bool,
    troubled: Collection[str] | None = None,
) -> None:
    if pushed or not _answered(error) or not _pushes_wait(rt, user_id):
        _count(rt, _link(user_id), error, troubled=troubled)


def _pushes_wait(rt: Runtime, user_id: int) -> bool:
    """Is this person's breaker open, and what was sent in vain waits? Then that is what probes."""
    subject = breakers.link(user_id)
    with rt.ledger.read() as session:
        if not breakers.is_open(session, subject) or waking.unsent(session, user_id) is None:
            return False
    with rt.ledger.write() as session:
        now = rt.clock.now()
        before, after = breakers.change(
            session,
            subject,
            lambda was: was if was.opened_at is None else breaker.read(was, now),
        )
        waits = waking.unsent(session, user_id)
        if waits is not None and after != before:
            waking.send(session, waits, now)
    return before.opened_at is not None and waits is not None


@contextlib.contextmanager
def counted(rt: Runtime, access: Access) -> Iterator[None]:
    """What Beeminder does to the work in this block counts for the health of the person's link."""
    try:
        yield
    finally:
        linked(rt, access)


@contextlib.contextmanager
def asked(rt: Runtime, user_id: int) -> Iterator[None]:
    """The same for one call that does not go through `Access`."""
    try:
        yield
    except (ClientError, DeferredError) as error:
        _linked(rt, user_id, error, pushed=False)
        raise
    _linked(rt, user_id, None, pushed=False)


def forget(session: Session, now: float) -> None:
    """That something is back is news for a day; trouble of what nobody uses any more is none."""
    notices.expire(session, kind=CLOSED, raised_before=now - DAY, now=now)
    for subject in breakers.forget_unused(session, now - UNUSED_SECONDS):
        notices.clear(session, subject=subject, kind=OPENED, now=now)


def _link(user_id: int) -> _Subject:
    return _Subject(
        breakers.link(user_id),
        user_id,
        "Beeminder",
        "Nothing is lost: what is to be sent waits, and is sent when Beeminder answers. If you can "
        "reach it yourself, see that it can be reached from here; data of a goal that derails "
        "meanwhile can be entered there by hand",
        lambda session, now: waking.of_person(session, user_id, now),
    )


def _of_all(answers: dict[int, Answer]) -> ClientError | ClosedError | None:
    """Silence, if that is all that there was for every feed; a single answer is one.

    A gate that was closed says nothing, unless nobody got through.
    """
    closed = [answer for answer in answers.values() if isinstance(answer, ClosedError)]
    silent = [answer for answer in answers.values() if isinstance(answer, Unavailable)]
    if len(closed) == len(answers):
        return closed[0]
    return silent[0] if len(silent) + len(closed) == len(answers) else None


def _answered(error: ClientError | ClosedError | None) -> bool | None:
    """Did the other side answer? None where that can't be said."""
    if error is None:
        return True
    if isinstance(error, ClosedError | RateLimited):
        return None
    if isinstance(error, Unavailable):
        return False
    return True if error.status is not None else None  # else it never left


def _count(
    rt: Runtime,
    subject: _Subject,
    error: ClientError | ClosedError | None,
    *,
    troubled: Collection[str] | None = None,
) -> None:
    ok = _answered(error)
    if ok is None:
        return
    if ok and troubled is None:
        with rt.ledger.read() as session:
            troubled = breakers.troubled(session, [subject.key])
    # While all is well nothing is written. A breaker that is open was so when the work was claimed:
    # no trouble comes to that within one piece of work.
    if ok and subject.key not in (troubled or ()):
        return
    reason = str(error)[:MOST_REASON]
    with rt.ledger.write() as session:
        now = rt.clock.now()
        before, after = breakers.change(
            session,
            subject.key,
            lambda was: breaker.after(was, ok=ok, now=now, reason=reason, rng=rt.rng),
        )
        if before.opened_at is None and after.opened_at is not None:
            _open(session, subject, after, now)
        elif before.opened_at is not None and after.opened_at is None:
            _close(session, subject, before, now, well=error is None)


def _open(session: Session, subject: _Subject, health: Health, now: float) -> None:
    since = _when(health.troubled_since or now)
    notices.clear(session, subject=subject.key, kind=CLOSED, now=now)
    notices.raise_(
        session,
        user_id=subject.user_id,
        subject=subject.key,
        kind=OPENED,
        message=f"{subject.name} has not answered since {since} ({health.reason}). "
        f"{subject.meanwhile}.",
        now=now,
    )
    if subject.source_id is not None:
        sources.mark(session, subject.source_id, state=SourceState.FAILING, error=health.reason)
    log.warning("breaker.opened", subject=subject.key, since=since, reason=health.reason)


def _close(session: Session, subject: _Subject, health: Health, now: float, *, well: bool) -> None:
    lasted = _lasted(now - (health.troubled_since or now))
    notices.clear(session, subject=subject.key, kind=OPENED, now=now)
    notices.raise_(
        session,
        user_id=subject.user_id,
        subject=subject.key,
        kind=CLOSED,
        message=f"{subject.name} answers again since {_when(now)}, after {lasted}; what waited for "
        "it follows by itself",
        now=now,
    )
    woken = subject.wake(session, now)
    if subject.source_id is not None and well:
        sources.mark(session, subject.source_id, state=SourceState.ACTIVE, error=None)
    log.info("breaker.closed", subject=subject.key, after=lasted, woken=woken)


def _when(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"


def _lasted(seconds: float) -> str:
    """In the largest whole unit of which there are two at least: 43 minutes, 5 hours, 3 days."""
    for name, unit in (("days", DAY), ("hours", HOUR), ("minutes", MINUTE)):
        if seconds >= 2 * unit:
            return f"{seconds // unit:.0f} {name}"
    return "a minute"
