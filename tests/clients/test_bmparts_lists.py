"""The history and the reserves of BM Parts; bodies that are too slow, or too much."""

import datetime as dt
import threading

import httpx
import pytest

from clients import errors
from clients.http import MIB
from tests.clients.bmparts_calls import CALLS, DAY, NOON, client_of, page_of


@pytest.fixture
def bmparts(http):
    return client_of(http)


def entry(at: float, phrase: str = "W 811/80") -> dict:
    stamp = dt.datetime.fromtimestamp(at, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"searched_at": stamp, "search_string": phrase, "is_vin": False, "not_found": False}


def history(*entries) -> httpx.Response:
    return page_of(list(entries), "history")


def test_the_history_is_read_until_it_is_old_enough(bmparts, vendor):
    """Newest first: what lies before the time that matters is not asked for."""
    vendor.answers(
        history(entry(NOON + 20), entry(NOON + 10)),
        history(entry(NOON), entry(NOON - 1), entry(NOON - 2)),
        history(entry(NOON - 3)),
    )
    assert bmparts.searches(NOON) == [NOON, NOON + 10, NOON + 20]
    (first, second) = (request.url.params for request in vendor.requests)
    assert (first["direction"], first["filter"], first["per_page"]) == ("desc", "all", "100")
    assert second["page"] == "2"


def test_a_history_in_another_order_is_read_to_its_end(bmparts, vendor):
    """A call that ignores `direction` shows what is old first: that is no reason to stop."""
    vendor.answers(
        history(entry(NOON - 20), entry(NOON - 10)),
        history(entry(NOON + 10), entry(NOON + 20)),
        history(),
    )
    assert bmparts.searches(NOON) == [NOON + 10, NOON + 20]
    vendor.answers(history(entry(NOON - 5), entry(NOON + 5)), history(entry(NOON + 9)), history())
    assert bmparts.searches(NOON) == [NOON + 5, NOON + 9]


def test_searches_that_move_to_the_next_page_count_once(bmparts, vendor):
    """Somebody searches while the history is read."""
    vendor.answers(
        history(entry(NOON + 3, "c"), entry(NOON + 2, "b")),
        history(entry(NOON + 2, "b"), entry(NOON + 1, "a")),
        history(),
    )
    assert bmparts.searches(NOON) == [NOON + 1, NOON + 2, NOON + 3]


def test_searches_that_come_in_do_not_make_it_read_all(bmparts, vendor):
    """A page that begins with what the one before ended with is no other order."""
    vendor.answers(
        history(entry(NOON + 4), entry(NOON + 3), entry(NOON + 2)),
        history(entry(NOON + 3), entry(NOON + 2), entry(NOON - 1)),
        history(entry(NOON - 2)),
    )
    assert bmparts.searches(NOON) == [NOON + 2, NOON + 3, NOON + 4]
    assert len(vendor.requests) == 2


def test_pages_that_go_forward(bmparts, vendor):
    """One entry on each page, the oldest first: the second page tells, and the rest is read."""
    vendor.answers(
        history(entry(NOON)), history(entry(NOON + 1)), history(entry(NOON - 5)), history()
    )
    assert bmparts.searches(NOON) == [NOON, NOON + 1]
    assert len(vendor.requests) == 4


def test_two_searches_of_one_second(bmparts, vendor):
    """On one page they are two, also if they are equal."""
    vendor.answers(history(entry(NOON, "a"), entry(NOON, "a"), entry(NOON, "b")), history())
    assert bmparts.searches(NOON) == [NOON, NOON, NOON]


def test_a_history_that_is_cut_off(bmparts, vendor):
    """The same hundred for every page, and all of them matter: no count is better than that."""
    vendor.answers(history(*(entry(NOON + 100 - n, str(n)) for n in range(100))))
    with pytest.raises(errors.UnexpectedResponse, match="history repeats"):
        bmparts.searches(NOON)
    # What is older than them is of no interest then, and was not asked for.
    assert len(bmparts.searches(NOON + 50)) == 51


