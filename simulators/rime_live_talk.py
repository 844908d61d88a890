"""One progress socket of the simulated RIME, from its upgrade to its end."""

import asyncio
import json
from typing import TYPE_CHECKING

from starlette.websockets import WebSocket, WebSocketDisconnect

from simulators.rime_http import HttpError
from simulators.rime_live_entry import CLIENT_PINGS, ENGINE_PINGS, Entry
from simulators.rime_live_frames import Framer
from simulators.rime_live_line import DROP, Ended, Line
from simulators.rime_live_messages import Teller
from simulators.rime_live_record import Record
from simulators.rime_state import Run

if TYPE_CHECKING:
    from simulators.rime_live import Live

_GOING_AWAY = 1001


class Talk:
    """Serves one socket in the task that it came with; there is no other."""

    def __init__(self, live: "Live", websocket: WebSocket, record: Record) -> None:
        self._live, self._record, self._switches = live, record, live.switches
        self._line = Line(websocket, record)
        self._framer = Framer(live.switches, live.unknowns)
        self._teller = Teller(live.switches, live.unknowns)
        self._entry = Entry(self._line, live.door, self._framer)
        self._loop = asyncio.get_running_loop()
        self._next = self._pinged = 0.0
        self._pings = 0
        self._waits = False  # for a pong

    async def serve(self) -> None:
        """Until either side ends it. Without a close of ours, the server drops the connection."""
        try:
            run = await self._entry.admit()
            if run is not None:
                await self._follow(run)
        except Ended as end:
            self._record.ended_with = end.code
            if end.code != DROP:
                await self._line.websocket.close(end.code)
        except WebSocketDisconnect as gone:
            self._record.code = gone.code

    async def _follow(self, run: Run) -> None:
        began = self._live.clock()
        self._next = self._pinged = self._loop.time()
        gone = self._switches.gone if run.is_over else "told"
        if gone == "close":
            raise Ended(self._switches.end_code)
        while True:
            await self._check(began)
            if not self._switches.silent and gone != "silent":
                await self._tell(run)
                await self._ping()
            if not self._record.looked.is_set():
                self._record.looked.set()
            await self._listen()

    async def _check(self, began: float) -> None:
        """Is there a reason to end that has nothing to do with the run?"""
        if self._record.order is not None:
            raise Ended(self._record.order)
        longest = self._switches.longest
        if longest is not None and self._live.clock() - began >= longest:
            raise Ended(_GOING_AWAY)
        if self._switches.expiry == "ignore":
            return
        try:
            self._live.door.person(self._entry.token)
        except HttpError as error:
            if self._switches.expiry == "drop":
                raise Ended(DROP) from None
            if self._switches.expiry == "message":
                body = error.body
                await self._line.send(self._framer.error(body["code"], body["message"]))
            raise Ended(self._switches.expiry_code) from None

    async def _tell(self, run: Run) -> None:
        switches, state = self._switches, self._live.state
        with state.lock:
            state.grow_run(run)
            now = state.clock()
            said = self._teller.news(run, now)
            over = run.is_over
        if not switches.tells_end:
            said = [one for one in said if not one.last]
        breaks = switches.breaks_off(self._framer.count + len(said))
        if breaks and switches.break_after is not None:
            said = said[: max(0, switches.break_after - self._framer.count)]
        for frame in self._framer.frames(said, now):
            await self._line.send(frame)
        if breaks:
            raise Ended(switches.break_code)
        if over and switches.ending != "stay":
            raise Ended(switches.end_code if switches.ending == "close" else DROP)

    async def _ping(self) -> None:
        switches, now = self._switches, self._loop.time()
        engine = switches.form == "socketio"
        if self._waits and now - self._pinged >= switches.pong_within:
            raise Ended(DROP if engine else switches.pong_code)
        every = switches.ping_every or (ENGINE_PINGS if engine else 0.0)
        if not every or self._waits or now - self._pinged < every:
            return
        if engine and switches.engine == CLIENT_PINGS:
            return
        self._waits, self._pinged, self._pings = True, now, self._pings + 1
        if engine:
            await self._line.send("2")
        elif switches.ping == "pusher:ping":
            await self._line.send(json.dumps({"event": "pusher:ping", "data": "{}"}))
        else:
            at = self._live.unknowns.time(self._live.clock())
            await self._line.send(self._framer.control("ping", id=self._pings, timestamp=at))

    async def _listen(self) -> None:
        """Hear what the client says until it is time for the next look."""
        self._next = max(self._next + self._switches.every, self._loop.time())
        try:
            async with asyncio.timeout_at(self._next):
                while True:
                    await self._note(await self._line.heard())
        except TimeoutError:
            return

    async def _note(self, text: str | None) -> None:
        if text is None:
            return
        engine = self._switches.form == "socketio"
        if engine and text.startswith("2"):
            await self._line.send("3" + text[1:])
        if text.startswith("3") if engine else '"pong"' in text or "pusher:pong" in text:
            self._record.pongs += 1
            self._waits = False
