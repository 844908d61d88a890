"""What the receiver asks of the rest of Waggle: handed in by the entry point, or by a test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlmodel import Session

from db.models import Source, User


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose token it is, by Beeminder's own word; `timezone` is an IANA name or None."""

    beeminder_id: str
    username: str
    timezone: str | None


@dataclass(frozen=True, slots=True)
class DayBounds:
    """A Beeminder day of a goal: YYYYMMDD, and its bounds in UTC seconds, the end excluded."""

    daystamp: str
    starts_at: float
    ends_at: float


class ServiceError(Exception):
    """A service could not answer; `message` is one sentence fit for a page.

    `transient`: the same question may be answered later.
    """

    def __init__(self, code: str, message: str, *, transient: bool) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.transient = transient


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a form; see `tasks.forms_made`, which makes them."""

    name: str
    label: str
    kind: str
    help: str
    required: bool
    default: str
    choices: tuple[str, ...]
    example: str
    further: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricForm:
    """One metric of a provider, and the form of its parameters."""

    name: str
    description: str
    kind: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderForm:
    """One provider: the form of a source, its metrics, and whether a browser may link it."""

    name: str
    title: str
    about: str
    fields: tuple[Field, ...]
    metrics: tuple[MetricForm, ...]
    browser: bool

    def metric(self, name: str | None) -> MetricForm | None:
        """The metric of that name."""
        return next((metric for metric in self.metrics if metric.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a form came to: `values` as they are stored, or None and what is wrong, by field."""

    values: dict[str, Any] | None
    mistakes: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSaved:
    """A source that was stored, or `mistakes` by field, and then nothing was.

    `details` names what changed. `by_browser`: its owner has to link it in a browser.
    """

    source_id: int = 0
    details: tuple[str, ...] = ()
    by_browser: bool = False
    mistakes: Mapping[str, str] | None = None


class Services(Protocol):
    """Questions that are not the receiver's; those that need a vendor block, each with a deadline.

    They raise `ServiceError`. What forms hold, below them, asks nobody and is quick.
    """

    def day(
        self, daystamp: str | None, *, timezone: str | None, deadline: int, now: float
    ) -> DayBounds:
        """A day of a goal (None: today) of somebody in this zone (None: UTC). Asks no vendor.

        Raises `ServiceError` for what is no day, and for a zone that this machine does not know.
        """
        ...

    def objection(self, feed_id: int, *, first: str, last: str, now: float) -> str | None:
        """Why these days (YYYYMMDD) of a feed can't be read again. Asks no vendor."""
        ...

    def identify(self, token: str) -> Identity:
        """Whose OAuth token this is."""
        ...

    def source_address(self, source_id: int, *, redirect_uri: str, state: str) -> str:
        """Where the owner of a source is sent to let us read it."""
        ...

    def link_source(self, source_id: int, *, code: str, redirect_uri: str) -> int:
        """Take what the code is good for; how many feeds go on because of it."""
        ...

    def telling_service(self, url: str) -> str:
        """The name of the service that an Apprise address of a person's is for; nothing is sent."""
        ...

    def providers(self) -> Sequence[ProviderForm]:
        """Every kind of source, with its forms."""
        ...

    def check_params(self, provider: str, metric: str, given: Mapping[str, str]) -> Checked:
        """The parameters of a metric as a form gave them."""
        ...

    def check_feed(self, given: Mapping[str, str], *, now: float) -> Checked:
        """What a form says of a feed beside source, metric and parameters."""
        ...

    def save_source(
        self,
        session: Session,
        given: Mapping[str, str],
        *,
        provider: str,
        owner: User,
        name: str,
        row: Source | None,
        by_operator: bool,
        now: float,
    ) -> SourceSaved:
        """Store a new source (`row` None) or change one, in the transaction of `session`."""
        ...
