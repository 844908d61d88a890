"""Answers are taken apart without trust."""

import dataclasses

import httpx
import pydantic
import pytest

from clients import answers, errors


def answer(body=b"", *, status=200, **headers):
    sent = httpx.Headers({name.replace("_", "-"): value for name, value in headers.items()})
    return answers.Answer(method="GET", path="x.json", status=status, headers=sent, body=body)


@dataclasses.dataclass(frozen=True)
class Thing:
    """What a body should hold."""

    id: str
    size: int = 7


THING = pydantic.TypeAdapter(Thing)
THINGS = pydantic.TypeAdapter(list[Thing])


@pytest.mark.parametrize(
    "body", [b"", b"OK", b'{"a":', b"\xff\xfe{", b"[" * 100_000, b"9" * 5000, b"<html>"]
)
def test_no_json(body):
    """A body that is no JSON is a shape that does not fit, and is not quoted."""
    with pytest.raises(errors.UnexpectedResponse, match=r"GET x\.json") as caught:
        answer(body).json()
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_infinity_is_kept():
    """Bare Infinity, which some vendors write, is no error here."""
    assert answer(b'{"a": Infinity}').json() == {"a": float("inf")}


def test_nulls_count_as_missing():
    """A null takes the default, like a field that is not there."""
    assert answer(b'{"id":"1","size":null,"more":1}').parsed(THING) == Thing("1")
    assert answer(b'[{"id":"1","size":null}]').parsed(THINGS) == [Thing("1")]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{}", "field id is missing"),
        (b'{"id":null}', "field id is missing"),
        (b'{"id":5}', "field id: .*found int"),
        (b'{"id":"1","size":"canary"}', "field size: .*found str"),
        (b'[{"id":"1"}]', "the body: .*found list"),
        (b"null", "the body: .*found NoneType"),
    ],
)
def test_names_the_field_and_what_was_found(body, told):
    """A misfit names the field and the type found, and does not quote the value."""
    with pytest.raises(errors.UnexpectedResponse, match=told) as caught:
        answer(body, status=200, X_Request_Id="r-9").parsed(THING)
    assert "canary" not in str(caught.value)
    assert (caught.value.status, caught.value.request_id) == (200, "r-9")
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("body", "content_type", "page"),
    [
        (b"<!DOCTYPE html><p>down", "", True),
        (b"\xef\xbb\xbf \n<HTML>", "application/json", True),
        (b"<h1>down</h1>", "text/html; charset=utf-8", True),
        (b"", "text/html", True),
        (b'{"a":1}', "text/html", False),
        (b"[]", "application/json", False),
        (b"", "", False),
    ],
)
def test_pages_for_people(body, content_type, page):
    """A page is known by its start or its label; JSON under a wrong label stays JSON."""
    assert answer(body, Content_Type=content_type).is_html is page


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"errors": "one string"}, "one string"),
        ({"error": "gone"}, "gone"),
        ({"error_message": "permission denied"}, "permission denied"),
        ({"errors": {"value": ["can't be blank", "no"]}}, "value: can't be blank; value: no"),
        ({"errors": ["a", {"b": ["c"]}]}, "a; b: c"),
        ({"code": 409, "status": "Conflict"}, "status: Conflict"),
        ("plain", "plain"),
        (None, ""),
        ({"errors": "two\nlines\x00"}, "two lines"),
    ],
)
def test_error_text(body, text):
    """Every documented error shape comes down to one line."""
    assert answers.error_text(body) == text


def test_error_text_is_short():
    """A vendor that lists 471 time zones does not fill the page."""
    assert (
        len(answers.error_text({"errors": {"zone": ["Must be " + "Africa/Abidjan, " * 471]}}))
        <= 300
    )


def test_deep_error_bodies():
    """An error body nested deeper than anybody reads is cut, not a crash."""
    deep = answer(b'{"errors":' * 300 + b'"x"' + b"}" * 300)
    assert deep.error_text() == ""
    assert isinstance(deep.details(), dict)


def test_repr_hides_the_body():
    """A login's answer may be printed without its tokens."""
    shown = repr(answer(b'{"access_token":"canary"}', Set_Cookie="canary"))
    assert "canary" not in shown


def test_request_id_is_one_short_line():
    """A request id is fit for a log line whatever the vendor sends."""
    assert answer(X_Request_Id="a\x07b" + "c" * 500).request_id.startswith("a b")
    assert len(answer(X_Request_Id="c" * 500).request_id) <= 100
    assert answer().request_id is None
