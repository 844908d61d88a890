"""One chunk of a backfill at work: which days it is, and what of them is still to be sent."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from sqlmodel import Session

from clients.errors import Permanent
from db import names, outbox
from db.models import Backfill
from db.stored import StoredPoint
from tasks import days, push
from tasks.beeminder import WHERE, Access
from tasks.jobs import Batch, Job

CHUNK_DAYS = 31


class ImpossibleBackfillError(Permanent):
    """These days can't be read again, or must not be."""

    default_reason = "impossible_backfill"


@dataclass(slots=True, kw_only=True)
class Chunk:
    """One chunk at work. `where`: whose fault an error would be just now."""

    batch: Batch
    job: Job
    row: Backfill
    access: Access
    where: str = WHERE
    pushed: push.Pushed = field(default_factory=push.Pushed)

    @property
    def last(self) -> str:
        """The last day of this chunk."""
        return next(chunks(self.row.next_day, self.row.last_day))[1]

    @property
    def subject(self) -> str:
        """What notices about it are about."""
        return f"feed:{self.job.held.feed_id}"

    @property
    def command(self) -> str:
        """What a person types to have the days that are left read again."""
        name = names.feed_name(self.batch.user.username, self.job.goal.slug, self.job.feed.label)
        first, last = names.dashed(self.row.next_day), names.dashed(self.row.last_day)
        return f"waggle sync {name} --from {first} --to {last}"

    def pending(self, session: Session) -> list[StoredPoint]:
        """What its days have to push. What else waits is the feed's own affair."""
        return [
            point
            for point in outbox.pending(session, self.job.held.feed_id)
            if self.row.next_day <= (point.daystamp or "") <= self.last
        ]


def chunks(first: str, last: str) -> Iterator[tuple[str, str]]:
    """The first and the last day of each chunk, oldest first."""
    start, end = days.parse(first), days.parse(last)
    while start <= end:
        stop = min(end, start + timedelta(days=CHUNK_DAYS - 1))
        yield days.stamp(start), days.stamp(stop)
        start = stop + days.ONE_DAY
