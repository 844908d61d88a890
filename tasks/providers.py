"""What a provider is: a system that can be asked how much of something happened on a day.

Every provider has the same shape: a settings model (what stands in the file), metrics (what can be
counted) and `connect`, which gives an object that reads. Providers differ by data in one table;
somebody else's package joins it through the entry-point group `waggle.providers`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import httpx
from pydantic import BaseModel, ConfigDict, SecretStr

from clients.errors import AuthFailed, ClientError
from clients.gate import ClosedError, Gate
from tasks.days import Window
from tasks.limits import Quota
from tasks.notebook import MemoryNotebook, Notebook

ENTRY_POINT_GROUP = "waggle.providers"
SHARED = 50  # `Provider.together` of a vendor that answers for many feeds in one request
EACH = 5  # and of one that is asked for each of them
ValueKind = Literal["total", "level", "counter", "events"]
"""How much happened on a day; a reading of the day; a counter that runs on; single events."""


class SourceSettings(BaseModel):
    """What the file says of a source beside `provider` and `user`. Secrets are `SecretStr`."""

    model_config = ConfigDict(extra="forbid")

    def account(self) -> str:
        """The account as it was declared (host, tenant, login), and never a key.

        It is part of every `requestid`: the same account gives the same ids for ever.
        """
        raise NotImplementedError

    def open_url(self) -> str | None:
        """The user-given address that is going to be called, to be checked before it is."""
        return None

    def addresses(self) -> Mapping[str, str]:
        """Every such address by the name of its setting, where there are more than `url`."""
        url = self.open_url()
        return {} if url is None else {"url": url}

    def quotas(self) -> tuple[Quota, ...]:
        """What the vendor counts by, the account first; by default it names no limit."""
        return (Quota(account=self.account()),)

    @classmethod
    def secrets(cls) -> frozenset[str]:
        """Names of the settings that are secrets."""
        return frozenset(
            name
            for name, found in cls.model_fields.items()
            if "SecretStr" in str(found.annotation) or found.annotation is SecretStr
        )


class MetricParams(BaseModel):
    """Parameters of a metric as the file gives them; descriptions are shown by `waggle metrics`."""

    model_config = ConfigDict(extra="forbid")

    # Names that change how a value is shown, not what is counted.
    cosmetic: ClassVar[frozenset[str]] = frozenset()

    def value_kind(self) -> ValueKind:
        """Is a day's value a total, a level that was read, a running counter, or single events?"""
        raise NotImplementedError

    def counting(self) -> dict[str, Any]:
        """The parameters that decide what is counted: part of every `requestid`."""
        return self.model_dump(mode="json", exclude_none=True, exclude=set(self.cosmetic))


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One thing that can be counted.

    `kind` in words for `waggle metrics`; `MetricParams.value_kind` decides.
    `history`: whether the source can be asked about past days.
    """

    name: str
    description: str
    params: type[MetricParams]
    kind: str
    history: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One feed's question: the metric's value for each of these days, as of `now`."""

    key: int
    metric: str
    params: MetricParams
    days: tuple[Window, ...]
    now: float


@dataclass(frozen=True, slots=True)
class Record:
    """A single event of a day: the source's own id of it, when it was (UTC seconds), its value."""

    id: str
    at: float
    value: float


@dataclass(frozen=True, slots=True)
class Reading:
    """What the source said of one day. `value` None: nothing was measured, which is not a zero.

    A metric of single events gives `records` as well; their sum is `value`, 0.0 without any.
    """

    value: float | None
    unit: str | None = None
    note: str | None = None
    records: tuple[Record, ...] = ()


Answer = Mapping[str, Reading] | ClientError | ClosedError
"""Readings by daystamp, or why there are none. Where a gate has closed meanwhile, what was read
before is given all the same: it would cost the same requests again."""


