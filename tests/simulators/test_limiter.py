"""A limited simulator refuses as its vendor does, counts by key, and is set over HTTP."""

import socket
import threading
from email.utils import formatdate

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from simulators import limiter_keys
from simulators.faults import Faults
from simulators.limiter import Limiter
from simulators.server import LocalServer
from simulators.windows import Window

TWO = Window(kind="fixed", requests=2, seconds=9.5)


@pytest.fixture
def seen():
    return []


@pytest.fixture
def limiter(clock, seen):
    async def answer(request):
        seen.append((await request.body()).decode())
        return JSONResponse({"ok": True}, headers={"x-vendor": "1"})

    app = Starlette(routes=[Route("/{rest:path}", answer, methods=["GET", "POST"])])
    return Limiter(app, key=limiter_keys.token, clock=clock, dates=clock, forms=True)


@pytest.fixture
def client(limiter):
    with (
        LocalServer(Faults(limiter)) as server,
        httpx.Client(base_url=server.url, trust_env=False) as made,
    ):
        yield made


def _ask(client, key="t", path="/x"):
    return client.get(path, headers={"authorization": f"Bearer {key}"})


def _comparable(answer):
    headers = {name: value for name, value in answer.headers.items() if name != "date"}
    return answer.status_code, headers, answer.content


def test_without_a_limit_nothing_is_changed_or_counted(limiter, client):
    """Neither before one was set nor after it was lifted; nor by one about other paths."""
    before = _comparable(_ask(client))
    limiter.set(TWO, match="^/other")
    besides = _comparable(_ask(client))
    limiter.set(TWO)
    limiter.clear()

    assert before == besides == _comparable(_ask(client))
    assert before[1].keys() == {"content-length", "content-type", "x-vendor"}
    assert limiter.report().keys == {}


def test_a_limit_that_is_set_anew_begins_anew(limiter, client):
    """Nothing of the one before is left: no count, no used-up window; lifting ends closings."""
    limiter.set(TWO)
    assert [_ask(client).status_code for _ in range(3)] == [200, 200, 429]
    limiter.set(TWO)
    assert limiter.report().keys == {}
    assert [_ask(client).status_code for _ in range(3)] == [200, 200, 429]
    limiter.close("t", 60)
    limiter.clear()
    limiter.set(TWO)
    assert _ask(client).status_code == 200


def test_controls_are_never_limited(limiter, client):
    """Neither its own nor those of the service, which a test needs to look around."""
    limiter.close(None, 60)
    assert [client.get(f"/_sim/{name}").status_code for name in ("limits", "calls")] == [200, 200]
    assert _ask(client).status_code == 503


def test_a_limit_serves_what_it_allows_and_refuses_the_rest(limiter, client, clock, seen):
    """By key, without a word to the service, until the time that it named."""
    limiter.set(TWO)
    statuses = [_ask(client, key).status_code for key in "aaabba"]
    assert statuses == [200, 200, 429, 200, 200, 429]
    assert len(seen) == 4
    clock.now += 10
    assert _ask(client, "a").status_code == 200
    counted = limiter.report().keys
    assert [(name, each.served, each.refused) for name, each in counted.items()] == [
        ("a", 3, 2),
        ("b", 2, 0),
    ]
    assert (counted["a"].early, counted["a"].on_their_way) == (0, 1)


@pytest.mark.parametrize(
    ("limit", "body"),
    [
        ({}, {"error": {"code": "rate_limited", "message": "Too many requests."}}),
        ({"body": {"message": "slow down"}}, {"message": "slow down"}),
    ],
)
def test_a_refusal_names_whole_seconds(limiter, client, limit, body):
    """429 with Rime's envelope, or with the body that a test wants."""
    limiter.set(TWO, **limit)
    answer = [_ask(client) for _ in range(3)][2]
    assert (answer.status_code, answer.json()) == (429, body)
    assert answer.headers["retry-after"] == "10"
    assert "x-vendor" not in answer.headers


def test_a_refusal_may_name_a_date_or_decimals(limiter, client, clock):
    """On whole seconds of the clock that the Date header shows; decimals are not RFC 9110's."""
    clock.now += 0.25
    limiter.set(Window(kind="sliding", requests=1, seconds=9.5, rounding="date"))
    dated = [_ask(client) for _ in range(2)][1]
    assert dated.headers["retry-after"] == formatdate(clock.now + 9.75, usegmt=True)
    (closing,) = limiter.report().keys["t"].closed
    assert closing.until == clock.now + 9.75

    limiter.set(Window(kind="sliding", requests=1, seconds=9.5, rounding="exact"))
    assert [_ask(client) for _ in range(2)][1].headers["retry-after"] == "9.500000"


