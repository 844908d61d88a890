"""What Beeminder calls by itself: autofetch, reminder and de-authorization callbacks."""

import asyncio
import contextlib
import itertools
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import httpx

from simulators import beeminder_tokens as tokens
from simulators import beeminder_views as views
from simulators.beeminder_state import BeeminderState, Goal

_BODY_SHOWN = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CallResult:
    """One call that was made; `status` is None when there was no answer (`error` says why)."""

    number: int
    kind: Literal["autofetch", "reminder", "deauthorize"]
    url: str
    username: str
    slug: str | None
    status: int | None
    headers: dict[str, str]
    body: str
    error: str | None
    started_at: float
    finished_at: float
    duration: float

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One call to make: a form or a JSON body to a URL."""

    kind: Literal["autofetch", "reminder", "deauthorize"]
    url: str
    username: str
    slug: str | None = None
    form: Mapping[str, str] | None = None
    json: Mapping[str, Any] | None = None


class NotCalledError(Exception):
    """Beeminder would not make this call; the message says why."""


class Calls:
    """Makes the calls and remembers what came back.

    `refresh`, `remind` and `deauthorize` block and are for tests and scripts; `make` is for the
    server's own loop. `timeout` (seconds) is how long Beeminder waits for an answer.
    """

    def __init__(self, state: BeeminderState, *, timeout: float = 30.0) -> None:
        self.state = state
        self.timeout = timeout
        self.made: deque[CallResult] = deque(maxlen=20_000)
        self._numbers = itertools.count(1)
        self._client: httpx.AsyncClient | None = None
        self._running: set[asyncio.Task[CallResult]] = set()

    def plan_refresh(
        self, username: str, slug: str, *, force: bool = False, app: str | None = None
    ) -> Plan:
        """The autofetch call of a goal; `force` makes it for a goal with another datasource too."""
        with self.state.lock:
            try:
                goal = self.state.goal(username, slug)
            except KeyError:
                raise NotCalledError(f"there is no goal {username}/{slug}") from None
            name = app or goal.autodata
            if force and name not in self.state.apps:
                name = next(iter(self.state.apps), None)
            chosen = self.state.apps.get(name or "")
        if chosen is None or (chosen.name != goal.autodata and not force):
            raise NotCalledError(
                f"the datasource of {username}/{slug} is {goal.autodata!r}, no app"
            )
        if not chosen.autofetch_url:
            raise NotCalledError(f"the app {chosen.name} has no autofetch URL")
        return Plan(
            kind="autofetch",
            url=chosen.autofetch_url,
            username=username,
            slug=slug,
            form={"username": username, "slug": slug},
        )

    def plan_reminder(self, username: str, slug: str, *, url: str | None = None) -> Plan:
        """The reminder of a goal, to `url` or the user's own hook."""
        with self.state.lock:
            try:
                goal = self.state.goal(username, slug)
            except KeyError:
                raise NotCalledError(f"there is no goal {username}/{slug}") from None
            target = url or self.state.users[username].hook_url
            if not target:
                raise NotCalledError(f"{username} has no reminder hook")
            body = {"goal": views.goal(self.state, goal)}
        return Plan(kind="reminder", url=target, username=username, slug=slug, json=body)

    def plan_deauthorize(
        self, username: str, *, app: str | None = None, token: str | None = None
    ) -> Plan:
        """Revokes the token of the user and plans the call; `token` sends another one instead."""
        name = app or next(iter(self.state.apps), "")
        with self.state.lock:
            chosen = self.state.apps.get(name)
            if chosen is None or username not in self.state.users:
                raise NotCalledError(f"there is no app {name!r} or no user {username!r}")
            dead = token or tokens.revoke(self.state, username, name)
        if dead is None:
            raise NotCalledError(f"{username} has not authorized {name}")
        if not chosen.deauthorize_url:
            raise NotCalledError(f"the app {name} has no de-authorization URL")
        return Plan(
            kind="deauthorize",
            url=chosen.deauthorize_url,
            username=username,
            form={"access_token": dead},
        )

    def refresh(
        self, username: str, slug: str, *, force: bool = False, app: str | None = None
    ) -> CallResult:
        """Presses the refresh button and waits. NotCalledError if there is nobody to call."""
        return self._make_blocking(self.plan_refresh(username, slug, force=force, app=app))

    def remind(self, username: str, slug: str, *, url: str | None = None) -> CallResult:
        """Sends the reminder and waits. NotCalledError if there is nobody to call."""
        return self._make_blocking(self.plan_reminder(username, slug, url=url))

    def deauthorize(
        self, username: str, *, app: str | None = None, token: str | None = None
    ) -> CallResult:
        """Removes the app as the user would, and tells it. NotCalledError if nobody is told."""
        return self._make_blocking(self.plan_deauthorize(username, app=app, token=token))

    def refresh_soon(self, goal: Goal) -> bool:
        """What refresh_graph does: queues the graph, and calls the goal's app without waiting.

        False, and nothing is done, when the state says that Beeminder does not want to.
        """
        if not self.state.refreshes:
            return False
        goal.queued_until = self.state.clock() + self.state.queue_seconds
        with contextlib.suppress(NotCalledError):  # no app: only the graph is refreshed
            self.make_soon(self.plan_refresh(goal.owner, goal.slug))
        return True

    def make_soon(self, plan: Plan) -> None:
        """Makes the call in the running loop without waiting for it."""
        task = asyncio.get_running_loop().create_task(self.make(plan))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def make(self, plan: Plan) -> CallResult:
        """Makes the call from the server's loop and waits for the answer or the timeout."""
        if self._client is None:
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=50)
            self._client = httpx.AsyncClient(timeout=None, limits=limits, trust_env=False)  # noqa: S113 - bounded below
        started, began = self.state.clock(), time.monotonic()
        try:
            async with asyncio.timeout(self.timeout):
                answer = await self._client.post(plan.url, data=plan.form, json=plan.json)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as exc:
            return self._keep(plan, started, began, error=exc)
        return self._keep(plan, started, began, answer=answer)

    async def close(self) -> None:
        """Ends what is under way; call it in the loop that made the calls."""
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _make_blocking(self, plan: Plan) -> CallResult:
        started, began = self.state.clock(), time.monotonic()
        try:
            with httpx.Client(timeout=self.timeout, trust_env=False, verify=False) as client:  # noqa: S501 - local
                answer = client.post(plan.url, data=plan.form, json=plan.json)
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            return self._keep(plan, started, began, error=exc)
        return self._keep(plan, started, began, answer=answer)

    def _keep(
        self,
        plan: Plan,
        started: float,
        began: float,
        *,
        answer: httpx.Response | None = None,
        error: Exception | None = None,
    ) -> CallResult:
        result = CallResult(
            number=next(self._numbers),
            kind=plan.kind,
            url=plan.url,
            username=plan.username,
            slug=plan.slug,
            status=None if answer is None else answer.status_code,
            headers={} if answer is None else dict(answer.headers),
            body="" if answer is None else answer.text[:_BODY_SHOWN],
            error=None if error is None else f"{type(error).__name__}: {error}",
            started_at=started,
            finished_at=self.state.clock(),
            duration=time.monotonic() - began,
        )
        self.made.append(result)
        return result
