"""A Beeminder on a local port: API, OAuth pages, callbacks, and limits and faults on request.

beeminder = Beeminder()
beeminder.state.add_user("alice", timezone="Europe/Paris")
beeminder.state.add_goal("alice", "energy", autodata="waggle")
with LocalServer(beeminder.app) as server:
...
beeminder.calls.refresh("alice", "energy")
beeminder.limiter.set(Window(kind="fixed", requests=60, seconds=60))  # for each token
"""

import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route

from simulators import beeminder_road as road
from simulators import beeminder_tokens as tokens
from simulators import limiter_keys
from simulators.beeminder_api import Api
from simulators.beeminder_calls import Calls
from simulators.beeminder_control import Control
from simulators.beeminder_oauth import OAuth
from simulators.beeminder_pages import Pages
from simulators.beeminder_state import App, BeeminderState
from simulators.faults import Faults
from simulators.limiter import Limiter


class Beeminder:
    """`app` is the whole service with `faults` around it; `state` and `calls` are for tests.

    `limiter` is the service without the faults; it limits the calls of the API by token.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        timeout: float = 30.0,
        seed: int = 0,
    ) -> None:
        self.state = BeeminderState(clock=clock)
        self.calls = Calls(self.state, timeout=timeout)
        self.limiter = Limiter(
            Starlette(routes=self.routes(), lifespan=self.lifespan),
            key=limiter_keys.token,
            clock=clock,
            forms=True,
            match=r"^/api/v1/",
        )
        self.app = self.faults = Faults(self.limiter, seed=seed, clock=clock)

    def routes(self) -> list[BaseRoute]:
        """Everything but the limits and the faults."""
        api, oauth = Api(self.state, self.calls), OAuth(self.state)
        verbs = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        return [
            Route("/api/v1/{rest:path}", api.answer, methods=verbs),
            Route("/apps/authorize", oauth.answer, methods=["GET", "POST"]),
            *Control(self.state, self.calls).routes(),
            *Pages(self.state, self.calls).routes(),
        ]

    @contextlib.asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        """Ends calls that are still under way when the server stops."""
        yield
        await self.calls.close()

    def register_app(self, name: str, **urls: Any) -> App:
        """See `beeminder_tokens.register_app`."""
        return tokens.register_app(self.state, name, **urls)

    def authorize(self, username: str, app_name: str) -> str:
        """Mints the user's OAuth token for the app; the one before it dies."""
        return tokens.authorize(self.state, username, app_name)

    def revoke(self, username: str, app_name: str) -> str | None:
        """Kills that token without telling the app."""
        return tokens.revoke(self.state, username, app_name)

    def lay_road(self, username: str, slug: str, *, safe_days: int = 0) -> None:
        """Draws the goal's line so that it has that many safe days now; 0 makes it red.

        See `beeminder_road.lay`. KeyError if there is no such goal.
        """
        with self.state.lock:
            road.lay(self.state, self.state.goal(username, slug), safe_days=safe_days)