def test_bm_parts_counts_down_on_every_answer_and_refuses_with_403(limiter, client, clock):
    """Limit, Remaining and Reset in Unix seconds; JSON with `documentation_url`, no Retry-After."""
    limiter.set(
        Window(kind="fixed", requests=2, seconds=9.5, rounding="date"),
        status=403,
        headers="x-ratelimit",
    )
    answers = [_ask(client) for _ in range(3)]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["1", "0", "0"]
    assert {answer.headers["x-ratelimit-limit"] for answer in answers} == {"2"}
    reset = f"{clock.now + 10:.0f}"
    assert {answer.headers["x-ratelimit-reset"] for answer in answers} == {reset}
    assert [answer.status_code for answer in answers] == [200, 200, 403]
    assert answers[2].json().keys() == {"message", "documentation_url"}
    assert "retry-after" not in answers[2].headers
    assert answers[0].headers["x-vendor"] == "1"


@pytest.mark.parametrize(("headers", "rounding"), [("x-ratelimit", "date"), ("ratelimit", "ceil")])
def test_who_asks_before_a_reset_that_a_good_answer_named_is_early(
    limiter, client, clock, headers, rounding
):
    """Nothing was left: that is a time too, though nobody was refused."""
    limiter.set(Window(kind="fixed", requests=1, seconds=9.5, rounding=rounding), headers=headers)
    assert _ask(client).status_code == 200
    clock.now += 5
    assert _ask(client).status_code != 200
    assert (limiter.report().early, limiter.report().keys["t"].earliest) == (1, 5.0)
    clock.now += 5
    assert _ask(client).status_code == 200
    assert limiter.report().early == 1


def test_the_fields_of_the_draft_are_structured_and_whole(limiter, client):
    """Names in quotes, whole numbers; a window of 9.5 s is told as one of 10 with as much rate."""
    limiter.set(Window(kind="fixed", requests=19, seconds=9.5), headers="ratelimit")
    answer = _ask(client)
    assert answer.headers["ratelimit-policy"] == '"default";q=20;w=10'
    assert answer.headers["ratelimit"] == '"default";r=18;t=10'
    refused = [_ask(client) for _ in range(19)][18]
    assert (refused.status_code, refused.headers["ratelimit"]) == (429, '"default";r=0;t=10')
    assert "retry-after" not in refused.headers


def test_a_refusal_without_a_hint_makes_nobody_early(limiter, client, clock):
    """503 with a page, and no time that could be respected."""
    limiter.set(TWO, status=503, headers="none")
    refused = [_ask(client) for _ in range(3)][2]
    assert (refused.status_code, "retry-after" in refused.headers) == (503, False)
    assert refused.headers["content-type"] == "text/html"
    clock.now += 5
    assert _ask(client).status_code == 503
    assert (limiter.report().early, limiter.report().late) == (0, 1)


def test_early_requests_are_counted_with_how_much_too_early(limiter, client, clock):
    """Whole seconds were told, so asking when the bucket has a slot again is early all the same."""
    limiter.set(Window(kind="gcra", requests=50, seconds=1, burst=1))
    assert [_ask(client).status_code for _ in range(2)] == [200, 429]
    clock.now += 0.5
    assert _ask(client).status_code == 200
    clock.now += 0.5
    assert _ask(client).status_code == 200
    tally = limiter.report().keys["t"]
    assert (tally.early, tally.earliest, tally.late) == (1, 0.5, 0)
    assert tally.served_at - tally.first_at == 1


def test_a_closing_refuses_one_key_or_all_for_so_long(limiter, client, clock, seen):
    """503 with Retry-After, with or without a limit; other keys are served meanwhile."""
    limiter.close("a", 59.5)
    refused, served = _ask(client, "a"), _ask(client, "b")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "60")
    assert served.status_code == 200
    clock.now += 59
    assert _ask(client, "a").status_code == 503
    clock.now += 1
    assert _ask(client, "a").status_code == 200
    assert {key: each.early for key, each in limiter.report().keys.items()} == {"a": 1, "b": 0}

    limiter.set(TWO)
    limiter.close(None, 10, status=429)
    assert [_ask(client, key).status_code for key in "ab"] == [429, 429]
    clock.now += 10
    assert [_ask(client, "a").status_code for _ in range(2)] == [200, 200]
    with pytest.raises(ValueError, match="status 200"):
        limiter.close(None, 10, status=200)


