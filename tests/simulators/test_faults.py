"""Faults really break connections on a real socket, hit whom they should, and count."""

import asyncio
import socket
import time

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from simulators.faults import Fault, Faults
from simulators.server import LocalServer


@pytest.fixture
def processed():
    return []


@pytest.fixture
def faults(processed):
    async def answer(request):
        processed.append((await request.body()).decode())
        return JSONResponse({"ok": [1, 2, 3]})

    return Faults(Starlette(routes=[Route("/{rest:path}", answer, methods=["GET", "POST"])]))


@pytest.fixture
def client(faults):
    with (
        LocalServer(faults) as server,
        httpx.Client(base_url=server.url, trust_env=False) as made,
    ):
        yield made


def test_reset_ends_the_connection_before_anything_is_processed(faults, client, processed):
    """The other end gets ECONNRESET and no byte, the service never saw the request."""
    faults.add(Fault(action="reset"))
    with socket.create_connection((client.base_url.host, client.base_url.port)) as raw:
        raw.sendall(b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello")
        with pytest.raises(ConnectionResetError):
            raw.recv(100)
    assert processed == []
    assert (faults.requests[0].status, faults.requests[0].fault) == (None, "reset")


def test_a_client_sees_a_reset_as_a_broken_connection(faults, client):
    """The name of the error depends on the moment in which httpx notices."""
    faults.add(Fault(action="reset"))
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError)):
        client.post("/x", content=b"hello")


def test_a_lost_reply_was_processed_all_the_same(faults, client, processed):
    """The service did its work, not one byte of the answer arrives."""
    faults.add(Fault(action="lose_reply"))
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        client.post("/x", content=b"hello")
    assert processed == ["hello"]


def test_a_cut_reply_ends_in_the_middle_of_the_body(faults, client):
    """Head and half of the body."""
    faults.add(Fault(action="cut"))
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
        client.get("/x")


def test_a_status_comes_with_its_headers_and_body(faults, client, processed):
    """HTML for text, JSON for the rest, Retry-After as the text that was given."""
    until = "Wed, 21 Oct 2026 07:28:00 GMT"
    faults.add(Fault(status=429, body={"error": "slow down"}, retry_after=until))
    faults.add(Fault(status=503, body="<h1>down</h1>", headers={"X-Request-Id": "r-1"}))
    limited, down = client.get("/x"), client.get("/x")
    assert (limited.status_code, limited.json()) == (429, {"error": "slow down"})
    assert limited.headers["retry-after"] == until
    assert (down.status_code, down.headers["x-request-id"]) == (503, "r-1")
    assert down.headers["content-type"].startswith("text/html")
    assert processed == []


def test_a_status_can_come_after_the_work_was_done(faults, client, processed):
    """As from a proxy that gave up."""
    faults.add(Fault(status=504, processed=True))
    assert client.post("/x", content=b"done").status_code == 504
    assert processed == ["done"]


def test_delay_comes_before_any_action(faults, client):
    """The answer is right, but late."""
    faults.add(Fault(action="delay", delay=0.2))
    began = time.monotonic()
    assert client.get("/x").json() == {"ok": [1, 2, 3]}
    assert time.monotonic() - began >= 0.2


def test_dribble_sends_single_bytes_slowly(faults, client):
    """Each byte is in time, all of them together are not."""
    faults.add(Fault(action="dribble", interval=0.01))
    began = time.monotonic()
    with client.stream("GET", "/x") as answer:
        chunks = [chunk for chunk in answer.iter_raw() if chunk]
    assert b"".join(chunks) == b'{"ok":[1,2,3]}'
    assert len(chunks) > 5
    assert time.monotonic() - began >= 0.14


def test_huge_sends_as_much_as_was_asked_for(faults, client):
    """The body is valid JSON, so only its size is wrong."""
    faults.add(Fault(action="huge", size=3_000_000))
    answer = client.get("/x")
    assert len(answer.content) == 3_000_000
    assert set(answer.json()) == {"x"}


def test_label_and_syntax_of_the_answer_can_be_wrong(faults, client):
    """A good body with another content type; a good head with a body that is no JSON."""
    faults.add(Fault(action="content_type", content_type="text/plain"))
    faults.add(Fault(action="invalid_json"))
    mislabelled, broken = client.get("/x"), client.get("/x")
    assert mislabelled.headers["content-type"] == "text/plain"
    assert mislabelled.json() == {"ok": [1, 2, 3]}
    assert broken.headers["content-type"] == "application/json"
    with pytest.raises(ValueError, match="Expecting"):
        broken.json()


def test_method_path_times_and_after_choose_the_requests(faults, client):
    """Others are served as ever."""
    fault = faults.add(Fault(status=500, method="POST", path=r"^/b\d$", after=1, times=2))
    seen = [client.post(path).status_code for path in ("/a", "/b1", "/b1", "/b2", "/b3")]
    assert seen == [200, 200, 500, 500, 200]
    assert client.get("/b1").status_code == 200
    assert fault.hits == 2


def test_for_ever_lasts_until_it_is_healed(faults, client):
    """`times=None` does not wear out."""
    faults.add(Fault(status=500, times=None))
    assert {client.get("/x").status_code for _ in range(5)} == {500}
    faults.clear()
    assert client.get("/x").status_code == 200


def test_probability_is_the_same_story_for_the_same_seed():
    """Two runs with one seed break the same requests, another seed breaks others."""
    stories = []
    for seed in (1, 1, 2):
        faults = Faults(None, seed=seed)
        fault = Fault(times=None, probability=0.3)
        stories.append([fault.meets("GET", "/", faults._rng) for _ in range(200)])
    assert stories[0] == stories[1]
    assert stories[0] != stories[2]
    assert 30 < sum(stories[0]) < 90


def test_faults_and_log_work_over_http_too(client, processed):
    """The same names as JSON; what was wrong with a bad one is said."""
    assert client.post("/_sim/faults", json={"status": 418, "path": "tea"}).status_code == 200
    assert client.post("/_sim/faults", json=[{"action": "explode"}]).status_code == 422
    assert "paths" in client.post("/_sim/faults", json={"paths": "x"}).json()["error"]
    assert client.get("/tea?cup=1", headers={"authorization": "Bearer t"}).status_code == 418
    log = client.get("/_sim/requests?path=tea").json()
    (record,) = log["requests"]
    assert (log["count"], record["status"], record["query"]) == (1, 418, "cup=1")
    assert record["headers"]["authorization"] == "Bearer t"
    assert client.delete("/_sim/faults").status_code == 204
    assert client.get("/_sim/faults").json() == {"faults": []}
    assert client.delete("/_sim/requests").status_code == 204
    assert client.get("/_sim/requests").json()["total"] == 0
    assert processed == []


def test_the_log_tells_how_many_ran_at_once(faults, client):
    """A second request while the first is held counts two."""
    faults.add(Fault(action="delay", delay=60))
    host, port = client.base_url.host, client.base_url.port
    with socket.create_connection((host, port)) as held:
        held.sendall(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
        while faults.log.in_flight == 0:
            client.get("/_sim/faults")
        client.get("/quick")
    assert faults.log.most_in_flight == 2
    assert [request.path for request in faults.requests] == ["/slow", "/quick"]


def test_a_fault_that_needs_a_socket_says_so_without_one():
    """Under another server nothing is broken silently."""
    transport = httpx.ASGITransport(Faults(Starlette()))
    transport.app.add(Fault(action="reset"))

    async def ask():
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            await client.get("/")

    with pytest.raises(RuntimeError, match="real socket"):
        asyncio.run(ask())
