"""Only what Beeminder confirms counts as written."""

import json

import httpx
import pytest

from clients import beeminder, errors
from clients.beeminder_models import NewDatapoint, Token, Written

POINTS = [
    NewDatapoint(value=n, requestid=f"r{n}", comment="a duplicate?", daystamp="20260120")
    for n in (1, 2)
]
ONE = {"id": "a1", "requestid": "r1", "status": "created"}
TWO = {"id": "a2", "requestid": "r2", "status": "updated"}
FIRST = {"r1": Written("r1", "a1", "created")}
BOTH = {**FIRST, "r2": Written("r2", "a2", "updated")}


@pytest.fixture
def client(http):
    return beeminder.BeeminderClient(http=http, token=Token("oauth", "tok-canary"))


@pytest.mark.parametrize(
    ("status", "body", "written", "said"),
    [
        (200, [ONE, TWO], BOTH, []),
        (200, [TWO, ONE], BOTH, []),
        (200, [ONE], FIRST, []),
        (200, [], {}, []),
        (200, ONE, FIRST, []),
        (200, {"successes": [ONE, TWO], "errors": []}, BOTH, []),
        (200, {"successes": [ONE, TWO]}, BOTH, []),
        (200, {"successes": [ONE], "errors": ["bad value"]}, FIRST, ["bad value"]),
        (200, {"successes": [ONE], "errors": None}, FIRST, []),
        (200, {"successes": [ONE], "errors": "bad value"}, FIRST, ["bad value"]),
        (200, {"successes": [ONE], "errors": {"r2": ["bad"]}}, FIRST, ["r2: bad"]),
        (200, {"successes": None, "errors": ["bad"]}, {}, ["bad"]),
        (200, {"errors": ["bad"]}, {}, ["bad"]),
        (422, {"successes": [ONE], "errors": [{"value": ["bad"]}]}, FIRST, ["value: bad"]),
        (400, {"successes": [ONE], "errors": ["bad"]}, FIRST, ["bad"]),
        (200, [ONE, {"errors": {"value": ["bad"]}}], FIRST, ["value: bad"]),
        (200, [ONE, "bad"], FIRST, ["bad"]),
        (200, [ONE, None], FIRST, [""]),
        (200, [ONE, {**TWO, "errors": "bad"}], FIRST, ["bad"]),
        (200, {"successes": [ONE, TWO], "errors": [{**TWO, "error": "bad"}]}, FIRST, ["bad"]),
        (200, [{"id": "a1", "requestid": "r1"}], FIRST, []),
        (200, [{**ONE, "status": "odd"}], {}, None),
        (200, [ONE, {**TWO, "value": 2.0}], BOTH, []),
        (200, {"successes": [ONE, TWO], "errors": {"r2": ["bad"]}}, FIRST, ["r2: bad"]),
        (200, {"successes": [ONE, TWO], "errors": [["r2", "bad"]]}, FIRST, ["r2; bad"]),
        (207, {"successes": [ONE], "errors": [{"status": 422, "datapoint": TWO}]}, FIRST, None),
        (422, [ONE, TWO], {}, None),
        (200, [{**ONE, "status": "duplicate"}], {"r1": Written("r1", "a1", "duplicate")}, []),
    ],
)
def test_partial_batches(client, vendor, status, body, written, said):
    """In every plausible shape of an answer, what is named with an id is written, no more."""
    vendor.answers(httpx.Response(status, json=body))
    outcome = client.create_all("power", POINTS)
    assert outcome.written == written
    assert said is None or outcome.errors == said


@pytest.mark.parametrize(
    "element",
    [
        {"id": "a1"},
        {"requestid": "r1"},
        {"id": None, "requestid": "r1"},
        {"id": "", "requestid": "r1"},
        {"id": 5, "requestid": "r1"},
        {"id": "a1", "requestid": "somebody-else"},
        {"id": "a1", "requestid": ["r1"]},
        {"id": "a1", "requestid": "r1", "status": "rejected"},
        {"id": "a1", "requestid": "r1", "value": 7.0},
        {"id": "a1", "requestid": "r1", "value": 1.0, "daystamp": "20260119"},
        {"id": "a1", "requestid": "r1", "value": "many"},
        [],
        7,
    ],
)
def test_unconfirmed(client, vendor, element):
    """An element without an id or without one of our requestids confirms nothing."""
    vendor.answers(httpx.Response(200, json=[element]))
    outcome = client.create_all("power", POINTS)
    assert outcome.written == {}
    assert len(outcome.errors) == 1


@pytest.mark.parametrize("body", ["ok", 7, None, {}, {"status": "ok"}])
def test_batches_of_no_known_shape(client, vendor, body):
    """An answer of another shape is an error, no silent success."""
    vendor.answers(httpx.Response(200, text=json.dumps(body)))
    with pytest.raises(errors.UnexpectedResponse):
        client.create_all("power", POINTS)


