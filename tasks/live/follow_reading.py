"""Reading one run from the source, which is how it is known to be over; and when to read again."""

from clients.errors import ClientError, NotFound, Permanent
from clients.rime import Run
from db.runs import Held
from tasks.gates import DeferredError
from tasks.live.follow_desk import Desk
from tasks.live.source import LiveSource
from tasks.policy import is_garbled

MISSING = 3  # reads in a row that find no such run
GARBLED = 3  # reads in a row that are answered with something else: before that it may pass
LATER_SECONDS = 300.0  # until what a person has to mend is looked at again


class Reading:
    """Reads one run.

    `due_at`: when it may be read again, in UTC seconds. `error`: why it was not read last, fit for
    a page. `owed`: what kept it from being read passes. `gone`: it was deleted at the source, so
    nothing will ever end it.
    """

    def __init__(self, held: Held, source: LiveSource, desk: Desk) -> None:
        self.due_at = 0.0
        self.error: str | None = None
        self.owed = False
        self.gone = False
        self._held = held
        self._source = source
        self._desk = desk
        self._missing = 0
        self._garbled = 0

    async def read(self) -> Run | None:
        """The run as it is now; None where that could not be told."""
        self.due_at = self._desk.now() + self._source.poll_seconds
        self.owed = False
        try:
            run = await self._desk.blocking(lambda: self._source.read(self._held))
        except DeferredError as error:
            self.due_at, self.owed = max(self.due_at, error.until), True
        except NotFound as error:
            self.error = str(error)
            self._missing += 1
            self.gone = self._missing >= MISSING
        except Permanent as error:
            self.error = str(error)
            self._garbled += 1
            self.owed = is_garbled(error) and self._garbled < GARBLED
            if not self.owed:
                self.due_at = self._desk.now() + LATER_SECONDS
        except ClientError as error:
            self.error = str(error)
            self.due_at = max(self.due_at, self._desk.now() + (wait_of(error, 0.0) or 0.0))
            self.owed = True
        else:
            self._missing, self._garbled, self.error = 0, 0, None
            return run
        return None


def wait_of(error: Exception, now: float) -> float | None:
    """Seconds for which this error asks us to stay away; None where it names none."""
    if isinstance(error, DeferredError):
        return max(0.0, error.until - now)
    return getattr(error, "retry_after", None)
