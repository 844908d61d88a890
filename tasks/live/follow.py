"""Following one run to its end: by its stream while that serves, by reading it otherwise.

The stream is a hint and REST is the truth. Whatever a message says, the run is over when a read
says so; and while no stream serves it is read every few seconds. So a dead socket costs nothing but
the liveliness of a progress bar.
"""

import asyncio
import functools
import json
from collections import deque

import structlog

from clients import rime_closes, rime_frames
from clients.errors import AuthFailed, ClientError
from clients.rime_closes import Verdict
from clients.rime_messages import Message
from clients.rime_socket import Door, RefusedError, open_stream
from clients.rime_stream import Stream
from db.runs import Held, Seen
from db.states import Stream as StreamState
from tasks.gates import DeferredError
from tasks.live import backoff, view
from tasks.live.follow_desk import Desk
from tasks.live.follow_reading import Reading, wait_of
from tasks.live.source import LiveSource
from tasks.live.view import View

log = structlog.get_logger(__name__)

BUFFERED = 1000  # messages that wait for the read; more of them only move a bar
OPENED = "engine.open"  # how the first packet of Socket.IO is called


class Follower:
    """One run under our lease. `ended_at` is set when a read said that it is over."""

    def __init__(self, held: Held, source: LiveSource, desk: Desk) -> None:
        self.held = held
        self.ended_at: float | None = None
        self.dirty = True
        self.view = View(run=held.run_id)
        self._source = source
        self._desk = desk
        self._stream: Stream | None = None
        self._stream_state = StreamState.NONE
        self._stream_error: str | None = None
        self._reconnects = 0
        self._reading = Reading(held, source, desk)
        self._tries = backoff.FRESH
        self._buffer: deque[Message] = deque(maxlen=BUFFERED)
        self._looking: asyncio.Task[None] | None = None
        self._refused: Message | None = None
        self._leave = False
        self._heard_at = desk.now()
        self._reconnect_at = float("inf")

    def go_on(self, held: Held) -> None:
        """Our lease had ended, and this is the next one; what was written under it may be lost."""
        self.held, self.dirty = held, True

    def seen(self) -> Seen:
        """How it stands, for the ledger."""
        return view.seen(
            self.view,
            stream=self._stream_state,
            stream_error=self._stream_error,
            reconnects=self._reconnects,
            error=self._reading.error,
            gone=self._reading.gone,
        )

    async def follow(self) -> None:
        """Until it is over, or until somebody cancels this."""
        try:
            await self._look()
            while self.ended_at is None:
                wait = await self._streamed()
                await self._poll(wait)
        finally:
            if self._looking is not None:
                self._looking.cancel()

    def tick(self) -> None:
        """Called every second: what a stream that says nothing would never start."""
        now = self._desk.now()
        if self._stream is None or self.ended_at is not None:
            return
        if self.view.says_over or self._reading.owed:
            self._want_look()
        if now >= self._reconnect_at or backoff.is_silent(self._heard_at, now=now):
            self._leave = True
            self._stream.end()

    async def _streamed(self) -> float | None:
        """Follow the stream until it ends; seconds until the next one, None where there is none."""
        if self._stream_state == StreamState.GIVEN_UP:
            return None
        try:
            door, ends_at = await self._desk.blocking(self._entry)
        except (ClientError, DeferredError) as error:
            return self._pause("again", wait=wait_of(error, self._desk.now()))
        if door is None:
            return None
        try:
            stream = await open_stream(door, now=self._desk.now())
        except RefusedError as refusal:
            verdict: Verdict = "again"
            if refusal.status is not None:
                verdict = rime_closes.of_status(refusal.status)
            return await self._judged(verdict, str(refusal), door, wait=refusal.retry_after)
        return await self._served(stream, door, ends_at)

    def _entry(self) -> tuple[Door | None, float | None]:
        """Where the stream is, and when the token for it ends."""
        door = self._source.door(self.held)
        return door, None if door is None else self._source.token_ends_at()

    async def _served(self, stream: Stream, door: Door, ends_at: float | None) -> float | None:
        now = self._desk.now()
        try:
            self._opened(stream, now, ends_at)
            code = await stream.listen(functools.partial(self._take, stream, door))
        finally:
            self._stream = None
            await stream.close()
        if self._looking is not None:
            await self._looking
        if self.ended_at is not None:
            return 0.0
        stood = self._desk.now() - now
        if self._refused is not None:
            text, wait = "the stream refuses our login", self._refused.retry_after
            return await self._judged("login", text, door, stood=stood, wait=wait)
        if self._leave:  # of our own will: there is nothing to wait for
            self._reconnects += 1
            self._tell(StreamState.RETRYING)
            return 0.0
        # That it is over is not believed before it was read: until then it may be opened again.
        verdict = rime_closes.of_close(code, over=False)
        return await self._judged(verdict, _ended(code), door, stood=stood)

    def _opened(self, stream: Stream, now: float, ends_at: float | None) -> None:
        """It is open: read the run, whose messages are buffered until that is done."""
        self._stream, self._heard_at, self._leave, self._refused = stream, now, False, None
        self.view = view.reconnected(self.view)
        self._tell(StreamState.OPEN)
        self._want_look(at_once=True)
        self._reconnect_at = backoff.planned(now, rng=self._desk.rng, token_ends_at=ends_at)

    def _take(self, stream: Stream, door: Door, frame: str) -> None:
        """Take in a frame, in the turn of the loop in which it was read."""
        now = self._heard_at = self._desk.now()
        found = rime_frames.read(frame, framing=self._source.framing, zone=self._source.zone)
        for reply in found.replies:
            stream.say(reply)
        if found.messages and found.messages[0].kind == OPENED:
            stream.say(_greeting(door))
        for message in found.messages:
            if message.role == "progress":
                if self._looking is not None and not self._looking.done():
                    self._buffer.append(message)
                else:
                    self._apply(message, now)
            elif message.role == "refused":
                self._refused = message
                stream.end()
                return
        if self.view.says_over:
            self._want_look()

    def _apply(self, message: Message, now: float) -> None:
        changed = view.applied(self.view, message, now=now)
        if changed is not self.view:
            self.view, self.dirty = changed, True

    async def _judged(
        self,
        verdict: Verdict,
        text: str,
        door: Door,
        *,
        stood: float = 0.0,
        wait: float | None = None,
    ) -> float | None:
        """What an end of the stream comes to: seconds until the next try, None for no more."""
        self._tries = backoff.ended(self._tries, verdict, stood=stood)
        gives_up = backoff.gives_up(self._tries, verdict)
        if verdict == "login" and not gives_up:
            try:
                gives_up = not await self._desk.blocking(lambda: self._source.renew(door.token))
            except AuthFailed as error:
                gives_up, text = True, str(error)
            except (ClientError, DeferredError) as error:
                text = str(error)
        if gives_up:
            log.warning("run.stream_given_up", run=self.held.id, reason=text)
            self._tell(StreamState.GIVEN_UP, text)
            return None
        self._reconnects += 1
        self._tell(StreamState.RETRYING, text)
        return backoff.pause(self._tries, rng=self._desk.rng, retry_after=wait)

    def _pause(self, verdict: Verdict, *, wait: float | None) -> float:
        self._tries = backoff.ended(self._tries, verdict, stood=0.0)
        return backoff.pause(self._tries, rng=self._desk.rng, retry_after=wait)

    def _tell(self, state: StreamState, error: str | None = None) -> None:
        self._stream_state, self._stream_error, self.dirty = state, error, True

    async def _poll(self, seconds: float | None) -> None:
        """Read the run every few seconds for so long; None: until it is over."""
        until = float("inf") if seconds is None else self._desk.now() + seconds
        while self.ended_at is None and self._desk.now() < until:
            pause = max(self._source.poll_seconds, self._reading.due_at - self._desk.now())
            await self._desk.sleep(min(pause, max(0.0, until - self._desk.now())))
            if self._desk.now() < until:
                await self._look()

    def _want_look(self, *, at_once: bool = False) -> None:
        """Read the run beside the stream, once at a time, and not more often than it is polled."""
        idle = self._looking is None or self._looking.done()
        if idle and (at_once or self._desk.now() >= self._reading.due_at):
            self._looking = asyncio.create_task(self._look())
            self._looking.add_done_callback(self._catch_up)

    def _catch_up(self, _done: object) -> None:
        """What came while the run was read goes on top of what the read said."""
        now = self._desk.now()
        while self._buffer:
            self._apply(self._buffer.popleft(), now)
        if self.ended_at is not None and self._stream is not None:
            self._stream.end()

    async def _look(self) -> None:
        """Read the run; its end is only ever written down from here."""
        run = await self._reading.read()
        self.dirty = True
        if run is not None:
            self.view = view.snapshot(self.view, run, now=self._desk.now())
        if self.view.over and run is not None and run.ended is not None:
            self.ended_at = run.ended
        elif self.view.over or self._reading.gone:
            self.ended_at = self._desk.now()


def _ended(code: int | None) -> str:
    return "the stream broke off" if code is None else f"the stream was closed with code {code}"


def _greeting(door: Door) -> str:
    """What Socket.IO wants to hear then (socket.io-protocol 5, CONNECT)."""
    return f"40{json.dumps({'token': door.token})}" if door.auth == "first_message" else "40"