@pytest.mark.parametrize(
    "body", [{"errors": "Duplicate request"}, {"errors": {"value": ["bad"]}}, []]
)
def test_refused_batches_are_unconfirmed(client, vendor, body):
    """A 422 may be about one element of many: nothing is written, nothing is lost."""
    vendor.answers(httpx.Response(422, json=body))
    outcome = client.create_all("power", POINTS)
    assert outcome.written == {}
    assert "422" in outcome.errors[0] or outcome.errors == []


def test_other_refusals_of_batches_raise(client, vendor):
    """A refusal that is about the request as a whole is told as one."""
    vendor.answers(httpx.Response(406, json={"errors": "format"}))
    with pytest.raises(errors.Rejected):
        client.create_all("power", POINTS)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"errors": "Duplicate request"}, None),
        ({"errors": ["duplicate datapoint"]}, None),
        ({"errors": {"requestid": ["x"], "base": ["is a DUPLICATE"]}}, None),
        ({"error": "duplicate", "id": "a1"}, "a1"),
        ({"status": "duplicate", "datapoint": {"id": "a1"}}, "a1"),
        ("Duplicate request", None),
    ],
)
def test_identical_resends(client, vendor, body, found):
    """An identical resend is a success by another name, in any wording with "duplicate"."""
    vendor.answers(httpx.Response(422, json=body))
    assert client.create("power", POINTS[0]) == Written("r1", found, "duplicate")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (422, {"errors": {"value": ["is not a number"]}}),
        (422, {"errors": "bad value", "comment": "a duplicate?", "requestid": "duplicate-1"}),
        (422, {"errors": "bad value", "datapoint": {"comment": "a duplicate?"}}),
        (400, {"errors": "Duplicate request"}),
    ],
)
def test_other_refusals_are_no_duplicates(client, vendor, status, body):
    """An echo of our own comment does not turn a refusal into a success."""
    vendor.answers(httpx.Response(status, json=body))
    with pytest.raises(errors.Rejected):
        client.create("power", POINTS[0])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (ONE, "created"),
        ({**ONE, "status": "updated"}, "updated"),
        ({**ONE, "status": "duplicate"}, "duplicate"),
        ({"id": "a1", "requestid": None}, "created"),
        ({"id": "a1"}, "created"),
    ],
)
def test_single_writes(client, vendor, body, status):
    """A single write is confirmed by its id; `status` is undocumented and may lack."""
    vendor.answers(httpx.Response(200, text=json.dumps(body)))
    assert client.create("power", POINTS[0]) == Written("r1", "a1", status)


def test_a_duplicate_that_is_answered_with_200(client, vendor):
    """The vendor's page does not name a status for a resend: 200 is understood as well."""
    vendor.answers(httpx.Response(200, json={"errors": "Duplicate request"}))
    assert client.create("power", POINTS[0]).status == "duplicate"


@pytest.mark.parametrize("body", [{**ONE, "requestid": "r2"}, {"requestid": "r1"}, [ONE], {}, None])
def test_unconfirmed_single_writes(client, vendor, body):
    """An answer that is not about our point is an error, no success."""
    vendor.answers(httpx.Response(200, text=json.dumps(body)))
    with pytest.raises(errors.UnexpectedResponse):
        client.create("power", POINTS[0])


@pytest.mark.parametrize("duplicate", [False, True])
def test_a_receipt_can_name_the_exchange(client, vendor, duplicate):
    """Beeminder's name for the request is with what was written, and with what was a duplicate."""
    named = {"X-Request-Id": "req-7"}
    refusal = httpx.Response(422, headers=named, json={"errors": "Duplicate request"})
    vendor.answers(refusal if duplicate else httpx.Response(200, headers=named, json=ONE))
    assert client.create("power", POINTS[0]).request_id == "req-7"
    vendor.answers(refusal if duplicate else httpx.Response(200, headers=named, json=[ONE]))
    outcome = client.create_all("power", POINTS)
    assert outcome.request_id == "req-7"
    assert [each.request_id for each in outcome.written.values()] == (
        [] if duplicate else ["req-7"]
    )


def test_hostile_depth(client, vendor):
    """A body nested hundreds deep is no crash, and confirms only what is plain to see."""
    deep = "[" * 400 + "]" * 400
    vendor.answers(httpx.Response(200, text='[{"id":"a1","requestid":"r1"},' + deep + "]"))
    assert client.create_all("power", POINTS).written == {"r1": Written("r1", "a1", "created")}
    vendor.answers(httpx.Response(200, text=deep))
    with pytest.raises(errors.UnexpectedResponse):
        client.create("power", POINTS[0])


def test_no_token_in_the_words_of_a_batch(client, vendor):
    """Errors inside a good answer are cleaned like any other text."""
    vendor.answers(httpx.Response(200, json=[ONE, "token tok-canary is odd"]))
    outcome = client.create_all("power", POINTS)
    assert outcome.errors == ["token [redacted] is odd"]
