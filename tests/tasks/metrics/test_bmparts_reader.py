"""Reading a (simulated) BM Parts: days and their ends, zeros, one bad feed among good ones."""

import pytest

from clients.errors import AuthFailed, ClientError, NotFound, Rejected, UnexpectedResponse
from simulators.bmparts_state import INVOICE, SHIPMENT
from simulators.faults import Fault
from tasks.days import Window
from tasks.metrics import bmparts_params
from tasks.providers import MetricParams, Reading, Request
from tests.tasks.metrics.bmparts_shop import (
    DAY,
    DOCUMENTS,
    KEY,
    MIDNIGHT,
    NOON,
    SEARCHES,
    WINDOWS,
    Shop,
    total_of,
    values,
)


@pytest.mark.parametrize("inclusive", [True, False])
@pytest.mark.parametrize("days", [WINDOWS, WINDOWS[:2], WINDOWS[:1], WINDOWS[2:]], ids=len)
def test_documents_by_day(shop: Shop, days: tuple[Window, ...], *, inclusive: bool) -> None:
    """Each counts on one day, to the last instant of it, wherever the vendor ends a period."""
    shop.state.switches.change({"end_inclusive": inclusive})
    for window in WINDOWS:
        start, end = window.starts_at, window.ends_at
        shop.state.add_documents(start, start + 0.5, start + 1, end - 1, end - 0.25)
    shop.state.add_documents(WINDOWS[0].starts_at - 0.25)
    assert values(shop.ask("documents", DOCUMENTS, days)) == [5.0] * len(days)


def test_a_vendor_that_means_whole_dates(shop: Shop) -> None:
    """A period to midnight that holds all of the next date counts nothing of it twice."""
    found = {
        window.daystamp: [{"document_uuid": f"{window.daystamp} {n}"} for n in range(2)]
        for window in WINDOWS
    }
    lists = list(found.values())
    for shown in (lists[0] + lists[1], [], lists[1] + lists[2], [], lists[2], []):
        shop.sim.faults.add(Fault(path="documents", status=200, body={"documents": shown}))
    assert values(shop.ask("documents", DOCUMENTS)) == [2.0, 2.0, 2.0]


def test_a_finished_day_alone(shop: Shop) -> None:
    """What the next one begins with is asked for by itself, and only where it has begun."""
    shop.ask("documents", DOCUMENTS, WINDOWS[:1])
    assert "T00%3A00%3A01Z%7D" in shop.sim.faults.requests[-1].query
    assert shop.asked("documents/list") == 2
    shop.ask("documents", DOCUMENTS, WINDOWS[-1:])
    assert shop.asked("documents/list") == 3


def test_no_document_is_a_zero(shop: Shop) -> None:
    """The list is there and empty."""
    answer = shop.ask("documents", DOCUMENTS)
    assert values(answer) == [0.0, 0.0, 0.0]
    assert answer["20261118"] == Reading(0.0, "documents")
    assert shop.asked("documents/list") == 3


def test_documents_of_a_kind(shop: Shop) -> None:
    """By code; each kind is asked for by itself, and equal questions once."""
    shop.state.add_documents(NOON, NOON + 1, kind=SHIPMENT)
    shop.state.add_documents(NOON, kind=INVOICE)
    codes = (SHIPMENT, INVOICE, None, SHIPMENT)
    answers = shop.read(
        *(("documents", bmparts_params.Documents(type=code)) for code in codes), days=WINDOWS[-1:]
    )
    assert [values(answers[n]) for n in range(4)] == [[2.0], [1.0], [3.0], [2.0]]
    assert shop.asked("documents/list") == 6  # with the empty page after each


@pytest.mark.parametrize("form", ["arrays", "objects", "bare"])
@pytest.mark.parametrize("ignored", ["nothing", "ignores_per_page"])
@pytest.mark.parametrize("beyond", ["nothing", "last"])
@pytest.mark.parametrize("count", [1, 30, 130])
def test_many_documents(shop: Shop, form: str, ignored: str, beyond: str, count: int) -> None:
    """All of them, in any form, size of page and end of the list."""
    if (count, beyond) == (30, "last"):
        return  # can't be told from a list that is cut off: an error, see below
    changes = {"lists": form, "beyond": beyond}
    if ignored != "nothing":
        changes[ignored] = ["documents/list"]
    shop.state.switches.change(changes)
    shop.state.add_documents(*(NOON - n for n in range(count)))
    assert values(shop.ask("documents", DOCUMENTS, WINDOWS[-1:])) == [float(count)]


