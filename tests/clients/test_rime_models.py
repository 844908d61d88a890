"""Runs of RIME in every spelling, and what of them can't be read."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import httpx
import pytest

from clients import errors, json_pointer, rime_models
from clients.answers import Answer
from clients.rime_models import ALIASES, NAMES, Fields, instant, outcome

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC).timestamp()
GOOD = {
    "id": "r1",
    "status": "completed",
    "total_rows": 5,
    "started_at": "2026-11-20T11:00:00Z",
    "completed_at": "2026-11-20T12:00:00Z",
}
ANSWER = Answer("GET", "runs", 200, httpx.Headers({"X-Request-Id": "req_1"}), b"")


def run(fields=None, **more):
    """The good run with other fields; `...` takes one out."""
    item = {key: value for key, value in {**GOOD, **more}.items() if value is not ...}
    return (fields or Fields()).run(ANSWER, item, place="data.0")


def test_a_run():
    """The first spelling of each field, and the request that it came with."""
    found = run()
    assert (found.id, found.outcome, found.rows) == ("r1", "succeeded", 5.0)
    assert (found.started, found.ended) == (NOON - 3600, NOON)
    assert (found.request_id, dict(found.wrong), found.is_over) == ("req_1", {}, True)


VALUES = {"id": "r2", "status": "failed", "rows": 7, "started": NOON, "ended": NOON + 1}


@pytest.mark.parametrize(
    ("name", "alias"), [(name, alias) for name in NAMES for alias in ALIASES[name]]
)
def test_every_alias(name, alias):
    """Each name that is tried is found by itself; a null before it is not there."""
    item = {ALIASES[other][0]: VALUES[other] for other in NAMES if other != name}
    nulls = dict.fromkeys(ALIASES[name])
    found = Fields().run(ANSWER, {**item, **nulls, alias: VALUES[name]})
    assert (found.id, found.status, found.rows) == ("r2", "failed", 7.0)
    assert (found.started, found.ended) == (NOON, NOON + 1)


@pytest.mark.parametrize("name", NAMES)
def test_aliases_in_their_order(name):
    """Of several the first counts."""
    item = {ALIASES[other][0]: VALUES[other] for other in NAMES}
    later = dict.fromkeys(ALIASES[name][1:], "2000-01-01T00:00:00Z")
    found = Fields().run(ANSWER, {**later, **item})
    assert (found.id, found.status, found.rows) == ("r2", "failed", 7.0)
    assert (found.started, found.ended) == (NOON, NOON + 1)


def test_pointers_win():
    """A pointer is looked at alone: where it leads nowhere, the usual name is not taken."""
    nested = {
        **GOOD,
        "meta": {"keys": ["k0", 77]},
        "result": {"a/b": "FAILED"},
        "sum": {"rows": 9, "none": None},
    }
    pointers = {"id": "/meta/keys/1", "status": "/result/a~1b", "rows": "/sum/rows"}
    fields = Fields({name: json_pointer.parse(text) for name, text in pointers.items()})
    found = fields.run(ANSWER, nested)
    assert (found.id, found.outcome, found.rows, found.ended) == ("77", "failed", 9.0, NOON)
    for text in ("/sum/nope", "/sum/none", "/meta/keys/5", "/status/x"):
        found = run(Fields({"rows": json_pointer.parse(text)}))
        assert (found.rows, found.wrong["rows"]) == (None, f"field {text} is missing")
    with pytest.raises(errors.UnexpectedResponse, match=r"field data\.0\./a~1b"):
        run(Fields({"id": ("a/b",)}))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("completed", "Succeeded", "SUCCESS"), "succeeded"),
        (
            ("partially_failed", "Partially failed", "PARTIALLY-FAILED", "partiallyFailed"),
            "partial",
        ),
        (("failed", "timed_out", "TimedOut", "timed out", "error"), "failed"),
        (("skipped",), "skipped"),
        (("cancelled", "Canceled"), "cancelled"),
        (("running", "Pending", "queued", "in_progress", "In Progress", "retrying"), "open"),
        (("mystery", "completed!", "done?"), "unknown"),
    ],
)
def test_words_of_a_status(words, expected):
    """In any case, with any of the usual marks between the words."""
    assert {outcome(word) for word in words} == {expected}


@pytest.mark.parametrize("missing", ["id", "status"])
@pytest.mark.parametrize("value", [..., None, "", "  ", {}, [], True, 1.5])
def test_no_run_without_id_and_status(missing, value):
    """What can't be told apart or judged is an error that names field and request."""
    with pytest.raises(errors.UnexpectedResponse, match=rf"field data\.0\.{missing}\b") as caught:
        run(**{missing: value})
    assert caught.value.request_id == "req_1"


