"""Which validators are kept and how they are sent, and what of an error body is told."""

import httpx
import pytest

from clients import errors
from clients.answers import Answer
from clients.bime import BimeClient
from clients.bime_answers import Validators, told
from clients.bime_auth import StaticToken

OLD = "Sat, 01 Jun 2013 00:00:00 GMT"
NEXT = "Sat, 01 Jun 2013 00:00:01 GMT"
NOW = 1_700_000_000.0


def answer(path="dashboards", **headers):
    """An answer with these headers."""
    named = {name.replace("_", "-"): value.encode() for name, value in headers.items()}
    return Answer("GET", path, 200, httpx.Headers(named), b"")


@pytest.mark.parametrize("etag", ['"1"', 'W/"1"', '""', '"a-gzip"', 'W/"x:!#~"'])
def test_tags_are_sent_back_as_they_came(http, vendor, etag):
    """Weak ones too, with their mark, and a date beside them."""
    vendor.answers(
        httpx.Response(200, headers={"ETag": etag, "Last-Modified": OLD, "Date": NEXT}, json=[])
    )
    client = BimeClient(http=http, base_url="http://bime.test/v2", tokens=StaticToken("t"))
    client.records("dashboards", client.records("dashboards").validators)
    sent = vendor.last.headers
    assert (sent["If-None-Match"], sent["If-Modified-Since"]) == (etag, OLD)


@pytest.mark.parametrize(
    "etag", ["1", "w/'1'", '"a b"', '"a"b"', 'W/"', '"é"', '"1", "2"', '"' + "x" * 600 + '"']
)
def test_what_is_no_tag_is_not_kept(etag):
    """It could not be sent, or would never match: the list is asked for as a whole."""
    assert Validators.of(answer(ETag=etag), now=NOW) == Validators()


@pytest.mark.parametrize(
    ("modified", "date", "kept"),
    [
        (OLD, NEXT, True),
        (OLD, OLD, False),
        (NEXT, OLD, False),
        (OLD, "nonsense", True),
        (OLD, None, True),
        ("yesterday", NEXT, False),
        ("", NEXT, False),
    ],
)
def test_a_date_within_its_second_is_not_kept(modified, date, kept):
    """What changes later in that second would have the same date, and never be seen."""
    headers = {"Last_Modified": modified} | ({} if date is None else {"Date": date})
    found = Validators.of(answer(**headers), now=NOW).last_modified
    assert found == (modified if kept else None)


@pytest.mark.parametrize("text", ["record not found", "Sorry, it's down. Come back!", "no"])
def test_a_plain_sentence_is_told(text):
    """What Bime says in words helps whoever reads it."""
    for key in ("error", "message", "error_description"):
        assert told(answer(), {key: text}) == text


@pytest.mark.parametrize(
    "said",
    [
        {"error": "no viewer 3f2a"},
        {"error": "the viewer's token is wrong"},
        {"error": "abcdefghijklmnopqrstuvwxyz is gone"},
        {"error": {"record": "x"}},
        {"error": ["x"]},
        {"error": "<NamedUser>"},
        {"error": "a\nb"},
        {"error": ""},
        {"record": "x"},
        ["x"],
        "x",
        None,
    ],
)
def test_what_may_hold_a_secret_is_not_told(said):
    """Numbers, long words, records, lists and talk of tokens."""
    assert told(answer(), said) == ""


def test_nothing_is_told_of_named_users():
    """Their errors may quote them in any words."""
    for path in ("named_users", "named_users/7"):
        assert told(answer(path), {"error": "record not found"}) == ""


def test_a_sentence_reaches_whoever_reads_the_error(http, vendor):
    """It stands behind the status; what else was in the body is kept nowhere."""
    vendor.answers(httpx.Response(404, json={"error": "record not found", "record": {"x": "y"}}))
    client = BimeClient(http=http, base_url="http://bime.test/v2", tokens=StaticToken("t"))
    with pytest.raises(
        errors.NotFound, match="404 to GET dashboards/7: record not found"
    ) as caught:
        client.record("dashboards", "7")
    assert caught.value.details is None
