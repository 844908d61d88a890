"""Vendors to talk to: a scripted one behind a MockTransport, and raw sockets."""

import dataclasses
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from clients.bemserver import BemserverClient, MemoryEtagCache
from clients.http import ApiClient

HERE = Path(__file__).parent


class Clock:
    """A clock that moves only when told to, or by `step` at each look."""

    def __init__(self, now: float = 1_700_000_000.0, *, step: float = 0.0):
        self.now = now
        self.step = step

    def __call__(self) -> float:
        """Look at the clock."""
        self.now += self.step
        return self.now


@dataclasses.dataclass
class Vendor:
    """A server that answers from a script; the last answer repeats. Exceptions are raised."""

    script: list = dataclasses.field(default_factory=list)
    requests: list[httpx.Request] = dataclasses.field(default_factory=list)

    def answers(self, *script) -> None:
        """Answer like this from now on, and forget what came before."""
        self.script = list(script)
        self.requests.clear()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Serve one request."""
        request.read()
        self.requests.append(request)
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            return answer(request)
        # A response can be read once only; the last one of a script serves many requests.
        return httpx.Response(
            answer.status_code, headers=answer.headers, stream=httpx.ByteStream(answer.content)
        )

    @property
    def last(self) -> httpx.Request:
        """The newest request."""
        return self.requests[-1]

    @property
    def targets(self) -> list[str]:
        """What would stand on the request lines."""
        return [
            f"{request.method} {request.extensions.get('target', request.url.raw_path).decode()}"
            for request in self.requests
        ]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_clock() -> type[Clock]:
    return Clock


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()


@pytest.fixture
def http(vendor: Vendor) -> Iterator[httpx.Client]:
    with httpx.Client(transport=httpx.MockTransport(vendor)) as client:
        yield client


@pytest.fixture
def real_http() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False) as client:
        yield client


@pytest.fixture
def recorded() -> Callable[[str], httpx.Response]:
    """Answers of the vendors, condensed from recorded exchanges, by name."""
    kept = {
        name: answer
        for file in sorted(HERE.glob("*.json"))
        for name, answer in json.loads(file.read_text()).items()
    }

    def response(name: str) -> httpx.Response:
        answer = kept[name]
        body = answer.get("text")
        content = json.dumps(answer["json"]) if body is None else body
        headers = {"Content-Type": "application/json", **answer.get("headers", {})}
        return httpx.Response(answer["status"], headers=headers, content=content)

    return response


class Wire:
    """A listening socket; each connection is handed to the next script, with this wire."""

    def __init__(self, *scripts: Callable[["Wire", socket.socket], None]):
        self.scripts = scripts
        self.heads: list[bytes] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(10)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        for script in self.scripts:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(10)
                script(self, connection)

    def read_head(self, connection: socket.socket) -> None:
        """Take in one request without a body and keep it in `heads`."""
        head = b""
        while b"\r\n\r\n" not in head:
            part = connection.recv(65536)
            if not part:
                return
            head += part
        self.heads.append(head)

    def close(self) -> None:
        """Stop listening and wait for the last script."""
        self.listener.close()
        self.thread.join(10)


@pytest.fixture
def wire() -> Iterator[Callable[..., Wire]]:
    wires: list[Wire] = []

    def start(*scripts: Callable[[Wire, socket.socket], None]) -> Wire:
        wires.append(Wire(*scripts))
        return wires[-1]

    yield start
    for each in wires:
        each.close()


class Api(ApiClient):
    """A small vendor client."""

    vendor = "Vendor"
    allowed = tuple(
        (method, re.compile(r"things/[a-z]*")) for method in ("GET", "POST", "PUT", "DELETE")
    )

    def ask(self, method="GET", path="things/", **more):
        """Ask for anything that is listed."""
        return self._request(method, path, **more)


@pytest.fixture
def make_api() -> type[Api]:
    return Api


@pytest.fixture
def api(http, clock):
    return Api(http=http, base_url="http://vendor.test/api/v0", clock=clock, monotonic=clock)


class Tokens:
    """A token source that counts."""

    def __init__(self):
        self.current, self.rejected = "acc-canary-0", []

    def access(self):
        """What we have."""
        return self.current

    def renew(self, rejected):
        """A new one."""
        self.rejected.append(rejected)
        self.current = f"acc-canary-{len(self.rejected)}"
        return self.current


@pytest.fixture
def tokens():
    return Tokens()


@pytest.fixture
def bemserver(http, tokens):
    return BemserverClient(http=http, base_url="http://bem.test/api/v0/", tokens=tokens)


@pytest.fixture
def caching(http, tokens):
    return BemserverClient(
        http=http, base_url="http://bem.test/api/v0", tokens=tokens, etags=MemoryEtagCache()
    )
