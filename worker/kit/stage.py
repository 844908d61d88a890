"""Where a provider plays against its vendor: sources, questions, and what came of them."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from pydantic import SecretStr

from tasks.days import Window
from tasks.notebook import MemoryNotebook, Notebook
from tasks.providers import (
    Authenticate,
    Connection,
    Grant,
    Link,
    Looks,
    MetricParams,
    Provider,
    Request,
    SourceSettings,
)
from tasks.trial import Feed, Trial
from worker.kit.gate import CountingGate
from worker.kit.vendor import Trouble, Vendor
from worker.kit.wire import Wire

PATIENCE = 10.0  # seconds for one question; whoever needs longer hangs
HURRY = 20.0  # seconds of a time limit that one second counts for


class HungError(Exception):
    """A question did not end in time: whatever comes after it would be disturbed by it."""


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a question: what was returned, or what was raised."""

    value: Any = None
    raised: BaseException | None = None


@dataclass(slots=True)
class KitTokens:
    """See `tasks.providers.Tokens`; `seen` are all tokens there ever were, `now` in UTC seconds."""

    authenticate: Authenticate
    now: float
    grant: Grant | None = None
    seen: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def access(self) -> str:
        """The token, by a login or a refresh where none lives."""
        with self._lock:
            grant = self.grant
            if grant is None:
                return self._made(None).access
            if grant.expires_at is not None and grant.expires_at <= self.now:
                return self._made(grant.refresh).access
            return grant.access

    def renew(self, rejected: str) -> str:
        """Another one: by refreshing where that can be done."""
        with self._lock:
            if self.grant is not None and self.grant.access != rejected:
                return self.grant.access
            return self._made(None if self.grant is None else self.grant.refresh).access

    def begin(self, grant: Grant) -> Grant:
        """These are the tokens from now on."""
        self.grant = grant
        self.seen += [token for token in (grant.access, grant.refresh) if token]
        return grant

    def _made(self, refresh: str | None) -> Grant:
        return self.begin(self.authenticate(refresh))


@dataclass(slots=True)
class Scene:
    """One source with its connection, which is made at the first question."""

    stage: "Stage"
    settings: SourceSettings
    gate: CountingGate
    wire: Wire
    http: httpx.Client
    notebook: Notebook
    tokens: list[KitTokens] = field(default_factory=list)
    _made: Connection | None = None

    def connection(self) -> Connection:
        """What `connect` gives."""
        if self._made is None:
            self._made = self.stage.provider.connect(
                Link(
                    settings=self.settings,
                    http=self.http,
                    gate=self.gate,
                    tokens=self._lend,
                    now=lambda: self.stage.trial.now,
                    notebook=self.notebook,
                )
            )
        return self._made

    def read(self, *requests: Request) -> Told:
        """Ask, and wait for a while."""
        return self.stage.wait(lambda: self.connection().read(list(requests)))

    def look(self) -> Told:
        """Look around, at a connection that offers it."""

        def look() -> object:
            made = self.connection()
            return list(made.look()) if isinstance(made, Looks) else None

        return self.stage.wait(look)

    def secrets(self) -> list[str]:
        """All secrets of this source, and the tokens that were made with them."""
        values = [getattr(self.settings, name, None) for name in self.stage.secret_names()]
        plain = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
        return [*plain, *(token for tokens in self.tokens for token in tokens.seen)]

    def _lend(self, authenticate: Authenticate) -> KitTokens:
        trial = self.stage.trial
        made = KitTokens(authenticate, trial.now)
        if trial.linked is not None:
            made.begin(trial.linked)
        self.tokens.append(made)
        return made


class Stage:
    """A provider, its trial, and the vendor that plays it. `patience` in seconds."""

    def __init__(
        self, provider: Provider, trial: Trial, vendor: Vendor, *, patience: float = PATIENCE
    ) -> None:
        self.provider = provider
        self.trial = trial
        self.vendor = vendor
        self.patience = patience

    def given(self) -> dict[str, Any]:
        """The settings as they would stand in the file."""
        return dict(self.trial.settings(self.vendor.url))

    def settings(self, **changed: object) -> SourceSettings:
        """The settings of the source, some of them changed. Raises ValueError."""
        return self.provider.settings.model_validate(self.given() | changed)

    def secret_names(self) -> frozenset[str]:
        """Which settings are secret."""
        return self.provider.settings.secrets()

    def params(self, feed: Feed) -> MetricParams:
        """The parameters of a feed. Raises ValueError."""
        return self.provider.metrics[feed.metric].params.model_validate(dict(feed.params))

    def request(self, feed: Feed, *, key: int = 1, days: Sequence[Window] | None = None) -> Request:
        """A feed's question, by default about all days of the trial."""
        asked = self.trial.days if days is None else days
        return Request(
            key=key,
            metric=feed.metric,
            params=self.params(feed),
            days=tuple(asked),
            now=self.trial.now,
        )

    @contextlib.contextmanager
    def scene(
        self, *, shut: bool = False, hurry: float = 1.0, notebook: Notebook | None = None
    ) -> Iterator[Scene]:
        """A new source: nothing of what was read before is known to it."""
        wire = Wire(hurry=hurry)
        with httpx.Client(transport=wire) as http:
            yield Scene(
                stage=self,
                settings=self.settings(),
                gate=CountingGate(shut=shut),
                wire=wire,
                http=http,
                notebook=notebook or MemoryNotebook(),
            )

    def wait(self, ask: Callable[[], object]) -> Told:
        """What comes of it. HungError when it takes too long."""
        found: list[Told] = []

        def run() -> None:
            try:
                found.append(Told(ask()))
            except BaseException as error:  # noqa: BLE001 -- judged by who asked, SystemExit as well
                found.append(Told(raised=error))

        # Not a pool: its threads are waited for when the process ends, and this one may hang.
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(self.patience)
        if not found:
            raise HungError(f"it does not come back, not within {self.patience:g} s")
        return found[0]

    def troubled(self, trouble: Trouble, step: int, ask: Callable[[Scene], Told]) -> Iterator[Told]:
        """What comes of a question with trouble at request number `step`: once, then for good.

        Where nothing was asked after that request, both are the same, and one is enough.
        """
        for once in (True, False):
            self.vendor.be(trouble, at=step, once=once)
            with self.scene() as scene:
                yield ask(scene)
            if len(self.vendor.requests) <= step + 1:
                return

    def steps(self, feed: Feed) -> int:
        """How many requests it takes to read a feed for the first time."""
        self.vendor.be()
        with self.scene() as scene:
            scene.read(self.request(feed))
        return len(self.vendor.requests)
