"""Beeminder's client against a server that behaves like the vendor's page."""

import json
import logging
import traceback
import urllib.parse

import httpx
import pytest

from clients import beeminder, errors
from clients.beeminder_models import NewDatapoint, Token, Written

CANARY = "c4n4ry+t0ken/x"
POINT = NewDatapoint(value=3.5, requestid="wgl-1", comment="x", daystamp="20260120")
CALLS = {
    "me": lambda client: client.me(),
    "goals": lambda client: client.goals(),
    "goal": lambda client: client.goal("power"),
    "archived_goals": lambda client: client.archived_goals(),
    "goal_with_road": lambda client: client.goal_with_road("power"),
    "refresh_graph": lambda client: client.refresh_graph("power"),
    "datapoints": lambda client: client.datapoints("power"),
    "create": lambda client: client.create("power", POINT),
    "create_all": lambda client: client.create_all("power", [POINT]),
    "update": lambda client: client.update("power", "65aa", value=1),
    "delete": lambda client: client.delete("power", "65aa"),
    "set_datasource": lambda client: client.set_datasource("power", "waggle"),
    "change_goal": lambda client: client.change_goal("power", aggday="max", kyoom=False),
}
COSTLY = ["shortcircuit", "uncleme", "ratchet", "stepdown", "cancel_stepdown", "dial_road"]
FAILURES = [
    (httpx.Response(401, json={"errors": {"token": "no_token"}}), errors.AuthFailed),
    (httpx.Response(403, json={"error_message": "permission denied"}), errors.Forbidden),
    (httpx.Response(429, headers={"Retry-After": "60"}), errors.RateLimited),
    (httpx.Response(429, html="<html>slow down"), errors.RateLimited),
    (httpx.Response(500, json={}), errors.Unavailable),
    (httpx.Response(503, headers={"Retry-After": "60"}, html="<html>"), errors.RateLimited),
    (httpx.Response(200, html="<html>We'll be back"), errors.Unavailable),
    (httpx.Response(200, text="Service unavailable"), errors.Unavailable),
    (httpx.Response(200, text='{"id": "65a'), errors.Unavailable),
    (httpx.Response(404, html="<html>not here"), errors.Unavailable),
    (httpx.Response(422, html="<html>odd"), errors.Unavailable),
    (httpx.Response(401, html="<html>odd"), errors.Unavailable),
    (httpx.Response(422, text='{"errors": "Dupl'), errors.Unavailable),
    (httpx.Response(401, text="HTTP Token: Access denied."), errors.AuthFailed),
    (httpx.ReadTimeout("x"), errors.Unavailable),
    (httpx.ConnectError("x"), errors.Unavailable),
    (httpx.Response(200, json="what"), errors.UnexpectedResponse),
    (httpx.Response(200, json={"surprise": 1}), errors.UnexpectedResponse),
]


def echo(request):
    """An unkind server: it repeats what it was sent wherever it can."""
    sent = f"{request.extensions.get('target', b'')!r} {request.content!r} {request.headers!r}"
    return {
        "headers": {"X-Request-Id": f"{CANARY}-{urllib.parse.quote(CANARY, safe='')}"},
        "json": {"errors": {CANARY: [sent, CANARY]}},
    }


UNKIND = {
    "refused": lambda request: httpx.Response(422, **echo(request)),
    "bad token": lambda request: httpx.Response(401, **echo(request)),
    "crash": lambda request: httpx.Response(500, **echo(request)),
    "misfit": lambda request: httpx.Response(200, **echo(request)),
    "redirect": lambda request: httpx.Response(302, headers={"Location": f"/?t={CANARY}"}),
    "self-redirect": lambda request: httpx.Response(302, headers={"Location": str(request.url)}),
    "timeout": httpx.ReadTimeout(f"auth_token={CANARY}"),
    "refused connection": httpx.ConnectError(f"auth_token={CANARY}"),
    "header": httpx.LocalProtocolError(f"Illegal header value b'Bearer {CANARY}'"),
    "url": httpx.InvalidURL(f"auth_token={CANARY}"),
}


@pytest.fixture
def make(http, clock):
    def client(kind="personal"):
        token = Token(kind, CANARY)
        return beeminder.BeeminderClient(http=http, token=token, clock=clock, monotonic=clock)

    return client


@pytest.fixture
def client(make):
    return make()


def fields(request):
    return dict(urllib.parse.parse_qsl(request.content.decode(), keep_blank_values=True))


