"""A callback to ourselves: only a fresh 200 will do, and the secret is nowhere."""

import httpx
import pytest

from clients import canary
from clients.errors import Unavailable
from simulators.server import LocalServer
from tests.tasks.listening import listening, nobody

SECRET = "canary-path-secret"


def call(url: str, http: httpx.Client, *, seconds: float = 5.0) -> None:
    """Call back to a receiver there."""
    canary.call_back(
        http, url, secret=SECRET, username="alice", slug="energy", request_id="r", seconds=seconds
    )


@pytest.fixture(name="http")
def _http():
    with httpx.Client() as client:
        yield client


def answering(status: int, body: bytes, seen: list):
    """A receiver that answers so."""

    async def app(scope, receive, send):
        if scope["type"] != "http":
            return
        message = await receive()
        seen.append((scope["method"], scope["raw_path"].decode(), message["body"].decode()))
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})

    return LocalServer(app)


def test_it_is_what_beeminder_sends(http):
    """A form with the two names, to the path with the secret; a prefix of the address stays."""
    seen: list = []
    with answering(200, b'{"status":"fresh","datapoints":0}', seen) as server:
        call(server.url + "/waggle", http)
    assert seen == [("POST", f"/waggle/beeminder/autofetch/{SECRET}", "username=alice&slug=energy")]


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (503, b'{"status":"late"}', "503 late"),
        (503, b'{"status":"failed","error":{"message":"canary"}}', "503 failed"),
        (404, b'{"error":{"code":"no_such_feed"}}', "404"),
        (200, b"<html>canary of a proxy</html>", "200"),
        (200, b'["fresh"]', "200"),
        (200, b'{"status":["fresh"]}', "200"),
        (200, b'{"status":"fresh"}' + b" " * 5000, "200"),
        (302, b"", "302"),
    ],
)
def test_everything_but_fresh_is_a_failure(http, status, body, told):
    """A proxy's own page is no answer of ours; what it says is not repeated."""
    with answering(status, body, []) as server, pytest.raises(Unavailable) as failed:
        call(server.url, http)
    assert failed.value.message == f"the public address answers {told}"


def test_nobody_there_and_one_that_hangs(http):
    """Both end in time, and neither tells the path."""
    with pytest.raises(Unavailable, match="does not answer") as failed:
        call(f"http://127.0.0.1:{nobody()}", http)
    assert SECRET not in f"{failed.value!r}{failed.value.__cause__!r}"
    with listening() as listener:
        listener.hangs.add(f"beeminder/autofetch/{SECRET}")
        with pytest.raises(Unavailable):
            call(listener.url("", "http"), http, seconds=0.5)
