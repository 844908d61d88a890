"""A vendor that limits, and counts who knocks early: ASGI middleware within the faults.

    limiter = Limiter(app, Window(kind="fixed", requests=500, seconds=10), key=limiter_keys.token)
    limiter.close("token-1", 60)     # a maintenance of a minute
    limiter.report().early           # must be 0

| over HTTP | does |
|---|---|
| GET `/_sim/limits` | shows the limit, and what was counted by key |
| POST `/_sim/limits` | sets it (names of `Window` and `Limit`), and counts anew |
| DELETE `/_sim/limits` | lifts it and every closing, and forgets the counts |
| POST `/_sim/closings` | refuses `key` (none: everybody) for `seconds` |

Without a limit or a closing it does nothing at all. A fault that answers by itself comes before
it: such a request is not counted.
"""

import functools
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from simulators import limiter_control, limiter_wire
from simulators import limiter_keys as keys
from simulators.limiter_answers import Fields, Limit, check_status, retry_after
from simulators.limiter_counts import Counter, Report
from simulators.window_meters import Meter
from simulators.windows import Window, rounded

GRACE = 0.1


@dataclass(frozen=True, slots=True)
class _Ruling:
    """What is done with one request: refused with `status`, or served (None), and its fields.

    `used_up`: until when an answer that is served says that nothing is left, None if it does not.
    """

    status: int | None
    fields: Fields
    body: Any = None
    used_up: float | None = None


class Limiter:
    """One window for each key that `key` makes of a request's scope.

    `clock` counts time. `dates` is what the server's Date header shows: told dates are on it.
    `forms`: form bodies are read first, `key` finds their fields as `scope["form"]`. `match` is
    the paths it is about unless a limit names others. `grace`: see `limiter_counts`. The rest are
    names of `Limit`. Safe to use from any thread.
    """

    def __init__(
        self,
        app: ASGIApp,
        window: Window | None = None,
        *,
        key: Callable[[Scope], str] = keys.everybody,
        clock: Callable[[], float] = time.time,
        dates: Callable[[], float] = time.time,
        forms: bool = False,
        match: str = "",
        grace: float = GRACE,
        **limit: Any,
    ) -> None:
        self.app, self.key = app, key
        self._clock, self._dates = clock, dates
        self._forms, self._match, self._grace = forms, match, grace
        self._lock = threading.Lock()
        self._limit: Limit | None = None
        self._pattern = re.compile(match)
        self._on = False
        self._meters: dict[str, Meter] = {}
        self._counters: dict[str, Counter] = {}
        self._closed: dict[str | None, tuple[float, int]] = {}
        if window is not None:
            self.set(window, **limit)

    @property
    def limit(self) -> Limit | None:
        """What is set now."""
        return self._limit

    def set(self, window: Window, **limit: Any) -> None:
        """Limits from now on, by the names of `Limit`, and counts anew. ValueError as there."""
        made = Limit(window=window, **{"match": self._match, **limit})
        with self._lock:
            self._limit, self._pattern, self._on = made, re.compile(made.match), True
            self._meters, self._counters = {}, {}

    def clear(self) -> None:
        """Lifts the limit and every closing, and forgets what was counted."""
        with self._lock:
            self._limit, self._pattern, self._on = None, re.compile(self._match), False
            self._meters, self._counters, self._closed = {}, {}, {}

    def close(self, key: str | None, seconds: float, *, status: int = 503) -> None:
        """Refuses this key (None: all) for so long, as for maintenance, with a Retry-After.

        ValueError for a status that refuses nothing.
        """
        check_status(status)
        with self._lock:
            self._closed[key] = (self._clock() + seconds, status)
            self._on = True

    def report(self) -> Report:
        """What was counted since the limit was set."""
        with self._lock:
            return Report({key: counter.tally() for key, counter in self._counters.items()})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        path = scope.get("path", "")
        if scope["type"] == "http" and path.endswith(limiter_control.PATHS):
            shown = await limiter_control.answer(self, Request(scope, receive))
            await shown(scope, receive, send)
        elif scope["type"] == "http" and self._on and self._meets(path):
            await self._limited(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _meets(self, path: str) -> bool:
        return "/_sim/" not in path and self._pattern.search(path) is not None

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._forms:
            scope, receive = await limiter_wire.with_form(scope, receive)
        key = self.key(scope)
        ruling = self._rule(key)
        if ruling.status is not None:
            await limiter_wire.refuse(ruling.status, ruling.fields, ruling.body, receive, send)
        elif ruling.fields:
            leaves = functools.partial(self._tell, key, ruling.used_up)
            await self.app(scope, receive, limiter_wire.adding(ruling.fields, send, leaves))
        else:
            await self.app(scope, receive, send)

    def _tell(self, key: str, used_up: float | None) -> None:
        with self._lock:
            if used_up is not None and key in self._counters:
                self._counters[key].tell(self._clock(), until=used_up)

    def _rule(self, key: str) -> _Ruling:
        with self._lock:
            now, date = self._clock(), self._dates()
            counter = self._counters.get(key)
            if counter is None:
                counter = self._counters[key] = Counter(grace=self._grace)
            counter.arrive(now)
            found = [self._closed[name] for name in (key, None) if name in self._closed]
            until, status = max(found, default=(now, 0))
            if until > now:
                return self._closed_for(counter, until - now, status, now=now, date=date)
            if self._limit is None:
                counter.serve(now)
                return _Ruling(None, [])
            return self._ask(self._limit, key, counter, now=now, date=date)

    def _closed_for(
        self, counter: Counter, wait: float, status: int, *, now: float, date: float
    ) -> _Ruling:
        rounding = "ceil" if self._limit is None else self._limit.window.rounding
        counter.refuse(now, wait=rounded(wait, rounding, now=date), told=True)
        return _Ruling(status, [retry_after(wait, rounding, date=date)])

    def _ask(self, limit: Limit, key: str, counter: Counter, *, now: float, date: float) -> _Ruling:
        meter = self._meters.get(key)
        if meter is None:
            meter = self._meters[key] = limit.window.meter()
        verdict = meter.ask(now)
        fields = limit.fields(verdict, date=date)
        if verdict.served:
            counter.serve(now)
            return _Ruling(None, fields, used_up=limit.used_up(verdict, now=now, date=date))
        told = limit.told(verdict.wait, date=date)
        counter.refuse(now, wait=verdict.wait if told is None else told, told=told is not None)
        return _Ruling(limit.status, fields, limit.body)