def shown(error):
    """All that anybody can read of an error, its chain included."""
    parts = []
    while error is not None:
        parts += [repr(error), str(error), repr(vars(error)), *traceback.format_exception(error)]
        error = error.__cause__ or error.__context__
    return "\n".join(parts)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(("answer", "kind"), FAILURES)
def test_failures_by_method(client, vendor, call, answer, kind):
    """Each documented and observed failure means the same for every method."""
    vendor.answers(answer)
    with pytest.raises(errors.ClientError) as caught:
        CALLS[call](client)
    assert type(caught.value) is kind


@pytest.mark.parametrize("kind", ["personal", "oauth"])
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("unkind", UNKIND)
def test_no_token_anywhere(make, vendor, caplog, kind, call, unkind):
    """Whatever goes wrong, the token is in no error, chain, traceback, log record or result."""
    caplog.set_level(logging.DEBUG)
    vendor.answers(UNKIND[unkind])
    client = make(kind)
    try:
        found = repr(CALLS[call](client))
    except errors.ClientError as error:
        found = shown(error)
    for spelling in (CANARY, urllib.parse.quote(CANARY, safe="")):
        assert spelling not in found
        assert spelling not in caplog.text
        assert spelling not in repr(client.__dict__)


@pytest.mark.parametrize("call", CALLS)
def test_oauth_tokens_travel_in_the_header(make, vendor, call):
    """An OAuth token is in the Authorization header and nowhere else."""
    vendor.answers(httpx.Response(500))
    with pytest.raises(errors.Unavailable):
        CALLS[call](make("oauth"))
    assert vendor.last.headers["Authorization"] == f"Bearer {CANARY}"
    assert "token" not in vendor.targets[-1]
    assert "token" not in vendor.last.content.decode()


@pytest.mark.parametrize("call", CALLS)
def test_personal_tokens_travel_with_the_parameters(make, vendor, call):
    """A personal token is in the query of a GET and in the form of a write, never in both."""
    vendor.answers(httpx.Response(500))
    with pytest.raises(errors.Unavailable):
        CALLS[call](make("personal"))
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(vendor.targets[-1]).query))
    reads = vendor.last.method == "GET"
    assert query.get("auth_token") == (CANARY if reads else None)
    assert fields(vendor.last).get("auth_token") == (None if reads else CANARY)
    assert "Authorization" not in vendor.last.headers


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "charges.json"),
        ("GET", "auth_token.json"),
        ("POST", "users/me/goals.json"),
        *[("POST", f"users/me/goals/power/{costly}.json") for costly in COSTLY],
        ("POST", "users/me/goals/power/refresh_graph.json"),
        ("GET", "users/me/goals/power/ratchet.json"),
        ("PUT", "users/me/goals/archived/power.json"),
        ("GET", "users/bob/goals/power.json"),
        ("PUT", "users/me.json"),
        ("PATCH", "users/me/goals/power.json"),
        ("DELETE", "users/me/goals/power.json"),
    ],
)
def test_what_costs_money_cannot_be_asked(client, vendor, method, path):
    """Charges, derailments, roads and other people's goals are out of reach: nothing is sent."""
    with pytest.raises(ValueError, match="not among"):
        client._request(method, path)
    assert vendor.requests == []


@pytest.mark.parametrize(
    "name", ["", "..", "a/b", "a%2Fb", "power/shortcircuit", "x.json?", "a b", "ü", "power\n"]
)
def test_names_make_no_paths(client, vendor, name):
    """A name that can't be a goal's or datapoint's is not found without asking."""
    with pytest.raises(errors.NotFound):
        client.goal(name)
    with pytest.raises(errors.NotFound):
        client.create(name, POINT)
    assert client.delete("power", name) is None
    assert vendor.requests == []


def test_reading(client, vendor, recorded):
    """People, goals and datapoints come out as values; nulls and new fields do no harm."""
    vendor.answers(recorded("me"))
    assert (client.me().username, client.me().timezone) == ("alice", "Europe/Paris")
    vendor.answers(recorded("goal"))
    goal = client.goal("power")
    assert (goal.slug, goal.deadline, goal.yaw, goal.kyoom, goal.odom) == (
        "power",
        -10800,
        -1,
        True,
        False,
    )
    assert vendor.targets[0].startswith("GET /api/v1/users/me/goals/power.json?emaciated=true&")
    vendor.answers(recorded("goal_fresh"))
    new = client.goal("new")
    assert (new.yaw, new.kyoom, new.safebuf) == (None, None, None)  # not said, and not guessed
    vendor.answers(recorded("datapoints"))
    ours, first = client.datapoints("power", sort="daystamp", count=5)
    assert (ours.requestid, ours.value, ours.daystamp) == ("wgl-1", 3.5, "20260120")
    assert (first.requestid, first.comment, first.is_initial) == (None, "", True)
    assert "datapoints.json?sort=daystamp&count=5&" in vendor.targets[0]
    client.datapoints("power", page=2, per=50)
    assert "sort=id&page=2&per=50" in vendor.targets[-1]