def test_a_history_in_one_piece(bmparts, vendor):
    """A call that gives years at once is read in time, and counted whole."""
    vendor.answers(history(*(entry(NOON + 20_000 - n, str(n)) for n in range(20_000))))
    assert len(bmparts.searches(NOON)) == 20_000


@pytest.mark.parametrize("row", [{}, {"searched_at": None}, {"searched_at": "2026-11-20"}])
def test_a_search_without_an_instant(bmparts, vendor, row):
    """Of which day it is nobody knows: an error names the entry."""
    vendor.answers(history(entry(NOON), row), history())
    with pytest.raises(errors.UnexpectedResponse, match=r"history\.1\.searched_at"):
        bmparts.searches(NOON)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"reserves": []}, 0),
        ({"reserves": [{"uuid": "a"}, {"uuid": "b"}]}, 2),
        ({"reserves": {"a": {"sum": "1"}, "b": {"sum": "1"}}}, 2),
        ({"reserves": [{"reserve_uuid": "a", "uuid": "p"}, {"reserve_uuid": "b", "uuid": "p"}]}, 2),
        ({"reserves": [{"product": "x"}, {"product": "x"}, {"product": "y"}]}, 3),
        ([{"id": 1}, {"id": 2}, {"id": 2}], 2),
    ],
)
def test_reserves(bmparts, vendor, body, expected):
    """With ids of any name, as an object by id, or without any id."""
    vendor.answers(httpx.Response(200, json=body))
    assert bmparts.count_reserves() == expected


def test_reserves_on_two_pages(bmparts, vendor):
    """All of them count."""
    pages = [page_of([{"uuid": f"{n} {m}"} for m in range(30)], "reserves") for n in range(2)]
    vendor.answers(*pages, page_of([], "reserves"))
    assert bmparts.count_reserves() == 60


@pytest.mark.parametrize("call", CALLS)
def test_a_body_that_is_too_large(http, vendor, call):
    """Ten megabytes are more than any list of a day: refused, not read on."""
    vendor.answers(httpx.Response(200, content=b"[" + b" " * (10 * MIB) + b"]"))
    with pytest.raises(errors.UnexpectedResponse) as caught:
        CALLS[call](client_of(http))
    assert caught.value.reason == "too_large"


@pytest.mark.parametrize("call", CALLS)
def test_a_slow_body_ends_at_the_deadline(http, vendor, clock, call):
    """A body that dribbles is cut off when the time for the request is over."""

    class Dribble(httpx.SyncByteStream):
        def __iter__(self):
            for _ in range(100):
                clock.now += 1
                yield b" "

    vendor.answers(lambda _: httpx.Response(200, stream=Dribble()))
    client = client_of(http, deadline=20, monotonic=clock)
    before = clock.now
    with pytest.raises(errors.Unavailable) as caught:
        CALLS[call](client)
    assert (caught.value.reason, clock.now - before) == ("timeout", 20)


def test_a_slow_body_on_a_real_socket(real_http, wire, make_clock):
    """The same where bytes really come one by one."""
    looked, over = threading.Event(), threading.Event()
    clock = make_clock(step=1)

    def monotonic():
        looked.set()
        return clock()

    def dribble(server, connection):
        server.read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")
        for _ in range(500):
            looked.clear()
            try:
                connection.sendall(b" ")
            except OSError:
                return
            while not looked.wait(0.01):
                if over.is_set():
                    return

    server = wire(dribble)
    client = client_of(real_http, server.url, deadline=30, monotonic=monotonic)
    with pytest.raises(errors.Unavailable) as caught:
        client.documents(NOON, NOON + DAY)
    over.set()
    assert caught.value.reason == "timeout"
    assert b"\r\nauthorization: 5a1f0b9e-canary" in server.heads[0].lower()
