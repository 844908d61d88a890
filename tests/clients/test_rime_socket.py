"""Opening the stream of a run: how the token is shown, and how an upgrade is refused."""

import asyncio
import json
import logging
import time
import traceback
from email.utils import formatdate

import pytest
from websockets.exceptions import ConnectionClosedOK

from clients.rime_socket import MISPLACED, Door, RefusedError, open_stream
from tests.simulators.live_rime import Tenant

NOW = 1_700_000_000.0
CANARY = "canary/é+ 1"  # what a query has to encode


@pytest.fixture
def tenant(clock):
    with Tenant(clock).served() as made:
        yield made


@pytest.fixture
def other(make_clock):
    with Tenant(make_clock()).served() as made:
        yield made


def door(tenant, **more):
    return Door(**{"url": f"{tenant.url}/live/r1", "token": "key-1", **more})


def first(wanted, **more):
    """The first text of a stream."""

    async def run():
        texts = []
        stream = await open_stream(wanted, now=NOW, **more)

        def take(text):
            texts.append(text)
            stream.end()

        await asyncio.wait_for(stream.listen(take), 5)
        return texts[0]

    return asyncio.run(run())


def refused(wanted, **more):
    """The refusal; nothing in it, however it is shown, holds the token or carries a cause."""
    with pytest.raises(RefusedError) as caught:
        asyncio.run(open_stream(wanted, now=NOW, **more))
    error = caught.value
    assert error.__context__ is None
    shown = f"{error!r} {error} {error.__dict__} {wanted!r}"
    assert wanted.token not in shown + "".join(traceback.format_exception(error))
    return error


def test_the_header_is_where_a_token_belongs(tenant):
    """Nowhere else, unless the settings say so; the address holds nothing of it."""
    assert json.loads(first(door(tenant)))["type"] == "run.snapshot"
    record = tenant.last()
    assert record.headers["authorization"] == "Bearer key-1"
    assert record.headers["user-agent"] == "Waggle"
    assert (record.query, record.subprotocols, record.received) == ("", [], [])


def test_the_first_message(tenant):
    """The token comes after the upgrade, in a message that says what it is."""
    tenant.live.switches.set(auth="first_message", greeting="auth_ok")
    assert json.loads(first(door(tenant, auth="first_message"))) == {"type": "auth_ok"}
    assert [json.loads(text) for text in tenant.last().received] == [
        {"type": "auth", "token": "key-1"}
    ]
    assert "authorization" not in tenant.last().headers


@pytest.mark.parametrize("echoes", [True, False])
def test_a_subprotocol(tenant, echoes):
    """A word and the token; a server that takes neither of them serves all the same."""
    tenant.live.switches.set(auth="subprotocol", echoes=echoes)
    assert first(door(tenant, auth="subprotocol"))
    assert tenant.last().subprotocols == ["rime", "key-1"]
    assert "authorization" not in tenant.last().headers


def test_the_query(tenant):
    """Encoded, beside what the address has; a token in the address itself is not sent."""
    tenant.state.add_key(CANARY)
    tenant.live.switches.set(auth="query")
    url = f"{tenant.url}/live/r1?a=b%26&token=old&c="
    assert first(door(tenant, auth="query", token=CANARY, url=url))
    assert tenant.last().query == "a=b%26&c=&token=canary%2F%C3%A9%2B+1"


def test_socketio_introduces_itself_later(tenant):
    """Whoever reads the frames connects: nothing is said before the server has spoken."""
    tenant.live.switches.set(auth="first_message", form="socketio")
    assert first(door(tenant, auth="first_message", framing="socketio")).startswith("0{")
    assert tenant.last().received == []


@pytest.mark.parametrize("auth", ["header", "first_message", "subprotocol", "query"])
def test_a_token_is_in_no_log(tenant, auth, caplog):
    """Not even in what the library writes down for those who look for faults."""
    tenant.live.switches.set(auth=auth)
    with caplog.at_level(logging.DEBUG):
        first(door(tenant, auth=auth))
        tenant.live.switches.set(upgrade=401)
        refused(door(tenant, auth=auth))
    ours = [one for one in caplog.records if not one.name.startswith("uvicorn")]
    assert "key-1" not in "".join(one.getMessage() for one in ours)
    assert "key-1" not in repr(door(tenant, auth=auth))


@pytest.mark.parametrize(
    ("auth", "token"),
    [
        ("header", "canary-1\r\nX-Evil: 1"),
        ("header", "canary-1 "),
        ("header", "canary-é"),
        ("header", ""),
        ("subprotocol", "canary-1=="),
        ("subprotocol", "canary-1,rime"),
        ("subprotocol", "canary-é"),
        ("first_message", ""),
        ("query", ""),
    ],
)
def test_a_token_that_cannot_be_shown_so(tenant, auth, token):
    """It is said before anybody is called, and is a matter of the settings."""
    with pytest.raises(RefusedError, match=f"by way of {auth}") as caught:
        asyncio.run(open_stream(door(tenant, auth=auth, token=token), now=NOW))
    assert caught.value.status == MISPLACED
    assert "canary" not in str(caught.value)
    assert tenant.live.sockets == []