@pytest.mark.parametrize("field", ["id", "username", "timezone", "updated_at"])
def test_a_person_is_whole(client, vendor, recorded, field):
    """A person without a time zone or an id is an error that names the field, no guess."""
    body = recorded("me").json()
    del body[field]
    vendor.answers(httpx.Response(200, json=body))
    with pytest.raises(errors.UnexpectedResponse, match=field):
        client.me()


def test_a_wrong_goal_field_is_named(client, vendor):
    """A deadline that is no number is not taken for midnight."""
    vendor.answers(httpx.Response(200, json={"id": "1", "slug": "power", "deadline": "late"}))
    with pytest.raises(errors.UnexpectedResponse, match="deadline"):
        client.goal("power")


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("bad_token", errors.AuthFailed, "bad_token"),
        ("no_session", errors.AuthFailed, "Not logged in"),
        ("denied", errors.Forbidden, "permission denied"),
        ("unknown_goal", errors.NotFound, "The requested resource was not found."),
        ("invalid_value", errors.Rejected, "value: can't be blank; value: is not a number"),
        ("one_string", errors.Rejected, "Goal is frozen"),
    ],
)
def test_says_what_beeminder_says(client, vendor, recorded, name, kind, said):
    """The vendor's words reach the message under whichever key they stand."""
    vendor.answers(recorded(name))
    with pytest.raises(kind) as caught:
        client.goal("power")
    assert said in str(caught.value)
    assert caught.value.details == recorded(name).json()


def test_creating(client, vendor, recorded):
    """A write sends exactly what was given and tells what became of it."""
    vendor.answers(recorded("created"))
    assert client.create("power", POINT) == Written("wgl-1", "65aa00000000000000000001", "created")
    assert vendor.targets == ["POST /api/v1/users/me/goals/power/datapoints.json"]
    assert fields(vendor.last) == {
        "auth_token": CANARY,
        "value": "3.5",
        "requestid": "wgl-1",
        "comment": "x",
        "daystamp": "20260120",
    }
    client.create("power", NewDatapoint(value=1e-7, requestid="wgl-1", timestamp=5))
    assert (fields(vendor.last)["value"], fields(vendor.last)["timestamp"]) == ("1e-07", "5")


def test_creating_many(client, vendor, recorded):
    """A batch is one form field that holds a JSON list; an empty one asks nothing."""
    vendor.answers(httpx.Response(200, json=[recorded("created").json()]))
    outcome = client.create_all("power", [POINT])
    assert outcome.written == {"wgl-1": Written("wgl-1", "65aa00000000000000000001", "created")}
    assert json.loads(fields(vendor.last)["datapoints"]) == [POINT.fields()]
    vendor.answers(httpx.Response(500))
    assert client.create_all("power", []).written == {}
    with pytest.raises(ValueError, match="twice"):
        client.create_all("power", [POINT, POINT])
    assert vendor.requests == []


def test_changing_and_deleting(client, vendor, recorded):
    """Only what is given is changed; what is gone already counts as deleted."""
    created = recorded("created")
    vendor.answers(created)
    assert client.update("power", "65aa", value=0, comment="").id == "65aa00000000000000000001"
    assert fields(vendor.last) == {"auth_token": CANARY, "value": "0", "comment": ""}
    with pytest.raises(ValueError, match="needs"):
        client.update("power", "65aa")
    assert client.delete("power", "65aa").requestid == "wgl-1"
    assert vendor.targets[-1] == "DELETE /api/v1/users/me/goals/power/datapoints/65aa.json"
    vendor.answers(httpx.Response(204))
    assert client.delete("power", "65aa") is None
    vendor.answers(recorded("unknown_goal"))
    assert client.delete("power", "65aa") is None
    with pytest.raises(errors.NotFound):
        client.update("power", "65aa", value=1)
