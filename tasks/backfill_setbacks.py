"""How the claim of a chunk ends that could not be done: tried again later, or given up and told."""

import structlog
from sqlmodel import Session

from clients.errors import ClientError
from db import backfills, feeds, notices, outbox
from db.feeds import FencedError
from tasks import policy, setbacks
from tasks.backfill_chunk import Chunk, ImpossibleBackfillError
from tasks.gates import DeferredError
from tasks.policy import Again, Stop, Tried
from tasks.runtime import Runtime

log = structlog.get_logger(__name__)


def not_now(rt: Runtime, chunk: Chunk, error: ClientError | DeferredError) -> None:
    """Try the chunk again later, or give the backfill up with the reason."""
    now = rt.clock.now()
    stuck = max(0.0, now - (chunk.row.stuck_since or now))
    tried = Tried(
        attempts=chunk.row.attempts,
        deferrals=chunk.row.deferrals,
        garbled=chunk.row.garbled,
        age=stuck,
        deferred_for=stuck,
    )
    decided = policy.decide(policy.BACKFILL, error, tried, now=now, rng=rt.rng)
    text = policy.as_json(error, where=chunk.where, decided=decided)["message"]
    try:
        with rt.ledger.write() as session:
            chunk.pushed.mark(session, chunk.job.held, now)
            if isinstance(decided, Again):
                garbled = policy.is_garbled(error)
                _again(session, chunk, decided, text, now, garbled=garbled)
            else:
                possible = not isinstance(error, ImpossibleBackfillError)
                text = _given_up(chunk, decided, text, possible=possible)
                _stop(session, chunk, text, now)
            feeds.release(session, chunk.job.held, done=isinstance(decided, Stop))
    except FencedError:
        setbacks.fenced(rt, chunk.job, chunk.pushed)
        return
    again = isinstance(decided, Again)
    log.warning("backfill.not_now", feed=chunk.job.held.feed_id, again=again, error=text)


def _again(
    session: Session, chunk: Chunk, again: Again, text: str, now: float, *, garbled: bool
) -> None:
    due_at = now + again.seconds
    waiting = [point.id or 0 for point in chunk.pending(session)]
    outbox.postpone(session, waiting, due_at=due_at, error=text)
    backfills.put_back(
        session,
        chunk.row.id or 0,
        due_at=due_at,
        error=text,
        deferred=again.deferred,
        free=again.free,
        garbled=garbled,
        now=now,
        written=len(chunk.pushed.landed),
    )
    if again.weary is not None:
        _tell(session, chunk, "limited", f"past days wait: {text}", now)


def _stop(session: Session, chunk: Chunk, text: str, now: float) -> None:
    written = len(chunk.pushed.landed)
    backfills.fail(session, chunk.row.id or 0, error=text, now=now, written=written)
    notices.clear(session, subject=chunk.subject, kind=backfills.NOTICE, now=now)
    _tell(session, chunk, "failed", f"past days were not read again: {text}", now)


def _given_up(chunk: Chunk, stop: Stop, text: str, *, possible: bool) -> str:
    """Why it has ended, and how it is asked for again once that is mended."""
    text = f"tried for days: {text}" if stop.dead else text
    return f"{text}; after that `{chunk.command}` goes on" if possible else text


def _tell(session: Session, chunk: Chunk, key: str, message: str, now: float) -> None:
    notices.raise_(
        session,
        user_id=chunk.job.goal.user_id,
        subject=chunk.subject,
        kind=backfills.NOTICE,
        key=key,
        message=message,
        now=now,
    )
