"""The simulated BM Parts' lists: periods, pages, and all that is a switch."""

import httpx
import pytest

from simulators.bmparts import Bmparts
from simulators.bmparts_periods import period
from simulators.bmparts_state import INVOICE, SHIPMENT
from simulators.server import LocalServer

NOON = 1_795_176_000.0  # 20 November 2026, 12:00 UTC, 14:00 in Kyiv
HOUR = 3600.0
MIDNIGHT = NOON - 14 * HOUR  # in Kyiv


@pytest.fixture
def bmparts(clock):
    clock.now = NOON
    made = Bmparts(clock=clock)
    made.state.add_key("key-1")
    return made


@pytest.fixture
def get(bmparts):
    headers = {"Authorization": "key-1"}
    with (
        LocalServer(bmparts.app) as server,
        httpx.Client(base_url=server.url, headers=headers, trust_env=False) as client,
    ):
        yield lambda path, **params: client.get(path, params=params).json()


def test_documents_of_a_kind(bmparts, get):
    """By code; all of them without."""
    bmparts.state.add_documents(NOON - 2, NOON - 1)
    bmparts.state.add_documents(NOON, kind=INVOICE)
    assert len(get("/documents/list")["documents"]) == 3
    assert len(get("/documents/list", type=SHIPMENT)["documents"]) == 2
    assert {row["code"] for row in get("/documents/filters/types")["types"]} == {SHIPMENT, INVOICE}


def test_a_document_by_its_id(bmparts, get):
    """With a slash between kind and id; another kind is not found."""
    (made,) = bmparts.state.add_documents(NOON)
    shown = get(f"/documents/{SHIPMENT}/{made.document_uuid}")
    assert shown["document"]["document_uuid"] == made.document_uuid
    assert set(get(f"/documents/{INVOICE}/{made.document_uuid}")) == {"message"}


def test_newest_first(bmparts, get):
    """Unless it is asked for otherwise."""
    made = bmparts.state.add_documents(NOON - 2, NOON - 1)
    ids = [one.document_uuid for one in made]
    for direction, expected in (("desc", ids[::-1]), ("asc", ids)):
        shown = get("/documents/list", direction=direction)["documents"]
        assert [row["document_uuid"] for row in shown] == expected
    assert get("/documents/list")["documents"][0]["document_uuid"] == ids[1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{2026-11-20T12:00:00Z,2026-11-20T12:00:10Z}", [True, True, True, False]),
        ("{2026-11-20T12:00:01Z,2026-11-20T12:00:10Z}", [False, False, True, False]),
        ("{2026-11-20,2026-11-20}", [True, True, True, True]),
        ("{,}", [True, True, True, True]),
        ("{2026-11-21,}", [False, False, False, False]),
        ("today", [True, True, True, True]),
        ("yesterday", [False, False, False, False]),
        ("week", [True, True, True, True]),
    ],
)
def test_periods(text, expected):
    """Full instants, dates (whole days in the server's zone), empty sides (today), words."""
    found = period(text, now=NOON, zone="Europe/Kyiv", inclusive=True)
    instants = (NOON, NOON + 0.5, NOON + 10, NOON + 11)
    assert [found.has(at) for at in instants] == expected


def test_where_days_begin():
    """Words and bare dates mean days of the server's zone."""
    for text in ("today", "{2026-11-20,2026-11-20}"):
        found = period(text, now=NOON, zone="Europe/Kyiv", inclusive=True)
        ends = (MIDNIGHT - 1, MIDNIGHT, MIDNIGHT + 24 * HOUR - 1, MIDNIGHT + 24 * HOUR)
        assert [found.has(at) for at in ends] == [False, True, True, False]


@pytest.mark.parametrize("text", ["", "{}", "{1,2,3}", "{2026-13-01,}", "{2026-11-20 12:00,}"])
def test_what_is_no_period(text):
    """Refused."""
    with pytest.raises(ValueError, match=r".+"):
        period(text, now=NOON, zone="Europe/Kyiv", inclusive=True)


