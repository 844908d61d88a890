"""From the outbox to the goal: send what is pending, and remember what landed.

A push begins only when its own deadline ends before the lease does. What it sent is marked in the
same transaction that ends the claim; if that is refused, somebody else holds the feed, and what
we have just written is in doubt: a read-back is queued that repairs the point.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog
from sqlmodel import Session

import clients
from clients.errors import ClientError, Permanent, Rejected, Unavailable, UnexpectedResponse
from db import feeds, outbox, sendings
from db.feeds import Claim
from db.sendings import Answered
from db.stored import AnyPoint
from tasks import gates, holdings
from tasks.beeminder import Access
from tasks.comparison import same
from tasks.runtime import Runtime

log = structlog.get_logger(__name__)

DEADLINE_SECONDS = 8.0  # below the lease of 10 s
NEAR_SECONDS = 2.0  # less than the part of the deadline that may be waited for a turn
COMES_WITHIN = 15.0
BATCH = 100
SMALL = 10  # points that are hardly too many at once: what fails then is an outage
INTERNAL_ERROR = 500


@dataclass(slots=True)
class Pushed:
    """What became of a push: what landed and what Beeminder refused for good, by point.

    `begun`: something was sent, so whatever was not answered may have landed.
    """

    begun: bool = False
    landed: dict[int, Answered] = field(default_factory=dict)
    rejected: dict[int, ClientError] = field(default_factory=dict)

    def mark(self, session: Session, held: Claim, now: float) -> None:
        """Write it down, first of all in the transaction that ends the claim.

        The feed is locked before its datapoints, as whoever decides about them does it: else the
        two could wait for each other. Raises `FencedError`.
        """
        feeds.hold(session, held, now)
        self.mark_locked(session, held, now)

    def mark_locked(self, session: Session, held: Claim, now: float) -> None:
        """The same in a transaction that has locked the feed, and found that it is ours."""
        sendings.mark_landed(session, self.landed, epoch=held.epoch, now=now)
        for point_id, error in self.rejected.items():
            sendings.mark_rejected(
                session,
                point_id=point_id,
                error=str(error),
                epoch=held.epoch,
                now=now,
                request_id=error.request_id,
                garbled=not isinstance(error, Rejected),
            )


def send(
    rt: Runtime,
    access: Access,
    slug: str,
    held: Claim,
    points: Sequence[AnyPoint],
    result: Pushed,
) -> None:
    """Send these points; `result` grows as they land, so that nothing is forgotten on a failure.

    Raises `clients.errors` and `DeferredError` for what has to be tried again.
    """
    left = list(points)
    size, again = _batch_size(left), True
    if access.answered:
        # The work has had a turn, for a look. A push has no time to wait for the next one at a slow
        # gate, and put back it would come again with the same look, for ever.
        access.come_near(seconds=NEAR_SECONDS, within=COMES_WITHIN)
    while left:
        chunk, left = left[:size], left[size:]
        try:
            _send(rt, access, slug, held, chunk, result)
        except Unavailable as error:
            if error.status != INTERNAL_ERROR or len(chunk) <= SMALL or not again:
                raise
            # Big batches are too much for Beeminder at times: a small one tells, once. If it is
            # refused as well, the next try begins with fewer.
            size, again = SMALL, False
            left = [point for point in chunk if point.id not in result.landed] + left
            log.info("push.batch_too_big", feed=held.feed_id, points=len(chunk))


def _batch_size(points: Sequence[AnyPoint]) -> int:
    """Fewer at once for what failed before: a batch may be what makes it fail."""
    tries = max((point.attempts for point in points), default=0)
    return max(1, BATCH >> min(tries, 7))


def _send(
    rt: Runtime,
    access: Access,
    slug: str,
    held: Claim,
    points: Sequence[AnyPoint],
    result: Pushed,
) -> None:
    with rt.ledger.write() as session:
        now = rt.clock.now()  # read when it is our turn to write: that may have taken a while
        ours_until = feeds.hold(session, held, now)
        sendings.begin(session, points, epoch=held.epoch, now=now)
    rt.step("push.begun")
    left = list(points)
    result.begun = True
    if len(points) > 1:
        batch = [_new(point) for point in points]
        ours_until = _long_enough(rt, held, ours_until)
        try:
            outcome = access.push(
                lambda client: client.create_all(slug, batch), deadline=DEADLINE_SECONDS
            )
        except (Rejected, UnexpectedResponse) as error:
            log.info("push.batch_refused", feed=held.feed_id, reason=error.reason)
        else:
            for point in points:
                written = outcome.written.get(point.requestid)
                if written is not None:
                    result.landed[point.id or 0] = _answered(point, written)
            left = [point for point in points if (point.id or 0) not in result.landed]
    for point in left:  # what a batch did not confirm is asked for one by one
        ours_until = _long_enough(rt, held, ours_until)
        try:
            one = _create(access, slug, point)
        except (Rejected, UnexpectedResponse) as error:
            result.rejected[point.id or 0] = error
            continue
        result.landed[point.id or 0] = _answered(point, one)
    # Not a place to stop: what was sent is marked now, or put in doubt.
    _count(rt, points, result)
    rt.trace("push.sent")


def _count(rt: Runtime, points: Sequence[AnyPoint], result: Pushed) -> None:
    ids = {point.id or 0 for point in points}
    rt.tally.count("datapoints", "", "landed", by=len(ids & result.landed.keys()))
    rt.tally.count("datapoints", "", "rejected", by=len(ids & result.rejected.keys()))


def _answered(point: AnyPoint, written: clients.Written) -> Answered:
    return Answered(
        sent_hash=point.content_hash,
        status=written.status,
        beeminder_id=written.id,
        request_id=written.request_id,
    )


def _long_enough(rt: Runtime, held: Claim, ours_until: float) -> float:
    """The end of the lease, renewed when one more call could outlast it. Raises `FencedError`."""
    if rt.clock.now() + DEADLINE_SECONDS + gates.SLEEP_AT_MOST <= ours_until:
        return ours_until
    with rt.ledger.write() as session:
        return feeds.hold(session, held, rt.clock.now())


def _create(access: Access, slug: str, point: AnyPoint) -> clients.Written:
    return access.push(lambda client: client.create(slug, _new(point)), deadline=DEADLINE_SECONDS)


def _new(point: AnyPoint) -> clients.NewDatapoint:
    return clients.NewDatapoint(
        value=point.value,
        requestid=point.requestid,
        comment=point.comment,
        daystamp=point.daystamp if point.timestamp is None else None,
        timestamp=point.timestamp,
    )


def read_back(rt: Runtime, access: Access, slug: str, held: Claim) -> int:
    """Compare what Beeminder holds with the ledger and queue what differs; returns how many.

    Only our own points are looked at. One that is not there was deleted by somebody, and stays
    deleted; one that holds what none of our sendings can have written was edited by somebody.
    """
    with rt.ledger.read() as session:
        rows = outbox.unanswered(session, held.feed_id)
        doubtful = sendings.unanswered(session, [row.id or 0 for row in rows])
    if not rows:
        return 0
    there = holdings.ours(access, slug, since=min(row.daystamp or "" for row in rows))
    now = rt.clock.now()
    repaired = 0
    with rt.ledger.write() as session:
        feeds.hold(session, held, now)
        for row in rows:
            point = there.get(row.requestid)
            if point is None or (same(point.value, row.value) and point.comment == row.comment):
                continue
            if any(same(point.value, value) for value in doubtful[row.id or 0] | {row.value}):
                outbox.repair(session, point_id=row.id or 0, now=now)
                repaired += 1
    if repaired:
        log.warning("push.repaired", feed=held.feed_id, points=repaired)
    return repaired


def worst(result: Pushed) -> Permanent | None:
    """The refusal that makes a feed fail, if Beeminder refused any point for good."""
    for error in result.rejected.values():
        if isinstance(error, Permanent):
            return error
    return None