class Connection(Protocol):
    """A provider's reader for one source, used by many threads and kept for the process's life."""

    def read(self, requests: Sequence[Request]) -> dict[int, Answer]:
        """Answer every request by its key; one that fails never fails its neighbours."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """Something at the source that a feed may name.

    `kind` in the words of the vendor ("timeseries", "connector"), `id` as it stands in the file,
    `detail` is for people: a unit, a state.
    """

    kind: str
    id: str
    name: str = ""
    detail: str = ""


@runtime_checkable
class Looks(Protocol):
    """A connection that can tell what is at the source, for `waggle source check`."""

    def look(self) -> Sequence[Found]:
        """Read one page of each list. Raises the tree of `clients.errors`, and `ClosedError`."""
        ...


def one_by_one(
    requests: Sequence[Request], ask: Callable[[Request], Mapping[str, Reading]]
) -> dict[int, Answer]:
    """For `Connection.read` of a vendor that is asked for each feed by itself.

    None is left out because a gate was closed to the one before: it may be open again. A login
    that is refused is raised, since it is of the whole source.
    """
    answers: dict[int, Answer] = {}
    for request in requests:
        try:
            answers[request.key] = ask(request)
        except AuthFailed:
            raise
        except (ClientError, ClosedError) as error:
            answers[request.key] = error
    return answers


class Tokens(Protocol):
    """Where a connection gets its session tokens; refreshing is single flight over processes."""

    def access(self) -> str:
        """A token that is believed to be valid, logging in if there is none."""
        ...

    def renew(self, rejected: str) -> str:
        """Another token than the one that was rejected."""
        ...


@dataclass(frozen=True, slots=True)
class Grant:
    """What a login or a refresh gave: `expires_at` in UTC seconds, None if not told."""

    access: str = field(repr=False)
    refresh: str | None = field(repr=False)
    expires_at: float | None


LOGIN_SECONDS = 8.0

Authenticate = Callable[[str | None], Grant]
"""Logs in, or refreshes when given a refresh token; each within `LOGIN_SECONDS`, since the lease
under which one worker logs in for all ends soon after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What a provider gets to connect with. Each of its requests goes through the `gate`.

    `notebook` is what it remembers of the source; see `tasks.notebook`.
    """

    settings: SourceSettings
    http: httpx.Client
    gate: Gate
    tokens: Callable[[Authenticate], Tokens]
    now: Callable[[], float]
    notebook: Notebook = field(default_factory=MemoryNotebook)


NOT_LINKED = "not_linked"
"""`AuthFailed.reason` of a source that its owner has not linked yet by the code flow."""


class CodeFlow(Protocol):
    """How a person lets us read by OAuth's code flow (RFC 6749, 4.1): `/<provider>/connect/…`."""

    def offered(self, settings: SourceSettings) -> bool:
        """Whether this source is linked that way."""
        ...

    def address(self, settings: SourceSettings, *, redirect_uri: str, state: str) -> str:
        """Where the person is sent to allow it."""
        ...

    def exchange(self, link: Link, *, code: str, redirect_uri: str) -> Grant:
        """What the code that came back is good for. Raises the tree of `clients.errors`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A system whose numbers people want on their goals.

    `key_days`: the keys that people make there end after so many days; None where they don't.
    `together`: so many due feeds of an account one worker takes at once. As many as may share a
    request; where each is asked for by itself a few, or one of them waits for all the others.
    `code_flow`: how a source is linked in the browser, where the vendor has that.
    """

    name: str
    title: str
    settings: type[SourceSettings]
    metrics: Mapping[str, Metric]
    connect: Callable[[Link], Connection]
    key_days: int | None = None
    together: int = SHARED
    code_flow: CodeFlow | None = None


def table() -> dict[str, Provider]:
    """Every provider by name: ours, then those of installed packages."""
    from tasks.metrics import bemserver, bime, bmparts, rime  # noqa: PLC0415 -- they import these

    ours = (bemserver.PROVIDER, bime.PROVIDER, bmparts.PROVIDER, rime.PROVIDER)
    known = {provider.name: provider for provider in ours}
    for point in entry_points(group=ENTRY_POINT_GROUP):
        provider: Provider = point.load()
        known.setdefault(provider.name, provider)
    return known
