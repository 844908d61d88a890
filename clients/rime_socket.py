"""The WebSocket on which RIME tells how a run goes.

That there is one is all that is published (https://rimedata.io/docs/api/overview): its address, and
how it wants to be shown a token, come from the tenant's own API page by way of the settings. Tokens
belong in the Authorization header, says the page on authentication, so that is the default.
"""

import asyncio
import dataclasses
import json
import logging
import re
import socket
from typing import Any, Literal, cast
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from clients import limits
from clients.public import PRIVATE, is_public
from clients.rime_stream import Connection, Stream

Auth = Literal["header", "first_message", "subprotocol", "query"]

LARGEST_FRAME = 1024 * 1024  # bytes
PING_SECONDS = 25.0  # below the minute after which proxies take a connection for dead
PONG_SECONDS = 10.0
OPEN_SECONDS = 10.0
CLOSE_SECONDS = 2.0
SUBPROTOCOL = "rime"
MISPLACED = 426  # as a server says that it has no stream there: a setting is wrong

# What may stand in a header, and in the list of subprotocols (RFC 9110, 5.6.2); in JSON and in a
# query, where it is encoded, anything may.
_SHOWABLE: dict[Auth, re.Pattern[str]] = {
    "header": re.compile("[!-~]+"),
    "subprotocol": re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII),
    "first_message": re.compile("(?s).+"),
    "query": re.compile("(?s).+"),
}
# With DEBUG, the library writes down each header and each frame.
_WIRE = logging.getLogger(f"{__name__}.wire")
_WIRE.setLevel(logging.WARNING)


def _worth_a_line(record: logging.LogRecord) -> bool:
    """That a connection has ended is told to whoever reads from it.

    A ping that meets the end first is reported by the library as an error, with a traceback.
    """
    return not (record.exc_info and isinstance(record.exc_info[1], ConnectionClosed))


_WIRE.addFilter(_worth_a_line)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where a stream is, and what proves who asks. `url` holds no token."""

    url: str
    token: str = dataclasses.field(repr=False)
    auth: Auth = "header"
    framing: Literal["json", "socketio"] = "json"
    private: bool = True  # whether an address that is not public may be called
    loopback: bool = False


class RefusedError(Exception):
    """A stream did not open. `str(error)` is fit for a page: no token is in it.

    `status`: HTTP status, or `MISPLACED`; None: there was no answer, and there may be one later.
    `retry_after` in seconds.
    """

    def __init__(
        self, message: str, *, status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


async def open_stream(door: Door, *, now: float, seconds: float = OPEN_SECONDS) -> Stream:
    """A stream, open and introduced. Raises `RefusedError`; never follows a redirect.

    `now`: Unix seconds, to measure a `Retry-After` that is a date against. `seconds`: for all of
    it, the look-up of the host included.
    """
    if not _SHOWABLE[door.auth].fullmatch(door.token):
        # Whatever it would be refused with by the library would quote it.
        raise RefusedError(f"the token can't be shown by way of {door.auth}", status=MISPLACED)
    refusal: RefusedError
    try:
        async with asyncio.timeout(seconds):
            stream = Stream(await _connected(door))
            if door.auth == "first_message" and door.framing == "json":
                stream.say(json.dumps({"type": "auth", "token": door.token}))
            return stream
    except InvalidStatus as error:
        refusal = _refused(error, now)
    except OSError as error:  # time-outs and what is wrong with TLS among them
        refusal = _unreached(error)
    except (InvalidHandshake, InvalidURI, ValueError) as error:
        # Their texts may quote the address or a header. An end of the connection before there was
        # an answer is a server that goes, not one that has no stream.
        lost = error.__cause__
        if isinstance(lost, EOFError | OSError):
            refusal = _unreached(lost)
        else:
            name = type(error).__name__
            refusal = RefusedError(f"no stream answers there ({name})", status=MISPLACED)
    # Here, so that it does not carry the other one along.
    raise refusal


async def _connected(door: Door) -> Connection:
    """The first address that answers. What it raises may hold the token."""
    headers, subprotocols, url = {}, None, door.url
    if door.auth == "header":
        headers["Authorization"] = f"Bearer {door.token}"
    elif door.auth == "subprotocol":
        subprotocols = [SUBPROTOCOL, door.token]
    elif door.auth == "query":
        url = _with_token(door.url, door.token)
    failed = OSError("the host has no address")
    for address in await _addresses(door):
        try:
            opened = await _Connect(
                url,
                additional_headers=headers,
                subprotocols=subprotocols,  # type: ignore[arg-type] # texts, to the library
                compression=None,  # it would cost each stream forty kilobytes
                open_timeout=None,
                ping_interval=PING_SECONDS,
                ping_timeout=PONG_SECONDS,
                close_timeout=CLOSE_SECONDS,
                max_size=LARGEST_FRAME,
                user_agent_header="Waggle",
                proxy=None,
                logger=_WIRE,
                create_connection=Connection,
                **address,
            )
            return cast("Connection", opened)
        except OSError as error:
            failed = error
    raise failed


class _Connect(connect):
    """A handshake that goes nowhere else: a token is for the host that was named."""

    def process_redirect(self, exc: Exception) -> Exception:
        """Take an answer for what it is."""
        return exc


async def _addresses(door: Door) -> list[dict[str, Any]]:
    """The addresses that were checked are the ones that are called; any, where any may be."""
    if door.private:
        return [{}]
    parts = urlsplit(door.url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "wss" else 80)
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
    if any(not is_public(address, loopback=door.loopback) for address in addresses):
        raise RefusedError(f"the host of the stream {PRIVATE}", status=MISPLACED)
    # The certificate is checked against the name, as if nobody had looked it up.
    named = {"server_hostname": host} if parts.scheme == "wss" else {}
    return [{"host": address, "port": port, **named} for address in addresses]


def _with_token(url: str, token: str) -> str:
    parts = urlsplit(url)
    query = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != "token"]
    return urlunsplit(parts._replace(query=urlencode([*query, ("token", token)])))


def _refused(error: InvalidStatus, now: float) -> RefusedError:
    response = error.response
    said = limits.read(httpx.Headers(list(response.headers.raw_items())), now=now)
    status = response.status_code
    return RefusedError(
        f"the stream is refused with status {status}", status=status, retry_after=said.retry_after
    )


def _unreached(error: BaseException) -> RefusedError:
    return RefusedError(f"the stream can't be reached ({type(error).__name__})")
