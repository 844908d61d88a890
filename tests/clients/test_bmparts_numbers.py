"""Numbers and counts of BM Parts: what is no number is never taken for one."""

import math

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients import errors
from clients.answers import Answer
from clients.bmparts_numbers import NotANumberError, count, number


def answer_of(content: bytes) -> Answer:
    """A good answer with this body."""
    return Answer("GET", "shopping/carts/count", 200, httpx.Headers(), content)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, 5.0),
        (-2.5, -2.5),
        (0, 0.0),
        ("5", 5.0),
        (" 5 ", 5.0),
        ("0", 0.0),
        ("-2,5", -2.5),
        ("+3.25", 3.25),
        ("0,250", 0.25),
        ("1234,50", 1234.5),
    ],
)
def test_numbers(value, expected):
    """As JSON has them, and as text with a point or a comma before the decimals."""
    assert number(value) == expected


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (">10", "'>10': a bound"),
        ("> 10", "a bound"),
        ("<1", "a bound"),
        ("~5", "a bound"),
        ("-", "the sign for no value"),
        ("–", "the sign for no value"),  # noqa: RUF001 -- what is tested
        ("", "the sign for no value"),
        ("5 шт", "the text '5 шт'"),
        ("1 234", "no number"),
        ("1,234.5", "no number"),
        ("1,234,567", "no number"),
        ("1e5", "no number"),
        ("0x10", "no number"),
        ("inf", "no number"),
        ("nan", "no number"),
        ("1_000", "no number"),
        ("٣", "no number"),
        (".5", "no number"),
        ("5.", "no number"),
        ("9" * 5000, "no number"),
        (True, "a boolean"),
        (None, "null"),
        ([], "a list"),
        ({}, "an object"),
        (math.inf, "not finite"),
        (math.nan, "not finite"),
        (10**400, "not finite"),
    ],
    ids=lambda value: str(value)[:20].encode("ascii", "replace").decode(),
)
def test_what_is_no_number(value, sentence):
    """A sentence says what it is instead."""
    with pytest.raises(NotANumberError, match=sentence):
        number(value)


@given(st.text())
def test_any_text_is_a_finite_number_or_none(text):
    """Nothing else comes out."""
    try:
        found = number(text)
    except NotANumberError:
        return
    assert math.isfinite(found)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"3", 3),
        (b"0", 0),
        (b'"3"', 3),
        (b"3.0", 3),
        (b'{"count": 3}', 3),
        (b'{"carts": {"count": 3}}', 3),
        (b'{"count": "3"}', 3),
        (b'{"count": 3, "code": "200", "text": "x", "ok": true, "none": null}', 3),
    ],
)
def test_counts(body, expected):
    """A bare number, or the only one that there is; its name does not matter."""
    assert count(answer_of(body), "the count of carts") == expected


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"{}", "found 0 in: nothing"),
        (b"null", r"found 0 in: the body \(null\)"),
        (b"true", "a boolean"),
        (b"[3]", "a list"),
        (b'{"carts": [1, 2]}', r"carts \(a list\)"),
        (b'{"a": 1, "b": 2}', r"found 2 in: a \(a number\), b"),
        (b'{"a": "1", "b": "2"}', "found 2"),
        (b'{"count": ">10"}', "found 0"),
        (b'{"count": null}', r"count \(null\)"),
        (b'{"count": -1}', "a count was due, found -1"),
        (b'{"count": 1.5}', "a count was due"),
        (b'{"count": NaN}', "a count was due"),
        (b'{"count": 1e999}', "a count was due"),
        (b'{"message": "no"}', "message"),
    ],
)
def test_what_is_no_count(body, found):
    """An error that says what was found there, and no zero."""
    with pytest.raises(errors.UnexpectedResponse, match=found):
        count(answer_of(body), "the count of carts")
