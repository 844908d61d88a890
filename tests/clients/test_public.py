"""Addresses that only we can reach are not called for somebody else, whatever name they have."""

import re
from collections.abc import Iterator, Sequence

import httpx
import pytest

from clients import public
from clients.errors import Rejected
from clients.http import ApiClient
from clients.public import PrivateAddressError, PublicOnly
from simulators.server import LocalServer

PRIVATE = [
    "10.0.0.1",
    "172.16.3.4",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",  # noqa: S104 -- nothing is bound
    "224.0.0.1",
    "255.255.255.255",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "::",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
    "2002:a00:1::1",
    "ff02::1",
    "::127.0.0.1",
    "::10.0.0.1",
    "::ffff:0:7f00:1",
    "64:ff9b:1::7f00:1",
    "fec0::1",
    "5f00::1",
    "3fff::1",
    "2001:db8::1",
    "192.88.99.1",
    "198.18.0.1",
    "240.0.0.1",
]
PUBLIC = [
    "2a00:1450:4016:80b::200e",
    "93.184.215.14",
    "2606:2800:21f:cb07:6820:80da:af6b:8b2c",
    "::ffff:93.184.215.14",
]
HERE = ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"]


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_public_is_not_called(address: str) -> None:
    """Private, link-local, shared, reserved, and any of them wrapped in IPv6."""
    assert not public.is_public(address)
    assert not public.is_public(address, loopback=True)


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public_is(address: str) -> None:
    """Nothing is refused that anybody can reach."""
    assert public.is_public(address)


@pytest.mark.parametrize("address", HERE)
def test_this_machine_is_by_leave_only(address: str) -> None:
    """A database without a password listens there."""
    assert not public.is_public(address)
    assert public.is_public(address, loopback=True)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "a.localhost", "[::1]", "127.0.0.1"])
def test_this_machine_has_many_names(host: str) -> None:
    """As they may stand in a URL."""
    assert public.is_loopback_host(host)
    assert not public.is_public_host(host)
    assert public.is_public_host(host, loopback=True)


def test_a_name_is_judged_when_it_is_looked_up() -> None:
    """One that says nothing passes here; an address does not."""
    assert public.is_public_host("bem.example.org")
    assert public.is_public_host("localhost.example.org.")
    assert not public.is_public_host("[fe80::1]")
    assert not public.is_public_host("10.0.0.1.")


async def _hello(scope: dict, receive: object, send: object) -> None:  # type: ignore[type-arg]
    host = dict(scope["headers"])[b"host"]
    await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]
    await send({"type": "http.response.body", "body": host})  # type: ignore[operator]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server that answers with the host it was called by."""
    with LocalServer(_hello) as server:  # type: ignore[arg-type]
        yield server.port


def get(url: str, *addresses: str, loopback: bool = True) -> httpx.Response:
    """One GET where the host stands for these addresses."""
    asked: list[str] = []

    def resolve(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return addresses

    with httpx.Client(
        transport=PublicOnly(httpx.HTTPTransport(), loopback=loopback, resolve=resolve)
    ) as http:
        response = http.get(url)
    assert len(asked) == 1
    return response


def test_what_was_checked_is_what_is_called(port: int) -> None:
    """The name is looked up once, its address is called, and the server hears the name."""
    assert get(f"http://plant.example.org:{port}/", "127.0.0.1").text == (
        f"plant.example.org:{port}"
    )


@pytest.mark.parametrize("others", [(), ("93.184.215.14",)], ids=["alone", "beside a public one"])
def test_one_private_address_is_enough(port: int, others: tuple[str, ...]) -> None:
    """Whoever answers with two addresses may mean the second."""
    with pytest.raises(PrivateAddressError):
        get(f"http://plant.example.org:{port}/", *others, "127.0.0.1", loopback=False)


def test_an_address_that_does_not_answer_is_not_the_last(port: int) -> None:
    """The next of the same name is tried."""
    assert get(f"http://plant.example.org:{port}/", "127.9.9.9", "127.0.0.1").status_code == 200


@pytest.mark.parametrize("answer", [OSError("no such name"), ()], ids=["fails", "is empty"])
def test_a_look_up_that_fails_is_a_failed_connection(answer: OSError | tuple[()]) -> None:
    """It is tried again like any other."""

    def resolve(_host: str, _port: int) -> Sequence[str]:
        if isinstance(answer, OSError):
            raise answer
        return answer

    with (
        httpx.Client(transport=PublicOnly(httpx.HTTPTransport(), resolve=resolve)) as http,
        pytest.raises(httpx.ConnectError),
    ):
        http.get("http://plant.example.org/")


class _Client(ApiClient):
    allowed = (("GET", re.compile("x")),)

    def ask(self) -> None:
        self._request("GET", "x")


def test_people_read_why_and_who_can_allow_it() -> None:
    """Not a failure to be tried again for days."""
    with httpx.Client(transport=PublicOnly(httpx.HTTPTransport())) as http:
        client = _Client(http=http, base_url="http://127.0.0.1:9")
        with pytest.raises(Rejected, match=r"not public.*WAGGLE_PRIVATE_ADDRESSES=allow") as caught:
            client.ask()
    assert caught.value.reason == "private_address"
