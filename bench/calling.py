"""Callbacks at a steady rate, and how long each took to be on its goal.

A callback is answered by the first read of its source that began after it. The vendor counts its
reads and answers with the count, so the change at Beeminder that holds this count, or a later one,
is where that read has landed.
"""

import asyncio
import bisect
import time
from dataclasses import dataclass

import httpx

from bench import crowd
from bench.crowd import Crowd
from bench.house import BenchFailed

LANDS_WITHIN = 60.0
STEP = 7  # coprime to fifty: neighbours in time are not neighbours in the ledger


@dataclass(frozen=True, slots=True)
class Call:
    """A callback that was sent for a person (UTC seconds), and the status of its answer."""

    person: int
    at: float
    status: int


def call(url: str, world: Crowd, *, rate: float, seconds: float) -> list[Call]:
    """Send so many a second, whatever becomes of them, and wait for all answers."""
    return asyncio.run(_call(httpx.URL(url), world, rate, int(rate * seconds)))


async def _call(url: httpx.URL, world: Crowd, rate: float, count: int) -> list[Call]:
    loop = asyncio.get_running_loop()
    free: list[_Line] = []

    async def one(number: int, due: float) -> Call:
        await asyncio.sleep(due - loop.time())
        person = number * STEP % world.people
        at = time.time()
        line = free.pop() if free else await _Line.to(url)
        status = await asyncio.wait_for(line.ask(_request(url, person)), LANDS_WITHIN)
        free.append(line)
        return Call(person, at, status)

    began = loop.time() + 0.2
    try:
        return await asyncio.gather(*(one(n, began + n / rate) for n in range(count)))
    finally:
        for line in free:
            line.close()


def _request(url: httpx.URL, person: int) -> bytes:
    body = f"username={crowd.name(person)}&slug={crowd.GOAL.format(person)}"
    return (
        f"POST {url.raw_path.decode()} HTTP/1.1\r\nhost: {url.netloc.decode()}\r\n"
        "content-type: application/x-www-form-urlencoded\r\n"
        f"content-length: {len(body)}\r\n\r\n{body}"
    ).encode()


class _Line:
    """A connection that is kept, for one callback at a time.

    A client that looks through all its connections for each callback would be what is measured
    where many are held.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def to(cls, url: httpx.URL) -> "_Line":
        """Connect."""
        return cls(*await asyncio.open_connection(url.host, url.port))

    async def ask(self, request: bytes) -> int:
        """Send it, and read the answer to its end; its status."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.partition(b":")[2])
            for line in head.lower().splitlines()
            if line.startswith(b"content-length:")
        )
        await self._reader.readexactly(length)
        return int(head.split(b" ", 2)[1])

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


def landed(world: Crowd, calls: list[Call]) -> list[float]:
    """Seconds from each callback until its datapoint was on the goal, in order.

    Raises `BenchFailed` if one was refused or has not landed in a minute.
    """
    refused = [made.status for made in calls if made.status != httpx.codes.OK]
    if refused:
        raise BenchFailed(f"{len(refused)} of {len(calls)} callbacks were answered {refused[0]}")
    ends_at = time.monotonic() + LANDS_WITHIN
    while True:
        took = _landed(world, calls)
        if None not in took:
            return sorted(each for each in took if each is not None)
        if time.monotonic() > ends_at:
            raise BenchFailed(f"{took.count(None)} of {len(calls)} callbacks have not landed")
        time.sleep(0.1)


def _landed(world: Crowd, calls: list[Call]) -> list[float | None]:
    with world.beeminder.state.lock:
        changes = list(world.beeminder.state.history)
    by_goal: dict[str, list[tuple[float, float]]] = {}
    for change in changes:
        by_goal.setdefault(change.slug, []).append((change.value, change.at))
    found: list[float | None] = []
    for made in calls:
        asked = world.vendor.asked.get(made.person, [])
        count = bisect.bisect_left(asked, made.at) + 1
        written = by_goal.get(crowd.GOAL.format(made.person), [])
        at = next((at for value, at in written if value >= count), None)
        found.append(None if at is None else at - made.at)
    return found
