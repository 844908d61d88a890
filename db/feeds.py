"""Feeds as units of work: renewed, finished, put back.

A claim (`db.claiming`) takes a lease and raises the fencing epoch. Everything that ends one names
its epoch, so a worker that slept through its lease changes nothing.

Rows are locked feeds first, then covers, then events, and several of a kind by their ids: whoever
keeps to this order never waits for somebody who waits for them.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Float, Integer, Update, and_, bindparam, case, func, select, update
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col

from db import covers, once, resting, suspicion
from db.covers import Asker
from db.models import Event, Feed
from db.once import Once
from db.one_or_many import Among, OneOrMany
from db.states import FeedState, Lane

LEASE_SECONDS = 10.0
BATCH = 50  # feeds of one source that are claimed together


@dataclass(frozen=True, slots=True)
class Claim:
    """A leased feed: what fences it, and how often it had been asked for when it was claimed.

    `askers`: the callbacks that it answers.
    """

    feed_id: int
    source_id: int
    epoch: int
    asked: int
    owner: str
    lane: Lane
    askers: tuple[Asker, ...] = ()


class FencedError(Exception):
    """Somebody else has claimed this feed since: what was about to be written is not."""


def renew(session: Session, *, owner: str, feed_ids: Collection[int], now: float) -> None:
    """Heartbeat: push the end of our leases ahead."""
    lock(session, col(Feed.id).in_(feed_ids))
    _RENEWING.ask(session, feed_ids, of_owner=owner, until=now + LEASE_SECONDS)


# Named once: to make a statement costs more than to send it, and each sync holds a few times.
_RENEWING = OneOrMany(
    lambda among: (
        update(Feed)
        .where(among(col(Feed.id)), col(Feed.lease_owner) == bindparam("of_owner"))
        .values(lease_until=bindparam("until"))
    )
)
_MINE = and_(
    col(Feed.id) == bindparam("of_feed"),
    col(Feed.epoch) == bindparam("at_epoch"),
    col(Feed.lease_owner) == bindparam("of_owner"),
)
_HOLD = Once(update(Feed).where(_MINE).values(lease_until=bindparam("until")))


def _by(held: Claim) -> dict[str, Any]:
    return {"of_feed": held.feed_id, "at_epoch": held.epoch, "of_owner": held.owner}


def hold(session: Session, held: Claim, now: float) -> float:
    """Make sure the claim is still ours and give it a full lease; returns when that ends.

    Raises `FencedError`: the work belongs to somebody else now.
    """
    _change(session, held, _HOLD, {"until": now + LEASE_SECONDS})
    return now + LEASE_SECONDS


def release(session: Session, held: Claim, *, done: bool = False) -> None:
    """End a claim that changed nothing about the feed's own time. Raises `FencedError`.

    `done`: whether this was all of its work, and its worker has lived through it.
    """
    _change(session, held, _releasing(done=done), {})
    covers.unstamp(session, held.feed_id, held.epoch)


@cache
def _releasing(*, done: bool) -> Once:
    return Once(_free(**(suspicion.cleared() if done else {})))


def finish(
    session: Session,
    held: Claim,
    *,
    now: float,
    next_at: float,
    written: int,
    lane: Lane = Lane.BULK,
    mark: Callable[[], None] | None = None,
) -> None:
    """The feed is fresh: end the claim, schedule the next sync, finish the stamped events.

    A feed that was asked for since the claim stays due, urgently: that is the one trailing sync.
    A doubt that came up since stays as well. `written` is how many datapoints this sync wrote,
    `lane` where the next one waits. `mark` writes down what landed: the feed is locked and ours
    then, and its covers are not locked yet. Raises `FencedError`.
    """
    given = {"as_asked": held.asked, "now": now, "next_at": next_at, "next_lane": lane.value}
    _change(session, held, _finishing(), given)
    if mark is not None:
        mark()
    covers.end(session, held.feed_id, held.epoch, now=now, written=written)


@cache
def _finishing() -> Once:
    as_claimed = col(Feed.asked) == bindparam("as_asked")
    now: Any = bindparam("now", type_=Float())
    next_at, next_lane = (
        bindparam("next_at", type_=Float()),
        bindparam("next_lane", type_=Integer()),
    )
    return Once(
        _free(
            due_at=case((as_claimed, next_at), else_=now),
            lane=case((as_claimed, next_lane), else_=Lane.URGENT.value),
            **_unless_stopped(FeedState.ACTIVE),
            attempts=0,
            deferrals=0,
            garbled=0,
            deferred_since=None,
            failing_since=None,
            doubtful=case((as_claimed, False), else_=col(Feed.doubtful)),
            last_synced_at=now,
            last_error=None,
            **suspicion.cleared(),
        )
    )


def put_back(
    session: Session,
    held: Claim,
    *,
    due_at: float,
    error: dict[str, Any],
    deferred: bool,
    free: bool = True,
    garbled: bool = False,
    now: float,
) -> None:
    """Not now: release the feed until `due_at`; the stamped events wait for the next claim.

    `deferred`: a limit said so, which nobody who asks again shortens, and which costs no attempt
    unless it is not `free` any more. `garbled`: an answer of the wrong shape did. Raises
    `FencedError`.
    """
    given = {"as_asked": held.asked, "now": now, "next_at": due_at, "told": error["message"]}
    putting_back = _putting_back(deferred=deferred, costs=not (deferred and free), garbled=garbled)
    _change(session, held, putting_back, given)
    covers.put_back(session, held.feed_id, held.epoch, error=error, deferred=deferred, free=free)


@cache
def _putting_back(*, deferred: bool, costs: bool, garbled: bool) -> Update:
    now: Any = bindparam("now", type_=Float())
    next_at: Any = bindparam("next_at", type_=Float())
    as_claimed = col(Feed.asked) == bindparam("as_asked")
    values: dict[str, Any] = {
        "due_at": next_at if deferred else case((as_claimed, next_at), else_=now)
    }
    if deferred:
        values |= {
            "deferrals": col(Feed.deferrals) + 1,
            "deferred_since": func.coalesce(col(Feed.deferred_since), now),
        }
    if costs:
        values |= {
            "attempts": col(Feed.attempts) + 1,
            "garbled": _garbled(garbled=garbled),
            "failing_since": func.coalesce(col(Feed.failing_since), now),
            "last_error": bindparam("told"),
        }
    return _free(**values)


def fail(
    session: Session,
    held: Claim,
    *,
    now: float,
    next_at: float,
    error: dict[str, Any],
    garbled: bool = False,
) -> None:
    """A person has to do something: the feed is failing, the stamped events end with the reason.

    It is looked at again at `next_at`, or when it is asked for. Raises `FencedError`.
    """
    ended = _free(
        due_at=case((_as_claimed(held), next_at), else_=now),
        lane=case((_as_claimed(held), Lane.BULK.value), else_=Lane.URGENT.value),
        **_unless_stopped(FeedState.FAILING, error["code"]),
        attempts=col(Feed.attempts) + 1,
        garbled=_garbled(garbled=garbled),
        deferrals=0,
        deferred_since=None,
        failing_since=func.coalesce(col(Feed.failing_since), now),
        last_error=error["message"],
    )
    _change(session, held, ended, {})
    covers.end(session, held.feed_id, held.epoch, now=now, error=error)


def rest(
    session: Session, held: Claim, *, now: float, next_at: float, error: dict[str, Any]
) -> None:
    """The goal takes no data for now: paused by us, the stamped events end with the reason.

    `error["code"]` is one of `db.resting.REASONS`. What is to be pushed stays, and waits. It is
    looked at again at `next_at`, or when it is asked for. Raises `FencedError`.
    """
    ended = _free(
        due_at=case((_as_claimed(held), next_at), else_=now),
        lane=case((_as_claimed(held), Lane.BULK.value), else_=Lane.URGENT.value),
        **_unless_stopped(FeedState.PAUSED, error["code"]),
        attempts=0,
        deferrals=0,
        garbled=0,
        deferred_since=None,
        failing_since=None,
        last_error=error["message"],
    )
    _change(session, held, ended, {})
    covers.end(session, held.feed_id, held.epoch, now=now, error=error)


def wake(session: Session, held: Claim, now: float) -> None:
    """A resting feed whose goal is back goes on under the same claim. Raises `FencedError`."""
    awake = update(Feed).where(_MINE).values(last_error=None, **_unless_stopped(FeedState.ACTIVE))
    _change(session, held, awake.values(lease_until=now + LEASE_SECONDS), {})


def hand_back(session: Session, *, owner: str) -> int:
    """End every lease of a worker that stops. Epochs rise, so its last threads change nothing."""
    changed = _hand_back(session, col(Feed.lease_owner) == owner)
    session.connection().execute(
        update(Event)
        .where(col(Event.lease_owner) == owner)
        .values(lease_owner=None, lease_until=0.0, epoch=col(Event.epoch) + 1)
    )
    return changed


def hand_back_some(session: Session, *, owner: str, feed_ids: Collection[int]) -> int:
    """End the leases on these feeds: nobody works on them any more, and nothing is wrong there."""
    return _hand_back(session, and_(col(Feed.lease_owner) == owner, col(Feed.id).in_(feed_ids)))


def _hand_back(session: Session, where: ColumnElement[bool]) -> int:
    lock(session, where)
    changed = session.connection().execute(
        update(Feed)
        .where(where)
        .values(lease_owner=None, lease_until=0.0, epoch=col(Feed.epoch) + 1)
    )
    return changed.rowcount


def ask(session: Session, feed_ids: Collection[int], now: float) -> None:
    """Feeds are wanted at once: due now, urgent, and once more if they are being synced."""
    if not feed_ids:
        return
    lock(session, col(Feed.id).in_(feed_ids))
    ask_locked(session, feed_ids, now)


def _asking(among: Among) -> Update:
    now: Any = bindparam("now", type_=Float())
    return (
        update(Feed)
        .where(among(col(Feed.id)))
        .values(
            asked=col(Feed.asked) + 1,
            lane=Lane.URGENT.value,
            due_at=case((col(Feed.due_at) > now, now), else_=col(Feed.due_at)),
        )
    )


_ASKING = OneOrMany(_asking)


def ask_locked(session: Session, feed_ids: Collection[int], now: float) -> None:
    """`ask` for feeds that this transaction has locked."""
    if feed_ids:
        _ASKING.ask(session, feed_ids, now=now)


def doubt(session: Session, feed_id: int, now: float) -> None:
    """A worker pushed after it was fenced off: have what is at Beeminder read back and repaired."""
    ask(session, [feed_id], now)
    session.connection().execute(update(Feed).where(col(Feed.id) == feed_id).values(doubtful=True))


def lock(session: Session, where: ColumnElement[bool]) -> None:
    """Lock feeds in the order of their ids; SQLite has one lock for everything."""
    session.connection().execute(
        select(col(Feed.id)).where(where).order_by(col(Feed.id)).with_for_update(key_share=True)
    )


def _garbled(*, garbled: bool) -> Any:  # noqa: ANN401 -- a number or an expression
    """How many answers of the wrong shape there were in a row, after one more failure."""
    return col(Feed.garbled) + 1 if garbled else 0


def _as_claimed(held: Claim) -> ColumnElement[bool]:
    """Nobody has asked for the feed since it was claimed."""
    return col(Feed.asked) == held.asked


def _unless_stopped(state: FeedState, reason: str | None = None) -> dict[str, Any]:
    """What a person paused or unlinked while it was synced stays so; our own pause does not."""
    free = resting.claimable()
    return {
        "state": case((free, state.value), else_=col(Feed.state)),
        "reason": case((free, reason), else_=col(Feed.reason)),
    }


def _free(**values: Any) -> Update:
    """What ends a claim that is ours still."""
    return update(Feed).where(_MINE).values(lease_owner=None, lease_until=0.0, **values)


def _change(session: Session, held: Claim, change: Once | Update, given: dict[str, Any]) -> None:
    changed = once.ask(session, change, _by(held) | given)
    if changed.rowcount != 1:
        raise FencedError
