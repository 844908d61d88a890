"""Beeminder's side: callbacks without end from many clients at once, and what became of each."""

import asyncio
import random
import threading
import time
from dataclasses import dataclass

import httpx

from tests.blackbox.house import SECRET
from tests.chaos.scenery import Goal, Scenery

PATIENCE_SECONDS = 60.0  # an answer may take the hold, a freeze and a busy machine
GROWS = 0.6  # the share of callbacks before which the source has grown
PAUSE, DOWN = (0.0, 0.4), (1.0, 4.0)  # seconds to the next call; after one that came to nothing
STORED = ("fresh", "late", "failed")


@dataclass(slots=True)
class Callback:
    """One callback. Instants are monotonic but for `at`, which is UTC seconds.

    `asked` is what the source held of today when it was sent. Without a `status` there is the name
    of the `error` that ended the connection.
    """

    goal: Goal
    at: float
    sent: float
    day: str
    asked: float
    ended: float = 0.0
    ended_at: float = 0.0
    status: int | None = None
    said: str = ""
    error: str = ""

    @property
    def is_stored(self) -> bool:
        """Does the answer say that Waggle has it?"""
        return self.said in STORED


class Callers:
    """`clients` of them in a thread of their own, from `start` to `finish`."""

    def __init__(self, scenery: Scenery, url: str, *, clients: int, seed: int) -> None:
        self._scenery = scenery
        self._url = f"{url}/beeminder/autofetch/{SECRET}"
        self._clients = clients
        self._rng = random.Random(seed)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self.made: list[Callback] = []
        self.trouble: list[BaseException] = []

    def start(self) -> None:
        """They begin to call."""
        self._thread.start()

    def finish(self) -> None:
        """Everything grows once more, and each goal is called until Waggle says it has it."""
        self._ending.set()
        self._thread.join()
        if self.trouble:
            raise self.trouble[0]

    async def _run(self) -> None:
        # One that is kept may be closed by the receiver just when it is used again.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        async with httpx.AsyncClient(timeout=PATIENCE_SECONDS, limits=limits) as http:
            try:
                await asyncio.gather(*(self._call_on(http) for _ in range(self._clients)))
                await asyncio.gather(*(self._last(http, goal) for goal in self._scenery.called))
            except BaseException as error:  # noqa: BLE001 -- told by whoever waits for the thread
                self.trouble.append(error)

    async def _call_on(self, http: httpx.AsyncClient) -> None:
        while not self._ending.is_set():
            goal = self._rng.choice(self._scenery.called)
            if self._rng.random() < GROWS:
                self._grow(goal)
            callback = await self._call(http, goal)
            await asyncio.sleep(self._rng.uniform(*(DOWN if callback.error else PAUSE)))

    async def _last(self, http: httpx.AsyncClient, goal: Goal) -> None:
        self._grow(goal)
        while not (await self._call(http, goal)).is_stored:  # noqa: ASYNC110 -- a call each time
            await asyncio.sleep(0.5)

    def _grow(self, goal: Goal) -> None:
        self._rng.choice(goal.meters).grow(self._rng, time.time())

    async def _call(self, http: httpx.AsyncClient, goal: Goal) -> Callback:
        day = self._scenery.days()[-1]
        asked = sum(meter.days().get(day, 0.0) for meter in goal.meters)
        callback = Callback(goal, time.time(), time.monotonic(), day, asked)
        self.made.append(callback)
        try:
            answer = await http.post(self._url, data={"username": goal.username, "slug": goal.slug})
            callback.status = answer.status_code
            body = answer.json()
            callback.said = str(body.get("status") or body["error"]["code"])
        except httpx.TransportError as error:
            callback.error = type(error).__name__
        callback.ended, callback.ended_at = time.monotonic(), time.time()
        return callback