@pytest.mark.parametrize("item", [7, "x", None, []])
def test_no_run_that_is_no_object(item):
    """An entry of another type is an error."""
    with pytest.raises(errors.UnexpectedResponse, match=r"data\.3"):
        Fields().run(ANSWER, item, place="data.3")


@pytest.mark.parametrize(
    ("value", "rows"),
    [(0, 0.0), (7, 7.0), (7.0, 7.0), ("12", 12.0), (10**14, 1e14)],
)
def test_counts_of_rows(value, rows):
    """Numbers, and numbers that were written as text."""
    assert run(total_rows=value).rows == rows


@pytest.mark.parametrize(
    "value",
    [..., None, True, "", "x", "-1", "1.5", -1, [], {}, [1], float("nan"), float("inf"), 10**400],
)
def test_what_is_no_count_of_rows(value):
    """It is no zero: the run says what is wrong with it."""
    found = run(total_rows=value)
    assert found.rows is None
    assert "total_rows" in found.wrong["rows"]


INSTANTS = [
    "2026-11-20T12:00:00Z",
    "2026-11-20T12:00:00.000Z",
    "2026-11-20T12:00:00.1234567Z",
    "2026-11-20 12:00:00+00:00",
    "2026-11-21T01:00:00+13:00",
    "2026-11-20T07:00:00-0500",
    "20261120T120000Z",
    " 2026-11-20T12:00:00Z ",
    "2026-11-20T12:00:00",
    NOON,
    int(NOON),
    int(NOON * 1000),
    f"{NOON:.0f}",
    f"{NOON * 1000:.0f}",
]


@pytest.mark.parametrize("value", INSTANTS)
def test_instants(value):
    """ISO 8601 with a zone or without (then in UTC), seconds and milliseconds."""
    assert instant(value, UTC) == pytest.approx(NOON, abs=0.2)


def test_a_time_without_a_zone_is_one_of_the_zone():
    """Winter and summer, and of the hour that comes twice the first."""
    auckland = ZoneInfo("Pacific/Auckland")
    assert instant("2026-11-21T01:00:00", auckland) == NOON
    assert instant("2026-07-01T12:00:00", auckland) == datetime(2026, 7, 1, tzinfo=UTC).timestamp()
    assert instant("2026-11-20T12:00:00Z", auckland) == NOON
    twice = instant("2026-04-05T02:30:00", auckland)
    assert twice == datetime(2026, 4, 4, 13, 30, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    "value",
    ["", "soon", "2026-11-20", "20261120", "2026-13-01T00:00:00Z", "2026-11-20T25:00:00Z",
     "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z", 0, -1, True, [],
     {}, 1e30, float("nan"), float("inf"), 10**400, "9" * 30],
)  # fmt: skip
def test_what_is_no_instant(value):
    """A date alone, a zero that stands for none, and nonsense; the run says so."""
    assert instant(value, UTC) is None
    found = run(completed_at=value)
    assert found.ended is None
    assert "no instant" in found.wrong["ended"]


@pytest.mark.parametrize("kind", ["project", "connector", "pipeline"])
def test_things(kind):
    """Names and states are shown where there are any; unknown fields are left."""
    items = [
        {"id": 7, "name": "N", "state": "active", "new": 1},
        {f"{kind}_id": "x", "title": "T", "status": "off"},
        {"uuid": "y", "name": 5, "state": None},
    ]
    found = rime_models.things(ANSWER, items, kind=kind)
    assert [(one.id, one.name, one.state) for one in found] == [
        ("7", "N", "active"),
        ("x", "T", "off"),
        ("y", "", ""),
    ]
