"""Addresses that a stranger gives: nothing that only we can reach is asked, by whatever name."""

import re
import socket
import threading
from collections.abc import Iterator, Sequence

import httpx
import pytest

from clients.errors import ClientError, UnexpectedResponse
from clients.http import ApiClient
from clients.public import PublicOnly
from clients.redaction import Credentials

CANARY = "canary-token"
SPELLINGS = [
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1",
    "017700000001", "0", "localhost", "LOCALHOST.", "a.localhost", "①②⑦.⓪.⓪.①", "127。0。0。1",
    "\uff11\uff12\uff17.0.0.1", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
    "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[0:0:0:0:0:ffff:7f00:0001]",
    "[fe80::1%25lo]", "169.254.169.254", "[fd00:ec2::254]",
]  # fmt: skip


class Api(ApiClient):
    """A client of a vendor whose address a stranger gave."""

    vendor = "Vendor"
    allowed = (("GET", re.compile(r"things/[a-z]*")),)

    def ask(self) -> object:
        """Ask with a token."""
        header = {"Authorization": f"Bearer {CANARY}"}
        return self._request("GET", "things/a", credentials=Credentials(headers=header)).json()


class Listener:
    """A port of this machine that counts who calls, and says what a script says."""

    def __init__(self, *, says: bytes = b"") -> None:
        self.called: list[bytes] = []
        self._says = says
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self.called.append(connection.recv(65536))
                connection.sendall(self._says)

    def close(self) -> None:
        """Nobody can call any more."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(10)


@pytest.fixture
def listener() -> Iterator[Listener]:
    """Something that only this machine can reach."""
    made = Listener()
    yield made
    made.close()


def client(url: str, http: httpx.Client) -> Api:
    """A client for this address; it gives up soon."""
    return Api(http=http, base_url=url, deadline=5)


@pytest.mark.parametrize("host", SPELLINGS)
def test_this_machine_has_no_name_that_passes(listener: Listener, host: str) -> None:
    """Decimal, octal, hexadecimal, short, wrapped, full width: looked up, judged, not called."""
    with (
        httpx.Client(transport=PublicOnly(httpx.HTTPTransport()), trust_env=False) as http,
        pytest.raises((ClientError, ValueError)) as caught,
    ):
        client(f"http://{host}:{listener.port}/", http).ask()
    assert listener.called == []
    assert CANARY not in str(caught.value)


def test_a_name_that_changes_its_mind_is_asked_once(listener: Listener) -> None:
    """Public for the check and private for the call: there is no second look-up to answer."""
    answers = iter([["192.0.2.255", "93.184.215.14"], ["127.0.0.1"], ["127.0.0.1"]])
    looked: list[str] = []

    def resolve(host: str, _port: int) -> Sequence[str]:
        looked.append(host)
        return next(answers)

    transport = PublicOnly(httpx.HTTPTransport(), resolve=resolve)
    with httpx.Client(transport=transport, trust_env=False) as http, pytest.raises(ClientError):
        client(f"http://rebinding.example.org:{listener.port}/", http).ask()
    assert looked == ["rebinding.example.org"]
    assert listener.called == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("path", ["/things/a", "/latest/meta-data/", "//"])
def test_no_redirect_leads_to_another_server(listener: Listener, status: int, path: str) -> None:
    """Not to another port of the same host either, and no token goes there."""
    there = f"http://127.0.0.1:{listener.port}{path}"
    hostile = Listener(
        says=f"HTTP/1.1 {status} Go\r\nLocation: {there}\r\nContent-Length: 0\r\n"
        "Connection: close\r\n\r\n".encode()
    )
    try:
        with httpx.Client(trust_env=False) as http, pytest.raises(UnexpectedResponse) as caught:
            client(f"http://127.0.0.1:{hostile.port}/", http).ask()
    finally:
        hostile.close()
    assert caught.value.reason == "redirected"
    assert len(hostile.called) == 1
    assert listener.called == []


@pytest.mark.parametrize(
    "url",
    [
        f"http://u:{CANARY}@93.184.215.14/", f"http://{CANARY}@localhost/", "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_PING", "ftp://127.0.0.1/", "data:text/plain,x", "//127.0.0.1/",
        "http:127.0.0.1", "http:///things", "http://", "unix:///run/docker.sock", "javascript:1",
        "http://a\r\nHost: b/", "http://93.184.215.14/?x=http://127.0.0.1", "http://h:99999/",
        "http://h:0/", "http://h#@b/",
    ],
)  # fmt: skip
def test_what_is_no_plain_address_of_the_web_is_none(url: str) -> None:
    """Other schemes, logins in the address, fragments and lines: refused, and not repeated."""
    with httpx.Client(trust_env=False) as http, pytest.raises(ValueError) as caught:  # noqa: PT011 -- any
        client(url, http)
    assert CANARY not in str(caught.value)
