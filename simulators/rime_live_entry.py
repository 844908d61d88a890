"""How a progress socket of the simulated RIME begins: upgrade, handshakes, introduction."""

import asyncio
import json
from dataclasses import dataclass

from simulators.rime_http import HttpError
from simulators.rime_live_door import Door
from simulators.rime_live_frames import Framer
from simulators.rime_live_line import DROP, Ended, Line
from simulators.rime_live_switches import Switches
from simulators.rime_state import Run

_UNAUTHORIZED, _SWITCHED = 401, 101
_POLICY = 1008
CLIENT_PINGS = 3  # the version of Engine.IO in which the server connects and the client pings
ENGINE_PINGS = 25.0  # seconds, its default


@dataclass(slots=True)
class Entry:
    """Lets one client in, or not. `token`: what it showed."""

    line: Line
    door: Door
    framer: Framer
    token: str = ""

    @property
    def _switches(self) -> Switches:
        return self.door.switches

    async def admit(self) -> Run | None:
        """The run that may be followed; None: the upgrade was refused. `Ended` after it."""
        if self._switches.refuses():
            named = {
                "retry_after": self._switches.retry_after,
                "location": self._switches.location,
            }
            headers = {name: value for name, value in named.items() if value is not None}
            await self._deny(self._switches.upgrade, "Not now", **headers)
            return None
        if self._switches.auth == "first_message":
            await self._open()
            run = await self._introduced()
        else:
            self.token = self.door.shown(self.line.websocket)
            try:
                run = self._run()
            except HttpError as error:
                await self._refuse(error)
                return None
            await self._open()
        if self._switches.greeting:
            await self.line.send(self.framer.control(self._switches.greeting))
        return run

    def _run(self) -> Run:
        return self.door.run(self.door.person(self.token), self.line.record.run)

    async def _deny(self, status: int, message: str, **headers: str) -> None:
        self.line.record.status = status
        await self.door.deny(self.line.websocket, status, message, **headers)

    async def _refuse(self, error: HttpError) -> None:
        """By the answer to the upgrade, or else after it."""
        if error.status != _UNAUTHORIZED:
            await self._deny(error.status, error.body["message"])
        elif self._switches.denial == "status":
            await self._deny(self._switches.denial_status, error.body["message"])
        else:
            await self._open()
            await self._turn_away(error)

    async def _turn_away(self, error: HttpError) -> None:
        """Say why, where that is switched on, and close."""
        denial = self._switches.denial
        code, message = error.body["code"], error.body["message"]
        if denial == "error":
            await self.line.send(self.framer.error(code, message))
        elif denial not in ("status", "close"):
            await self.line.send(self.framer.control(denial, message=message))
        raise Ended(self.door.close_code(error))

    async def _open(self) -> None:
        websocket = self.line.websocket
        await websocket.accept(self.door.chosen(websocket))
        self.line.record.status = _SWITCHED
        if self._switches.form == "socketio":
            await self._connect()

    async def _connect(self) -> None:
        """The handshakes of Engine.IO and Socket.IO."""
        name = self.line.record.number
        every = self._switches.ping_every or ENGINE_PINGS
        seconds = {"pingInterval": every, "pingTimeout": self._switches.pong_within}
        times = {key: int(1000 * value) for key, value in seconds.items()}
        about = {"sid": f"s{name}", "upgrades": [], **times, "maxPayload": 1_000_000}
        await self.line.send("0" + json.dumps(about))
        if self._switches.engine == CLIENT_PINGS:
            await self.line.send("40")
            return
        text = await self._first()
        if not text.startswith("40"):
            raise Ended(DROP)
        if self._switches.auth == "first_message":
            self.token = self.door.told(text)
        space = f"{self._switches.namespace}," if self._switches.namespace else ""
        await self.line.send(f'40{space}{{"sid":"c{name}"}}')

    async def _introduced(self) -> Run:
        # With Socket.IO, the packet that connects has shown the token.
        if self._switches.form != "socketio":
            if self._switches.asks:
                await self.line.send(self.framer.control("auth_required"))
            self.token = self.door.told(await self._first())
        try:
            return self._run()
        except HttpError as error:
            await self._turn_away(error)
            raise

    async def _first(self) -> str:
        """The first text of the client, if it comes in time."""
        try:
            async with asyncio.timeout(self._switches.auth_seconds):
                while True:
                    if (text := await self.line.heard()) is not None:
                        return text
        except TimeoutError:
            raise Ended(_POLICY) from None
