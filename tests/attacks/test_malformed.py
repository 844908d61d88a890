"""Ten thousand requests that make no sense: each is refused or ignored, and nothing is left."""

import asyncio
import json
import re

import pytest

from tests.attacks.conftest import Web
from tests.attacks.malformed import Maker
from tests.blackbox.house import SECRET

pytestmark = pytest.mark.blackbox

COUNT = 10_000
AT_ONCE = 40
SECONDS = 60.0
GROWTH = 40.0  # MB
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
# Of the 5xx only these are declared: a callback without its data, and work that does not move.
LATE = b'{"status":"late"}'
PROBE = b"/readyz"


async def exchange(address: tuple[str, int], request: bytes) -> bytes:
    """Send it, say that nothing more comes, and take what is answered."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        async with asyncio.timeout(SECONDS):
            writer.write(request)
            await writer.drain()
            writer.write_eof()
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def exchanges(address: tuple[str, int], requests: list[bytes]) -> list[bytes]:
    """All of them, some at once."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(request: bytes) -> bytes:
        async with room:
            return await exchange(address, request)

    return list(await asyncio.gather(*(one(request) for request in requests)))


def declared(request: bytes, answer: bytes) -> bool:
    """Is there nothing in the answers but what is promised?"""
    return all(
        status < b"500" or (status == b"503" and (LATE in answer or PROBE in request))
        for status in STATUS.findall(answer)
    )


def test_ten_thousand_malformed_requests_change_nothing(web: Web) -> None:
    """No undeclared 5xx, no traceback, no memory that stays, and whoever asks after is served."""
    web.house.run("apply", str(web.house.declare("energy")))
    hook = web.house.run("hook", "alice").stdout.strip().rpartition("/")[2]
    requests = Maker(20_261_130, [SECRET, hook]).some(COUNT)
    asyncio.run(exchanges(web.address, requests[:500]))
    before = web.memory()

    answers = asyncio.run(exchanges(web.address, requests))

    grown = web.memory() - before
    seen = {status for answer in answers for status in STATUS.findall(answer)}
    wrong = {
        request[:300]: answer[:300]
        for request, answer in zip(requests, answers, strict=True)
        if not declared(request, answer)
    }
    assert wrong == {}
    assert {b"200", b"400", b"404", b"405", b"413", b"415", b"503"} <= seen
    assert not [one for one in answers if b"\r\nx-evil" in one.lower()]  # asked for in paths
    log = web.house.log()
    assert "Traceback" not in log
    assert log.replace("\n", "").isprintable()
    lines = [json.loads(line) for line in log.splitlines()]  # one event each, whatever was sent
    assert [line for line in lines if line["level"] in ("error", "critical")] == []
    assert grown < GROWTH
    assert web.house.http.get("/healthz").text == "ok"
    assert web.house.autofetch().json() == {"status": "late"}
