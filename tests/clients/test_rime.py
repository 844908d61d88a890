"""RIME's client: every failure by every method."""

import traceback

import httpx
import pytest

from clients import errors
from clients.rime import RimeClient

BASE = "https://acme.rimedata.io/api/v1"
KEY = "key-canary-123"
CALLS = {
    "projects": lambda client: list(client.projects()),
    "project": lambda client: client.project("p1"),
    "connectors": lambda client: list(client.connectors("p1")),
    "connector": lambda client: client.connector("p1", "c1"),
    "connector_runs": lambda client: list(client.runs("p1", "connector", "c1")),
    "connector_run": lambda client: client.run("p1", "connector", "c1", "r1"),
    "pipelines": lambda client: list(client.pipelines("p1")),
    "pipeline": lambda client: client.pipeline("p1", "l1"),
    "pipeline_runs": lambda client: list(client.runs("p1", "pipeline", "l1")),
    "pipeline_run": lambda client: client.run("p1", "pipeline", "l1", "r1"),
    "open_runs": lambda client: client.open_runs("p1", "connector", "c1"),
}
PATHS = {
    "projects": "projects",
    "project": "projects/p1",
    "connectors": "projects/p1/connectors",
    "connector": "projects/p1/connectors/c1",
    "connector_runs": "projects/p1/connectors/c1/runs",
    "connector_run": "projects/p1/connectors/c1/runs/r1",
    "pipelines": "projects/p1/pipelines",
    "pipeline": "projects/p1/pipelines/l1",
    "pipeline_runs": "projects/p1/pipelines/l1/runs",
    "pipeline_run": "projects/p1/pipelines/l1/runs/r1",
    "open_runs": "projects/p1/connectors/c1/runs",
}
LISTS = [name for name in CALLS if name.endswith("s")]
GOOD = {"id": "x1", "status": "completed"}
STATUSES = [
    (400, errors.Rejected, "rejected"),
    (401, errors.AuthFailed, "auth_failed"),
    (403, errors.Forbidden, "forbidden"),
    (404, errors.NotFound, "not_found"),
    (405, errors.Rejected, "rejected"),
    (409, errors.Rejected, "rejected"),
    (410, errors.NotFound, "not_found"),
    (422, errors.Rejected, "rejected"),
    (429, errors.RateLimited, "rate_limited"),
    (500, errors.Unavailable, "server_error"),
    (502, errors.Unavailable, "server_error"),
    (503, errors.Unavailable, "server_error"),
]
TRANSPORT = [
    (httpx.ConnectError("refused"), "connect_failed"),
    (httpx.ConnectTimeout("slow"), "timeout"),
    (httpx.ReadTimeout("slow"), "timeout"),
    (httpx.ReadError("reset"), "unavailable"),
    (httpx.RemoteProtocolError("half"), "unavailable"),
]


@pytest.fixture
def rime(http):
    return RimeClient(http=http, base_url=BASE, credentials=KEY)


@pytest.fixture
def signed_in(http, tokens):
    return RimeClient(http=http, base_url=BASE, credentials=tokens)


def envelope(status, **more):
    """An error as the overview page has it."""
    error = {"code": "c", "message": "no luck", **more}
    return httpx.Response(status, json={"error": error}, headers={"X-Request-Id": "req_7f"})


def shown(call):
    """A good answer to a call."""
    return {"data": [GOOD], "has_more": False} if call in LISTS else GOOD


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(("status", "kind", "reason"), STATUSES)
def test_statuses_by_method(rime, vendor, call, status, kind, reason):
    """Each status is the same error for each method; message, details and id are kept."""
    details = [{"field": "limit", "message": "too big"}, {"field": "cursor", "message": "odd"}]
    vendor.answers(envelope(status, details=details))
    with pytest.raises(errors.ClientError) as caught:
        CALLS[call](rime)
    assert (type(caught.value), caught.value.reason) == (kind, reason)
    assert (caught.value.status, caught.value.request_id) == (status, "req_7f")
    assert "no luck (limit: too big; cursor: odd)" in str(caught.value)
    assert len(vendor.requests) == 1


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(("failure", "reason"), TRANSPORT)
def test_transport_failures_by_method(rime, vendor, call, failure, reason):
    """Whatever happens on the way is Unavailable."""
    vendor.answers(failure)
    with pytest.raises(errors.Unavailable) as caught:
        CALLS[call](rime)
    assert caught.value.reason == reason


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("body", ["{", "", '"x"', "7", "[]", "null", "{}", '{"data": 3}', "[1]"])
def test_misfits_by_method(rime, vendor, call, body):
    """A body of another shape is an error for every method, and names the request."""
    vendor.answers(httpx.Response(200, text=body, headers={"X-Request-Id": "req_8a"}))
    with pytest.raises(errors.UnexpectedResponse) as caught:
        CALLS[call](rime)
    assert caught.value.request_id == "req_8a"


@pytest.mark.parametrize("call", CALLS)
def test_a_page_for_people_is_an_outage(rime, vendor, call):
    """A 200 with HTML holds no data."""
    vendor.answers(httpx.Response(200, html="<html>maintenance"))
    with pytest.raises(errors.Unavailable):
        CALLS[call](rime)


@pytest.mark.parametrize("call", CALLS)
def test_what_is_asked(rime, vendor, call):
    """Each method reads its one path, with the key in the header and nowhere else."""
    vendor.answers(httpx.Response(200, json=shown(call)))
    CALLS[call](rime)
    (request,) = vendor.requests
    query = "?limit=100" if call in LISTS else ""
    assert vendor.targets == [f"GET /api/v1/{PATHS[call]}{query}"]
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.content == b""
    assert KEY not in str(request.url)


