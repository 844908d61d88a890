"""Whose turn comes in a batch of feeds when Beeminder is slow.

Feeds are claimed together to share the reads of their source, but each is pushed by itself. So one
that waits for an answer in vain is the last of its batch: the others go back to the ledger without
a request, and don't each wait as long. What takes too long altogether is handed back in time: a
lease that has been held for `HELD_AT_MOST_SECONDS` is no longer renewed, and its feed would be
taken for one that hangs.
"""

from db import feeds
from db.feeds import FencedError
from tasks import setbacks
from tasks.beeminder import WHERE, Access
from tasks.jobs import Job
from tasks.push import Pushed
from tasks.runtime import Runtime
from tasks.slots import HELD_AT_MOST_SECONDS

PREPARED_WITHIN = HELD_AT_MOST_SECONDS / 4  # seconds from the claim until the source is asked
LANDED_WITHIN = HELD_AT_MOST_SECONDS * 2 / 3  # and until the last push is begun


class Turns:
    """The turns of the feeds that were claimed together at `since` (UTC seconds)."""

    def __init__(self, rt: Runtime, access: Access, *, since: float) -> None:
        self._rt = rt
        self._access = access
        self._since = since

    def comes(self, job: Job, *, first: bool, within: float) -> bool:
        """Has this job its turn? Else its claim ends here. The first one has it, however late.

        `within`: seconds after the claim.
        """
        silence = self._access.silence
        if silence is not None:
            setbacks.not_now(self._rt, job, silence, where=WHERE)
            return False
        if first or self._rt.clock.now() < self._since + within:
            return True
        self._hand_back(job)
        return False

    def _hand_back(self, job: Job) -> None:
        """It stays due, and is claimed anew."""
        try:
            with self._rt.ledger.write() as session:
                feeds.release(session, job.held)
        except FencedError:
            setbacks.fenced(self._rt, job, Pushed())
        finally:
            self._rt.leases.drop([job.held.feed_id])