def test_a_refused_upload_is_read_to_its_end(limiter, client):
    """The answer arrives although the connection ends with it: no reset overtakes it."""
    limiter.close(None, 60)
    body = b"y" * 5_000_000
    head = f"POST /x HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {len(body)}"
    with socket.create_connection((client.base_url.host, client.base_url.port)) as raw:
        raw.sendall(head.encode() + b"\r\n\r\n" + body)
        assert raw.recv(100).startswith(b"HTTP/1.1 503")


def test_many_at_once_get_no_more_than_the_limit(limiter, client):
    """Eight clients on a real socket: exactly as many are served as the window holds."""
    limiter.set(Window(kind="sliding", requests=50, seconds=60))
    statuses = []

    def knock():
        statuses.extend(_ask(client).status_code for _ in range(20))

    threads = [threading.Thread(target=knock) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] * 50 + [429] * 110
    tally = limiter.report().keys["t"]
    assert (tally.served, tally.refused, tally.closings) == (50, 110, 1)


def test_it_is_set_and_read_over_http(client, clock):
    """By the names of Python, with what was counted; lifting it lifts a closing too."""
    sent = {"kind": "gcra", "requests": 1, "seconds": 10, "burst": 1, "match": "^/x"}
    shown = client.post("/_sim/limits", json={**sent, "status": 403, "headers": "x-ratelimit"})
    assert shown.json()["limit"]["window"] == {
        "kind": "gcra",
        "requests": 1,
        "seconds": 10,
        "burst": 1,
        "rounding": "date",
    }
    assert [_ask(client, path=path).status_code for path in ("/x", "/x", "/y")] == [200, 403, 200]
    clock.now += 5
    assert _ask(client).status_code == 403
    report = client.get("/_sim/limits").json()
    assert (report["early"], report["served"], report["keys"]["t"]["refused"]) == (1, 1, 2)
    assert client.delete("/_sim/limits").status_code == 204
    assert client.get("/_sim/limits").json()["limit"] is None
    assert _ask(client).status_code == 200

    closed = client.post("/_sim/closings", json={"key": "t", "seconds": 7})
    assert closed.status_code == 200
    assert _ask(client).headers["retry-after"] == "7"
    client.delete("/_sim/limits")
    assert _ask(client).status_code == 200


@pytest.mark.parametrize(
    ("path", "sent", "named"),
    [
        ("limits", {"request": 5}, "request"),
        ("limits", {"requests": "5"}, "requests"),
        ("limits", {"kind": "leaky"}, "leaky"),
        ("limits", {"status": 200}, "status"),
        ("limits", {"headers": "x-limit"}, "x-limit"),
        ("limits", {"headers": "x-ratelimit", "rounding": "ceil"}, "date"),
        ("limits", {"match": "("}, "unterminated"),
        ("limits", [], "object"),
        ("closings", {"key": "t"}, "seconds"),
        ("closings", {"seconds": "long"}, "str"),
        ("closings", {"seconds": 5, "until": 7}, "until"),
    ],
)
def test_a_wrong_setting_is_named_and_changes_nothing(limiter, client, path, sent, named):
    """422 with what was wrong; the limit that was there stays."""
    limiter.set(TWO)
    answer = client.post(f"/_sim/{path}", json=sent)
    assert (answer.status_code, limiter.limit.window) == (422, TWO)
    assert named in answer.json()["error"]
    assert _ask(client).status_code == 200


def test_the_token_is_found_wherever_it_is_sent(limiter, client, seen):
    """Header, query or form are one key; the form still reaches the service."""
    limiter.set(Window(kind="fixed", requests=10, seconds=60))
    client.get("/x", headers={"authorization": "Bearer t"})
    client.get("/x", headers={"authorization": "t"})
    client.get("/x", params={"auth_token": "t"})
    client.get("/x", params={"access_token": "t"})
    much = "y" * 300_000  # comes in several pieces
    client.post("/x", data={"value": much, "auth_token": "t"})
    client.post("/x", json={"auth_token": "t"})
    assert {key: each.served for key, each in limiter.report().keys.items()} == {"t": 5, "": 1}
    assert seen[4] == f"value={much}&auth_token=t"