@pytest.mark.parametrize("call", CALLS)
def test_a_key_that_is_refused_is_refused(rime, vendor, call):
    """A key is not renewed: one request, and AuthFailed."""
    vendor.answers(envelope(401))
    with pytest.raises(errors.AuthFailed):
        CALLS[call](rime)
    assert len(vendor.requests) == 1


@pytest.mark.parametrize("call", CALLS)
def test_a_session_is_renewed_once(signed_in, vendor, tokens, call):
    """After a 401 the same request goes out once more with another token, and no third time."""
    vendor.answers(envelope(401), httpx.Response(200, json=shown(call)))
    CALLS[call](signed_in)
    sent = [request.headers["Authorization"] for request in vendor.requests]
    assert sent == ["Bearer acc-canary-0", "Bearer acc-canary-1"]
    assert vendor.targets[0] == vendor.targets[1]
    vendor.answers(envelope(401))
    with pytest.raises(errors.AuthFailed):
        CALLS[call](signed_in)
    assert len(vendor.requests) == 2


@pytest.mark.parametrize("call", CALLS)
def test_only_a_401_renews(signed_in, vendor, tokens, call):
    """A 403 is no end of a session."""
    vendor.answers(envelope(403))
    with pytest.raises(errors.Forbidden):
        CALLS[call](signed_in)
    assert tokens.rejected == []


@pytest.mark.parametrize("call", CALLS)
def test_no_token_in_errors(rime, vendor, call):
    """A server that repeats the key does not get it into what anybody reads."""
    vendor.answers(
        lambda request: httpx.Response(
            422,
            json={"error": {"message": str(request.headers.raw)}},
            headers={"X-Request-Id": request.headers["Authorization"]},
        )
    )
    with pytest.raises(errors.Rejected) as caught:
        CALLS[call](rime)
    text = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
    assert "key-canary" not in text


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "location",
    [
        "https://evil.test/api/v1/projects",
        "http://acme.rimedata.io/api/v1/projects",
        "https://other.rimedata.io/api/v1/projects",
        "//evil.test/",
        "https://acme.rimedata.io:8443/api/v1/projects",
        "/login",
        "/api/v1/projects/p1/connectors/c1/sync",
    ],
)
def test_no_redirect_takes_the_token_elsewhere(rime, vendor, call, location):
    """Another host, plain http, another tenant, another path: nothing follows."""
    vendor.answers(httpx.Response(302, headers={"Location": location}))
    with pytest.raises(errors.UnexpectedResponse) as caught:
        CALLS[call](rime)
    assert caught.value.reason == "redirected"
    assert len(vendor.requests) == 1


@pytest.mark.parametrize("call", CALLS)
def test_an_answer_that_is_too_large(rime, vendor, call):
    """10 MB are not read to their end, whatever is in them."""
    sent = []

    def endless(request):
        def chunks():
            for _ in range(160):
                sent.append(1)
                yield b" " * 65536

        return httpx.Response(200, content=chunks())

    vendor.answers(endless)
    with pytest.raises(errors.UnexpectedResponse) as caught:
        CALLS[call](rime)
    assert caught.value.reason == "too_large"
    assert len(sent) <= 130


@pytest.mark.parametrize("call", CALLS)
def test_a_slow_body_ends_at_the_deadline(http, vendor, make_clock, call):
    """A server that sends a byte now and then holds no call for longer than the total deadline."""
    sent = []

    def dribble(request):
        def chunks():
            for _ in range(1000):
                sent.append(1)
                yield b" "

        return httpx.Response(200, content=chunks())

    client = RimeClient(http=http, base_url=BASE, credentials=KEY, monotonic=make_clock(step=1))
    vendor.answers(dribble)
    with pytest.raises(errors.Unavailable) as caught:
        CALLS[call](client)
    assert caught.value.reason == "timeout"
    assert 0 < len(sent) <= 20


def test_runs_at_another_path(http, vendor):
    """The two paths are templates: what they name can be read, what they named before can't."""
    client = RimeClient(
        http=http,
        base_url=BASE,
        credentials=KEY,
        connector_runs_path="/connectors/{connector}/runs/",
        pipeline_runs_path="v2/{project}/flows/{pipeline}/executions",
    )
    vendor.answers(httpx.Response(200, json={"data": []}))
    assert [page.runs for page in client.runs("p1", "connector", "c1")] == [[]]
    list(client.runs("p1", "pipeline", "l1"))
    vendor.answers(*vendor.script, httpx.Response(200, json=GOOD))
    client.open_runs("p1", "connector", "c1")
    client.run("p1", "pipeline", "l1", "r9")
    assert [target.split("?")[0] for target in vendor.targets] == [
        "GET /api/v1/connectors/c1/runs",
        "GET /api/v1/v2/p1/flows/l1/executions/r9",
    ]
    with pytest.raises(ValueError, match="not among"):
        client._request("GET", "projects/p1/connectors/c1/runs")


def test_one_run_bare_or_wrapped(rime, vendor):
    """A single thing may come by itself or under `data`."""
    for body in (GOOD, {"data": GOOD}):
        vendor.answers(httpx.Response(200, json=body))
        assert rime.run("p1", "connector", "c1", "x1").outcome == "succeeded"
        assert rime.project("p1").id == "x1"


def test_open_runs_are_those_that_go_on(rime, vendor):
    """Neither what has ended nor what nobody knows the word for."""
    words = ["Running", "completed", "queued", "mystery", "Skipped"]
    runs = [{"id": f"r{n}", "status": word} for n, word in enumerate(words)]
    vendor.answers(httpx.Response(200, json={"data": runs}))
    assert [run.id for run in rime.open_runs("p1", "connector", "c1")] == ["r0", "r2"]