def test_documents_that_are_cut_off(shop: Shop) -> None:
    """A call that shows 30 of 40 for every page: nothing is said, rather than 30."""
    changes = {"ignores_page": ["documents/list"], "ignores_per_page": ["documents/list"]}
    shop.state.switches.change(changes)
    shop.state.add_documents(*(NOON - n for n in range(40)))
    answer = shop.ask("documents", DOCUMENTS, WINDOWS[-1:])
    assert isinstance(answer, UnexpectedResponse)
    assert answer.reason == "cut_off"


def test_one_walk_serves_all_searches(shop: Shop) -> None:
    """Of all days and all feeds: what is older than the first day is not read."""
    days = [window.starts_at for window in WINDOWS]
    shop.state.add_searches(days[0] - 1, days[0], days[1] - 1, days[1], days[2], NOON)
    shop.state.add_searches(*(days[0] - 100 - n for n in range(500)))
    answers = shop.read(("searches", SEARCHES), ("searches", SEARCHES))
    assert values(answers[0]) == values(answers[1]) == [2.0, 1.0, 2.0]
    assert shop.asked("profile/history") == 1
    shop.ask("searches", SEARCHES)
    assert shop.asked("profile/history") == 2  # nothing is kept for the next read


def test_searches_of_feeds_with_other_days(shop: Shop) -> None:
    """The walk goes back to the earliest of all."""
    shop.state.add_searches(*(MIDNIGHT + 10 - n * DAY for n in range(10)))
    requests = [
        Request(key=n, metric="searches", params=SEARCHES, days=days, now=NOON)
        for n, days in enumerate((WINDOWS[-1:], WINDOWS))
    ]
    answers = shop.reader.read(requests)
    assert [values(answers[n]) for n in range(2)] == [[1.0], [1.0, 1.0, 1.0]]


def test_no_search_is_a_zero(shop: Shop) -> None:
    """The history is there and empty."""
    assert values(shop.ask("searches", SEARCHES)) == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("path", "fault", "kind"),
    [
        ("documents/list", Fault(status=422, body={"message": "x"}), Rejected),
        ("documents/list", Fault(status=404, body={"message": "x"}), NotFound),
        ("documents/list", Fault(action="invalid_json"), UnexpectedResponse),
        ("documents/list", Fault(status=200, body={"message": "x"}), UnexpectedResponse),
        ("documents/list", Fault(status=200, body={"documents": [{}]}), UnexpectedResponse),
        ("documents/list", Fault(action="reset", times=2), ClientError),
    ],
)
def test_one_bad_feed_among_good_ones(
    shop: Shop, path: str, fault: Fault, kind: type[ClientError]
) -> None:
    """It fails alone, and as a whole: no day of it is a zero."""
    fault.path, fault.after = path, 1
    shop.sim.faults.add(fault)
    answers = shop.read(
        ("searches", SEARCHES), ("documents", DOCUMENTS), ("open_carts", bmparts_params.Open())
    )
    assert values(answers[0]) == [0.0, 0.0, 0.0]
    assert isinstance(answers[1], kind)
    assert values(answers[2]) == [0.0]


def test_a_key_that_is_refused_is_of_the_whole_source(shop: Shop) -> None:
    """The first feed that hears it stops the read."""
    shop.state.keys.clear()
    with pytest.raises(AuthFailed) as caught:
        shop.read(("searches", SEARCHES), ("documents", DOCUMENTS))
    assert KEY not in str(caught.value)
    assert len(shop.sim.faults.requests) == 1


def test_a_failed_walk_is_not_repeated_for_each_feed(shop: Shop) -> None:
    """What is wrong with the history is wrong for all of them."""
    shop.sim.faults.add(Fault(path="history", status=422, times=None))
    answers = shop.read(*[("searches", SEARCHES)] * 3)
    assert all(isinstance(answers[n], Rejected) for n in range(3))
    assert shop.asked("profile/history") == 1


def test_a_day_without_time(shop: Shop) -> None:
    """A date that a zone skipped: nothing can have happened, and nothing is asked."""
    day = (Window("20261118", NOON, NOON),)
    for metric, params in (
        ("documents", DOCUMENTS),
        ("searches", SEARCHES),
        ("json_total", total_of("/reports/brands_turnover", "/total")),
    ):
        assert values(shop.ask(metric, params, day)) == [0.0]
    assert shop.asked("documents") == 0


def test_no_day_no_value(shop: Shop) -> None:
    """A feed that starts later has nothing to be told."""
    for metric, params in (("documents", DOCUMENTS), ("searches", SEARCHES)):
        assert shop.ask(metric, params, ()) == {}


def test_parameters_of_another_provider(shop: Shop) -> None:
    """A mistake in the table is seen at once."""
    with pytest.raises(TypeError, match="not parameters of BM Parts"):
        shop.ask("documents", MetricParams())
