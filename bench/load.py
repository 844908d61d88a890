"""Many callers at once, each on a connection of its own, in a process of their own.

A caller sends the next request when the last one is answered; nothing is pipelined. It parses no
more of an answer than its status and its length, so that it is quicker than anything it measures:
how much of a core it took is part of the result.
"""

import argparse
import asyncio
import json
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop

ROOT = Path(__file__).parents[1]
HEAD_END, LENGTH = b"\r\n\r\n", b"content-length:"
PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Answered:
    """Answers per second, their latency in milliseconds, how many had which status.

    `core`: the part of a core that the callers took.
    """

    per_second: float
    median: float
    p99: float
    statuses: dict[str, int]
    core: float


class LoadFailed(Exception):  # noqa: N818 -- says what happened
    """The callers could not call; the message says why."""


def run(url: str, *, callers: int, seconds: float, users: int, warm: float = 1.0) -> Answered:
    """Call a URL from another process, with `users` different names. Raises `LoadFailed`.

    What is answered in the first `warm` seconds does not count.
    """
    words = ["--url", url, "--callers", callers, "--seconds", seconds, "--users", users]
    done = subprocess.run(
        [sys.executable, "-m", "bench.load", *map(str, words), "--warm", str(warm)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=seconds + warm + PATIENCE,
        check=False,
    )
    if done.returncode != 0:
        raise LoadFailed(f"{url}: {done.stderr.strip()[-500:]}")
    return Answered(**json.loads(done.stdout))


class _Caller(asyncio.Protocol):
    """One connection; `took` is where it writes down how long each answer took."""

    def __init__(self, requests: list[bytes], took: list[float], statuses: dict[str, int]) -> None:
        self._requests, self._took, self._statuses = requests, took, statuses
        self._next = 0
        self._got = b""
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None
        self.over = asyncio.get_running_loop().create_future()
        self.counts = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # it is one
        """Send the first request."""
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        """Send the next one when an answer is whole."""
        self._got += data
        head, found, body = self._got.partition(HEAD_END)
        if not found:
            return
        at = head.lower().find(LENGTH)
        length = int(head[at + len(LENGTH) :].split(b"\r\n", 1)[0])
        if len(body) < length:
            return
        self._got = b""
        if self.counts:
            self._took.append(time.perf_counter() - self._sent_at)
            status = head[9:12].decode()
            self._statuses[status] = self._statuses.get(status, 0) + 1
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        """Say so: nobody hangs up on a caller in order."""
        if not self.over.done():
            self.over.set_result(exc)

    def close(self) -> None:
        """Call no more."""
        self.counts = False
        if self._transport is not None:
            self._transport.abort()

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        request = self._requests[self._next % len(self._requests)]
        self._next += 1
        if self._transport is not None:
            self._transport.write(request)


async def _call(host: str, port: int, requests: list[bytes], given: argparse.Namespace) -> Answered:
    loop = asyncio.get_running_loop()
    took: list[float] = []
    statuses: dict[str, int] = {}
    callers: list[_Caller] = []
    for number in range(given.callers):
        turned = requests[number % len(requests) :] + requests[: number % len(requests)]
        caller = _Caller(turned, took, statuses)
        await loop.create_connection(lambda caller=caller: caller, host, port)  # type: ignore[misc]
        callers.append(caller)
    await asyncio.sleep(given.warm)
    began, used = time.perf_counter(), time.process_time()
    for caller in callers:
        caller.counts = True
    await asyncio.sleep(given.seconds)
    passed, core = time.perf_counter() - began, time.process_time() - used
    lost = [caller for caller in callers if caller.over.done()]
    for caller in callers:
        caller.close()
    if lost or len(took) < 100:  # noqa: PLR2004 -- no 99th percentile of fewer
        message = f"{len(lost)} of {len(callers)} connections were lost, {len(took)} answers came"
        raise LoadFailed(message)
    return Answered(
        per_second=len(took) / passed,
        median=statistics.median(took) * 1000,
        p99=statistics.quantiles(took, n=100)[-1] * 1000,
        statuses=statuses,
        core=core / passed,
    )


def main() -> int:
    """Call, and print what came as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__)
    parser.add_argument("--url", required=True, help="where a POST with username and slug goes")
    parser.add_argument("--callers", type=int, default=200)
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--warm", type=float, default=1.0)
    given = parser.parse_args()
    server, _, path = given.url.removeprefix("http://").partition("/")
    host, _, port = server.partition(":")
    requests = [_request(server, path, user) for user in range(given.users)]
    try:
        found = uvloop.run(_call(socket.gethostbyname(host), int(port), requests, given))
    except (OSError, LoadFailed) as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(asdict(found)))
    return 0


def _request(server: str, path: str, user: int) -> bytes:
    body = f"username=bench{user}&slug=goal{user}".encode()
    head = (
        f"POST /{path} HTTP/1.1\r\nhost: {server}\r\n"
        f"content-type: application/x-www-form-urlencoded\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


if __name__ == "__main__":
    sys.exit(main())
