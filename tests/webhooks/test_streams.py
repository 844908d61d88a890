"""Watchers: one reads for all of them, nobody reads for nobody, and a stop ends all."""

import asyncio
import itertools
import json

import pytest

from db.models import Source, User
from db.models_runs import Run
from webhooks import run_streams
from webhooks.event_stream import EventStream
from webhooks.metrics import Metrics
from webhooks.streams import COME_AGAIN, STILL_HERE, Streams

BOUND_SECONDS = 10
EVERY = 0.02


@pytest.fixture(autouse=True)
def run_of_alice(ledger):
    """One run that goes on, of user 1."""
    with ledger.write() as session:
        session.add(User(id=1, username="alice"))
        session.flush()
        session.add(Source(id=1, user_id=1, name="shop", provider="rime"))
        session.flush()
        session.add(Run(id=1, source_id=1, run_id="r1", rows=0.0))


def run(ledger, during, **more):
    """Run `during(streams)` beside the task that reads."""

    async def both():
        given = {"every": EVERY, "keep_alive": 5.0, "lasts": 60.0} | more
        watching = Metrics().watchers
        streams = Streams(
            name="runs", ledger=ledger, read=run_streams.read, watching=watching, **given
        )
        reading = asyncio.create_task(streams.run())
        try:
            async with asyncio.timeout(BOUND_SECONDS):
                return await during(streams)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            streams.stop()

    return asyncio.run(both())


def rows_of(part):
    """The rows of the one run in an event."""
    return json.loads(part.removeprefix(b"data: "))[0]["rows"]


class Reads:
    """Notes for whom the ledger is read; `fails` so many times before it answers."""

    def __init__(self, streams, *, fails=0):
        self.whose = []
        self.some = asyncio.Event()
        self._real, streams._read = streams._read, self._read
        self._fails = fails
        self._loop = asyncio.get_running_loop()

    def _read(self, whose):
        self.whose.append(whose)
        self._loop.call_soon_threadsafe(self.some.set)
        if len(self.whose) <= self._fails:
            raise OSError
        return self._real(whose)


def test_many_watchers_cost_one_read(ledger):
    """Fifty of three people: each look reads once for all, and each of them is told."""

    async def during(streams):
        reads = Reads(streams)
        watchers = [streams.join(whose, "[]") for whose in (1, 2, None) * 50]
        parts = [streams.parts(watcher) for watcher in watchers]
        for _ in range(2):  # how often to come again, and what is there at once
            await asyncio.gather(*(anext(part) for part in parts))
        told = await asyncio.gather(*(anext(part) for part in parts if part not in parts[1::3]))
        return told, reads.whose

    told, reads = run(ledger, during)
    assert {rows_of(part) for part in told} == {0.0}
    assert len(told) == 100
    assert len(reads) <= 5
    assert reads[0] == {1, 2, None}


def test_nobody_is_nobody_to_read_for(ledger):
    """Not before the first comes, and not after the last has gone."""

    async def during(streams):
        reads = Reads(streams)
        await asyncio.sleep(EVERY * 3)
        before = len(reads.whose)
        watcher = streams.join(1, "[]")
        await reads.some.wait()
        streams.leave(watcher)
        await asyncio.sleep(EVERY)  # one that had begun may end
        after = len(reads.whose)
        await asyncio.sleep(EVERY * 3)
        return before, after, len(reads.whose)

    before, after, end = run(ledger, during)
    assert before == 0
    assert end == after


def test_who_reads_slowly_gets_the_newest_only(ledger):
    """What came in between is not kept for anybody."""

    async def during(streams):
        watcher = streams.join(77, "[]")
        parts = streams.parts(watcher)
        assert await anext(parts) == COME_AGAIN
        assert await anext(parts) == b"data: []\n\n"
        for number in range(1, 6):
            watcher.offer(f"[{number}]")
        return await anext(parts), watcher.take()

    assert run(ledger, during, every=0.5) == (b"data: [5]\n\n", None)


def test_at_most_one_event_in_each_interval(ledger):
    """However often something changes."""

    async def during(streams):
        loop = asyncio.get_running_loop()
        watcher = streams.join(1, "0")
        parts = streams.parts(watcher)
        await anext(parts)
        at = []
        for number in range(1, 5):
            await anext(parts)
            at.append(loop.time())
            watcher.offer(str(number))
        return [later - earlier for earlier, later in itertools.pairwise(at)]

    assert min(run(ledger, during, every=0.1)) >= 0.09


def test_silence_is_kept_alive_and_ends_in_time(ledger):
    """Comments while nothing changes; then the stream ends, and a browser comes again."""

    async def during(streams):
        first = await asyncio.to_thread(streams._read, {1})
        return [part async for part in streams.parts(streams.join(1, first[1]))]

    parts = run(ledger, during, keep_alive=0.05, lasts=0.3)
    assert parts[0].startswith(b"retry: ")
    assert rows_of(parts[1]) == 0.0
    assert len(parts) >= 4
    assert set(parts[2:]) == {STILL_HERE}


def test_a_stop_ends_all_streams_at_once_and_lets_nobody_in(ledger):
    """Also those that have just been sent something, or wait for long."""

    async def during(streams):
        loop = asyncio.get_running_loop()
        all_parts = [streams.parts(streams.join(None, "[]")) for _ in range(20)]
        ends = [asyncio.create_task(_read_all(parts)) for parts in all_parts]
        await asyncio.sleep(0)
        began = loop.time()
        streams.release()
        await asyncio.gather(*ends)
        took = loop.time() - began
        assert streams.join(None, "[]") is None
        return took

    assert run(ledger, during, every=60.0) < 1.0


async def _read_all(parts):
    return [part async for part in parts]


def test_a_ledger_that_fails_ends_no_stream(ledger):
    """The next look may be answered: then the news come."""

    async def during(streams):
        reads = Reads(streams, fails=2)
        parts = streams.parts(streams.join(1, "[]"))
        for _ in range(2):
            await anext(parts)
        return rows_of(await anext(parts)), len(reads.whose)

    assert run(ledger, during) == (0.0, 3)


def test_who_takes_nothing_is_gone():
    """A browser that never reads holds its place for a while only."""
    gone = []

    async def parts():
        yield b"data: []\n\n"

    async def send(message):
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    async def receive():
        await asyncio.Event().wait()

    async def serve():
        stream = EventStream(parts(), gone=lambda: gone.append(1), send_seconds=0.05)
        async with asyncio.timeout(BOUND_SECONDS):
            await stream({}, receive, send)

    asyncio.run(serve())
    assert gone == [1]


def test_a_fault_of_ours_is_no_quiet_end():
    """It is raised, to be logged, and the place is free."""
    gone = []

    async def parts():
        yield b""
        raise ZeroDivisionError

    async def send(_message):
        pass

    async def receive():
        await asyncio.Event().wait()

    with pytest.raises(ZeroDivisionError):
        asyncio.run(EventStream(parts(), gone=lambda: gone.append(1))({}, receive, send))
    assert gone == [1]
