"""Reading levels and numbers of a (simulated) BM Parts, and looking around in it."""

import pytest

from clients.errors import AuthFailed, UnexpectedResponse
from simulators.bmparts_state import INVOICE, SHIPMENT
from simulators.faults import Fault
from tasks.metrics import bmparts_params
from tasks.providers import Looks, Reading
from tests.tasks.metrics.bmparts_shop import (
    KEY,
    MIDNIGHT,
    NOON,
    WINDOWS,
    Shop,
    total_of,
    value_of,
    values,
)


def test_what_is_open_is_of_today(shop: Shop) -> None:
    """Past days can't be asked about, and are left out; today's number has its unit."""
    shop.state.open("reserves", 31)
    shop.state.open("carts", 2)
    answers = shop.read(
        ("open_reserves", bmparts_params.Open()), ("open_carts", bmparts_params.Open())
    )
    assert answers[0] == {"20261120": Reading(31.0, "reserves")}
    assert answers[1] == {"20261120": Reading(2.0, "carts")}
    shop.state.open("reserves", 0)
    shop.state.open("carts", 0)
    assert values(shop.ask("open_reserves", bmparts_params.Open())) == [0.0]
    assert values(shop.ask("open_carts", bmparts_params.Open())) == [0.0]


def test_a_level_of_days_that_are_over_is_not_asked(shop: Shop) -> None:
    """A day that ended meanwhile must not be given what is open now."""
    for metric in ("open_reserves", "open_carts"):
        assert shop.ask(metric, bmparts_params.Open(), WINDOWS[:2]) == {}
    assert shop.ask("json_value", value_of("/reports/terms", "/a"), WINDOWS[:2]) == {}
    assert shop.sim.faults.requests == []


@pytest.mark.parametrize("text", [True, False])
def test_a_number_that_is_read_now(shop: Shop, *, text: bool) -> None:
    """As text with a decimal comma or as a number."""
    shop.state.switches.change({"text_quantities": text})
    shop.state.firm().debts["2026-11-20"] = 12.5
    answer = shop.ask("json_value", value_of("/reports/terms", "/terms/0/debt"))
    assert answer == {"20261120": Reading(12.5)}


def test_a_number_of_each_day(shop: Shop) -> None:
    """Every day is asked with its own instants."""
    for n, window in enumerate(WINDOWS):
        shop.state.add_sale(window.starts_at, "BOSCH", 10.0**n)
    answer = shop.ask("json_total", total_of("/reports/brands_turnover", "/total"))
    assert values(answer) == [1.0, 10.0, 100.0]
    assert shop.asked("brands_turnover") == 3
    assert "period=%7B2026-11-18T00%3A00%3A00Z%2C" in shop.sim.faults.requests[0].query


def test_a_level_of_today_only(shop: Shop) -> None:
    """With `period` the call is asked about today, without it about nothing."""
    shop.state.add_sale(MIDNIGHT - 1, "BOSCH", 10.0)
    shop.state.add_sale(NOON, "BOSCH", 2.0)
    pointer = "/reconciliation/opening"
    for period, expected in ((True, 10.0), (False, 0.0)):
        params = value_of("/reports/reconciliation", pointer, period=period)
        assert values(shop.ask("json_value", params)) == [expected]
    assert [bool(request.query) for request in shop.sim.faults.requests] == [True, False]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"debt": None}, "null, and no number"),
        ({"debt": True}, "a boolean, and no number"),
        ({"debt": []}, "a list, and no number"),
        ({"debt": {}}, "an object, and no number"),
        ({"debt": ">10"}, "a bound"),
        ({"debt": "-"}, "the sign for no value"),
        ({"debt": "много"}, "no number"),
        ({"depth": 1}, "has no member 'debt'; it has 'depth'"),
        ([], "is a list: 'debt' is no index"),
        (7, "is a number, which has nothing inside"),
    ],
)
@pytest.mark.parametrize("metric", ["json_value", "json_total"])
def test_what_is_no_number(shop: Shop, metric: str, body: object, problem: str) -> None:
    """An error that names the call, the pointer and the request; never a zero."""
    fault = Fault(path="reports", status=200, body=body, headers={"X-Request-Id": "r-7"}, times=3)
    shop.sim.faults.add(fault)
    path, model = "/reports/reconciliation", value_of if metric == "json_value" else total_of
    answer = shop.ask(metric, model(path, "/debt"))
    assert isinstance(answer, UnexpectedResponse)
    assert problem in str(answer)
    assert "GET reports/reconciliation" in str(answer)
    assert "pointer /debt" in str(answer)
    assert (answer.reason, answer.request_id) == ("no_number", "r-7")


def test_an_answer_is_asked_for_once_and_read_twice(shop: Shop) -> None:
    """Two pointers into one report cost one request, and a bad one fails alone."""
    shop.state.firm().debts |= {"2026-11-20": 1.0, "2026-11-21": 2.0}
    places = ("/terms/0/debt", "/terms/1/debt", "/terms/2/debt")
    answers = shop.read(*(("json_value", value_of("/reports/terms", place)) for place in places))
    assert [values(answers[n]) for n in range(2)] == [[1.0], [2.0]]
    assert isinstance(answers[2], UnexpectedResponse)
    assert shop.asked("reports/terms") == 1


def test_a_look_around(shop: Shop) -> None:
    """The key is accepted, whose it is, and the kinds of documents with their codes."""
    assert isinstance(shop.reader, Looks)
    found = {(one.kind, one.id, one.name) for one in shop.reader.look()}
    firm = shop.state.firm()
    assert ("profile", firm.uuid, "Garage") in found
    assert {(kind, id_) for kind, id_, _ in found if kind == "document type"} == {
        ("document type", SHIPMENT),
        ("document type", INVOICE),
    }
    assert KEY not in str(found)


@pytest.mark.parametrize("body", [{}, {"status": "ok"}, {"uuid": 7}])
def test_a_profile_that_says_nothing(shop: Shop, body: object) -> None:
    """That it answers is what was to be known; what is listed has an id all the same."""
    shop.sim.faults.add(Fault(path="profile/me", status=200, body=body))
    found = shop.reader.look()[0]
    assert (found.kind, found.id, found.detail) == ("profile", "me", "the key is accepted")


@pytest.mark.parametrize("body", [[], True, 17])
def test_what_is_no_profile_is_an_error(shop: Shop, body: object) -> None:
    """Whoever answers so is not BM Parts, and nobody is told that the key is accepted."""
    shop.sim.faults.add(Fault(path="profile/me", status=200, body=body))
    with pytest.raises(UnexpectedResponse):
        shop.reader.look()


def test_a_look_with_a_bad_key(shop: Shop) -> None:
    """It raises what the client raises."""
    shop.state.keys.clear()
    with pytest.raises(AuthFailed):
        shop.reader.look()