@pytest.mark.parametrize(("inclusive", "count"), [(True, 2), (False, 1)])
def test_the_end_of_a_period_is_a_switch(bmparts, get, inclusive, count):
    """Nobody says whether it is part of it."""
    bmparts.state.switches.change({"end_inclusive": inclusive})
    bmparts.state.add_documents(NOON, NOON + 10)
    asked = "{2026-11-20T12:00:00Z,2026-11-20T12:00:10Z}"
    assert len(get("/documents/list", period=asked)["documents"]) == count


def test_pages(bmparts, get):
    """30 by default, up to 100, empty behind the last one."""
    bmparts.state.add_documents(*(NOON - n for n in range(130)))
    sizes = [
        len(get("/documents/list", **asked)["documents"])
        for asked in (
            {},
            {"per_page": 100},
            {"per_page": 1000},
            {"per_page": 100, "page": 2},
            {"page": 5},
            {"page": 6},
        )
    ]
    assert sizes == [30, 100, 100, 30, 10, 0]


def test_calls_that_ignore_what_is_asked(bmparts, get):
    """The size, the page, or the end of the list."""
    bmparts.state.add_documents(*(NOON - n for n in range(130)))
    switches, path = bmparts.state.switches, "/documents/list"
    first = get(path, per_page=100)
    switches.change({"ignores_per_page": ["documents/list"]})
    assert len(get(path, per_page=100)["documents"]) == 30
    switches.change({"ignores_per_page": [], "ignores_page": ["documents/list"]})
    assert get(path, per_page=100, page=2) == first
    switches.change({"ignores_page": [], "beyond": "last"})
    assert get(path, per_page=100, page=9) == get(path, per_page=100, page=2)


@pytest.mark.parametrize("form", ["arrays", "objects", "bare"])
def test_the_form_of_lists_is_a_switch(bmparts, get, form):
    """An array, an object by id, or an array without a name; names can be changed."""
    bmparts.state.open("reserves", 2)
    bmparts.state.switches.change({"lists": form, "names": {"shopping/reserves": "rows"}})
    shown = get("/shopping/reserves")
    found = shown if form == "bare" else shown["rows"]
    assert len(found) == 2
    assert isinstance(found, dict) == (form == "objects")


def test_the_history(bmparts, get):
    """By searched_at, newest first, of one kind or all."""
    bmparts.state.add_searches(NOON - 2, NOON - 1, phrase="filter")
    bmparts.state.firm().history[0].is_vin = True
    rows = get("/profile/history")["history"]
    stamps = [row["searched_at"] for row in rows]
    assert stamps == ["2026-11-20T11:59:59Z", "2026-11-20T11:59:58Z"]
    assert len(get("/profile/history", filter="vin")["history"]) == 1
    assert set(get("/profile/history", filter="x")) == {"message"}


def test_reports(bmparts, get):
    """Turnover and balance of a period, with quantities as text or as numbers."""
    bmparts.state.add_sale(NOON - 100, "BOSCH", 10.0)
    bmparts.state.add_sale(NOON, "MANN", 2.5)
    asked = {"period": "{2026-11-20T12:00:00Z,2026-11-20T13:00:00Z}"}
    turnover = get("/reports/brands_turnover", **asked)
    assert turnover == {"brands_turnover": [{"brand": "MANN", "sum": "2,5"}], "total": "2,5"}
    bmparts.state.switches.change({"text_quantities": False})
    balance = get("/reports/reconciliation", **asked)
    assert balance == {"reconciliation": {"opening": 10.0, "closing": 12.5}}


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("object", {"count": 2}),
        ("number", 2),
        ("text", {"count": "2"}),
        ("nested", {"carts": {"count": 2}}),
    ],
)
def test_the_shape_of_the_count_is_a_switch(bmparts, get, shape, expected):
    """Nobody says what it looks like."""
    bmparts.state.open("carts", 2)
    bmparts.state.switches.change({"carts_count": shape})
    assert get("/shopping/carts/count") == expected
    assert len(get("/shopping/carts")["carts"]) == 2
