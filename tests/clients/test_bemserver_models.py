"""Bodies and tokens of BEMServer are read right or refused."""

import base64
import json
import math

import httpx
import pytest

from clients import answers, bemserver_models, errors
from clients.bemserver_models import TokenPair

MIDNIGHT = 1577836800.0  # 2020-01-01T00:00:00Z
TWO = [(MIDNIGHT, 0.1), (MIDNIGHT + 3600, 1.5)]


def answer(body, **headers):
    content = body if isinstance(body, str) else json.dumps(body)
    return answers.Answer(
        method="GET", path="data", status=200, headers=httpx.Headers(headers), body=content.encode()
    )


def read(body, *keys, accept="json"):
    return bemserver_models.series_of(answer(body), keys, accept=accept)


def jwt(claims):
    middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{middle}.c2ln"


def test_recorded_json(recorded):
    """A recorded body comes out by key and time; a series without data is an empty list."""
    found = read(recorded("data").text, "2", "1", "5")
    assert found == {"2": [(MIDNIGHT + 1800, -3.25)], "1": TWO, "5": []}
    assert list(found) == ["2", "1", "5"]
    assert read(recorded("data_none").text, "5") == {"5": []}


def test_recorded_csv(recorded):
    """CSV stamps have an offset without colon; empty cells are no values."""
    found = read(recorded("data_csv").text, "1", "2", accept="csv")
    assert [sample for sample in found["1"] if sample[1] is not None] == TWO
    assert found["2"] == [(MIDNIGHT, None), (MIDNIGHT + 1800, -3.25), (MIDNIGHT + 3600, None)]
    assert read("Datetime,5\n", "5", accept="csv") == {"5": []}


def test_names_in_csv_headers():
    """A series name with a comma or a quote is read as the server's writer quotes it."""
    body = 'Datetime,"a, ""b"""\n2020-01-01T00:00:00+0000,1.0\n'
    assert read(body, 'a, "b"', accept="csv") == {'a, "b"': [(MIDNIGHT, 1.0)]}


@pytest.mark.parametrize(
    "stamp",
    [
        "2020-01-01T00:00:00+00:00",
        "2020-01-01T00:00:00+0000",
        "2020-01-01T01:00:00+01:00",
        "2020-01-01T05:30:00+0530",
        "2020-01-01T00:00:00Z",
        "2020-01-01T00:00:00.000000+00:00",
    ],
)
def test_stamps(stamp):
    """Every spelling of one instant is that instant."""
    assert read({"1": {stamp: 1}}, "1") == {"1": [(MIDNIGHT, 1.0)]}


def test_fractions_of_seconds(recorded):
    """JSON stamps keep their fraction; two CSV rows may share a stamp."""
    first, second = read(recorded("data_fraction").text, "4")["4"]
    assert (first[0], second[0]) == (MIDNIGHT + 0.123456, MIDNIGHT + 0.5)
    rows = "Datetime,4\n2020-01-01T00:00:00+0000,1.0\n2020-01-01T00:00:00+0000,2.0\n"
    assert read(rows, "4", accept="csv")["4"] == [(MIDNIGHT, 1.0), (MIDNIGHT, 2.0)]


def test_the_doubled_hour(recorded):
    """The two hours named 02:00 in autumn are an hour apart."""
    found = read(recorded("autumn").text, "4")["4"]
    assert [at - found[0][0] for at, _ in found] == [0, 3600, 7200]
    assert [value for _, value in found] == [1, 1, None]


def test_infinity_is_for_the_caller(recorded):
    """Infinity and NaN, which the server can hold, come out as such in both formats."""
    values = [value for _, value in read(recorded("data_infinite").text, "4")["4"]]
    assert values[:2] == [math.inf, -math.inf]
    assert math.isnan(values[2])
    row = "Datetime,4\n2020-01-01T00:00:00+0000,inf\n"
    assert read(row, "4", accept="csv")["4"] == [(MIDNIGHT, math.inf)]
    assert read('{"4": {"2020-01-01T00:00:00Z": 1' + "0" * 400 + "}}", "4")["4"][0][1] == math.inf


def test_in_order_of_time():
    """Samples come out by time whatever the order in the body."""
    stamps = {"2020-01-01T01:00:00Z": 2, "2020-01-01T00:00:00Z": 1}
    assert [value for _, value in read({"1": stamps}, "1")["1"]] == [1, 2]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ([], "found list"),
        ({"1": []}, "series 1"),
        ({"1": None}, "series 1"),
        ({"9": {}}, "series 9 was not asked for"),
        ({"1": {"2020-01-01T00:00:00": 1}}, "no instant"),
        ({"1": {"yesterday": 1}}, "no instant"),
        ({"1": {"1577836800": 1}}, "no instant"),
        ({"1": {"2020-01-01T00:00:00Z": "1"}}, "found str"),
        ({"1": {"2020-01-01T00:00:00Z": True}}, "found bool"),
        ({"1": {"2020-01-01T00:00:00Z": [1]}}, "found list"),
        ("<html>", "not JSON"),
    ],
)
def test_json_misfits(body, told):
    """A body of another shape is an error that names the place, never an empty day."""
    with pytest.raises(errors.UnexpectedResponse, match=told):
        read(body, "1")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{}",
        '{"1": {}}',
        "Time,1\n",
        "Datetime,9\n",
        "Datetime,1\n2020-01-01T00:00:00+0000\n",
        "Datetime,1\n2020-01-01T00:00:00+0000,1,2\n",
        "Datetime,1\n2020-01-01T00:00:00,1\n",
        "Datetime,1\n2020-01-01T00:00:00+0000,many\n",
        'Datetime,1\n2020-01-01T00:00:00+0000,"1\n',
    ],
)
def test_csv_misfits(body):
    """JSON under a CSV label, ragged rows and words for numbers are errors."""
    with pytest.raises(errors.UnexpectedResponse):
        read(body, "1", accept="csv")


def test_ends_of_life():
    """The end of a token's life is read from it; a token without one has none."""
    pair = TokenPair.of(jwt({"exp": 1700000900, "type": "access"}), jwt({"type": "refresh"}))
    assert (pair.access_expires_at, pair.refresh_expires_at) == (1700000900.0, None)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a",
        "a.b",
        "a.b.c",
        "a.é.c",
        jwt([]),
        jwt({"exp": "soon"}),
        jwt({"exp": True}),
        jwt({"exp": 1e300}),
        jwt({"exp": math.nan}),
    ],
)
def test_odd_tokens(token):
    """What is no JWT has no known end of life, and is no crash."""
    assert TokenPair.of(token, token).access_expires_at is None


def test_repr_hides_tokens():
    """A pair may be printed."""
    assert "canary" not in repr(TokenPair("canary", "canary", 1.0, 2.0))


@pytest.mark.parametrize(
    "header", ["", "x", "{}", '{"total": 1}', '{"total":"x","total_pages":1}', "[]"]
)
def test_odd_pagination(header):
    """A page header that does not name the totals is an error: rows could be missed."""
    with pytest.raises(errors.UnexpectedResponse, match="X-Pagination"):
        bemserver_models.pagination_of(answer([]), header)