@pytest.mark.parametrize("auth", ["header", "subprotocol", "query"])
@pytest.mark.parametrize("status", [401, 403, 404, 426, 429, 500, 503])
def test_refused_upgrades(tenant, auth, status):
    """The status comes through, and what is asked of those who may come again."""
    tenant.live.switches.set(upgrade=status, retry_after="7")
    error = refused(door(tenant, auth=auth, token="canary-1"))
    assert (error.status, error.retry_after) == (status, 7.0)
    assert str(error) == f"the stream is refused with status {status}"


def test_a_wrong_token(tenant):
    """As the server says it: before the upgrade."""
    error = refused(door(tenant, token="canary-1"))
    assert (error.status, error.retry_after) == (401, None)


def test_a_date_to_come_again(tenant):
    """Measured against the server's clock, however wrong ours is."""
    tenant.live.switches.set(upgrade=503, retry_after=formatdate(4e9, usegmt=True))
    found = refused(door(tenant)).retry_after
    assert found is not None
    assert 4e9 - 3e9 < found < 4e9 - NOW
    tenant.live.switches.set(retry_after="soon")
    assert refused(door(tenant)).retry_after is None


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("auth", ["header", "query", "subprotocol"])
def test_redirects_are_not_followed(tenant, other, status, auth):
    """A token is for the host that was named, and for no path but that."""
    for location in (f"{other.url}/live/r1", "/live/r2", f"{tenant.url}/live/r2"):
        tenant.live.switches.set(upgrade=status, location=location)
        assert refused(door(tenant, auth=auth)).status == status
    assert other.live.sockets == []
    assert [one.run for one in tenant.live.sockets] == ["r1"] * 3


def test_nobody_listens(tenant, wire):
    """There may be somebody later: no status."""
    closed = wire()
    closed.close()
    error = refused(door(tenant, url=closed.url.replace("http", "ws")))
    assert error.status is None
    assert str(error) == "the stream can't be reached (ConnectionRefusedError)"


@pytest.mark.parametrize("cut", [0, 20])
def test_a_server_that_goes_in_the_middle_of_its_answer(tenant, wire, cut):
    """A restart is no fault of the settings."""

    def script(wire, connection):
        wire.read_head(connection)
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\n"[:cut])

    error = refused(door(tenant, url=wire(script).url.replace("http", "ws")))
    assert error.status is None
    assert str(error) == "the stream can't be reached (EOFError)"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        b"SMTP ready\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
    ],
)
def test_a_server_that_is_none(tenant, wire, answer):
    """It answers, but not as it would have to: a matter of the settings."""

    def script(wire, connection):
        wire.read_head(connection)
        connection.sendall(answer)

    error = refused(door(tenant, url=wire(script).url.replace("http", "ws")))
    assert error.status == MISPLACED


def test_a_server_that_never_answers(tenant, wire):
    """The upgrade has a limit, and so have the connections that it leaves behind."""

    def script(wire, connection):
        wire.read_head(connection)
        assert connection.recv(1) == b""  # it is given up, not left open

    silent = wire(script)
    began = time.monotonic()
    error = refused(door(tenant, url=silent.url.replace("http", "ws")), seconds=0.1)
    assert error.status is None
    assert str(error) == "the stream can't be reached (TimeoutError)"
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    "url", ["", "http://127.0.0.1/x", "ws://", "ws://127.0.0.1:99999/", "ws://[::1/", "ws://h/#x"]
)
@pytest.mark.parametrize("private", [True, False])
def test_an_address_that_is_none(tenant, url, private):
    """A refusal like others, and never a traceback."""
    error = refused(Door(url=url, token="canary-1", private=private), seconds=2)
    assert error.status in (MISPLACED, None)


@pytest.mark.parametrize(
    ("host", "loopback", "opens"),
    [
        ("127.0.0.1", False, False),
        ("127.0.0.1", True, True),
        ("localhost", False, False),
        ("localhost", True, True),
        ("10.0.0.1", True, False),
        ("169.254.169.254", True, False),
        ("[::ffff:10.0.0.1]", True, False),
        ("[fd00::1]", False, False),
    ],
)
def test_addresses_that_are_not_public(tenant, host, loopback, opens):
    """They are not called for those who may not have us call them; the setting is what is wrong."""
    url = f"{tenant.url}/live/r1".replace("127.0.0.1", host)
    wanted = door(tenant, url=url, private=False, loopback=loopback)
    if opens:
        assert first(wanted)
        assert tenant.last().headers["host"] == url.split("/")[2]
        return
    error = refused(wanted, seconds=5)
    assert error.status == MISPLACED
    assert "not public" in str(error)
    assert tenant.live.sockets == []


@pytest.mark.parametrize(
    ("error", "said"), [(ConnectionClosedOK(None, None), []), (KeyError("x"), ["ping failed"])]
)
def test_an_end_that_a_ping_meets_first_is_no_error(caplog, error, said):
    """Whoever reads hears of it; what else goes wrong in the library is said."""
    wire = logging.LoggerAdapter(logging.getLogger("clients.rime_socket.wire"))
    try:
        raise error
    except (ConnectionClosedOK, KeyError):
        wire.exception("ping failed")
    assert [one.message for one in caplog.records] == said
