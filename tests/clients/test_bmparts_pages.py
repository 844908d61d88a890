"""Lists of BM Parts: counted whole, each record once, or not at all."""

import itertools

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients import errors
from clients.bmparts_pages import MOST_PAGES, Walk
from tests.clients.bmparts_calls import DAY, NOON, client_of, page_of, rows


@pytest.fixture
def bmparts(http):
    return client_of(http)


def count(bmparts) -> int:
    return len(bmparts.documents(NOON, NOON + DAY))


def asked(vendor) -> list[str]:
    return [request.url.params["page"] for request in vendor.requests]


def serving(ids, *, size=None, stuck=False, clamps=False):
    """A vendor with these records: `size` whatever is asked, `stuck` on page 1, or on the last."""

    def serve(request):
        per_page = size or int(request.url.params["per_page"])
        number = 1 if stuck else int(request.url.params["page"])
        last = max(1, -(-len(ids) // per_page))
        number = min(number, last) if clamps else number
        return page_of(rows(*ids[(number - 1) * per_page : number * per_page]))

    return serve


@pytest.mark.parametrize("total", [0, 1, 29, 30, 31, 60, 99, 100, 101, 200, 250])
@pytest.mark.parametrize("size", [None, 30, 7, 100])
def test_any_size_of_page_counts_all(bmparts, vendor, total, size):
    """Whether per_page is honoured or 30 (or any other number) come whatever is asked."""
    vendor.answers(serving(range(total), size=size))
    assert count(bmparts) == total
    assert asked(vendor) == [str(n + 1) for n in range(len(vendor.requests))]


@pytest.mark.parametrize("total", [0, 1, 29, 31, 99, 101, 250])
def test_a_call_that_ignores_pages_and_gives_all(bmparts, vendor, total):
    """The same records again are no others, and end the walk."""
    vendor.answers(lambda _: page_of(rows(*range(total))))
    assert count(bmparts) == total
    assert len(vendor.requests) <= 2


@pytest.mark.parametrize(("size", "total"), [(30, 30), (30, 31), (None, 100), (None, 1000)])
def test_a_call_that_ignores_pages_and_may_cut_off(bmparts, vendor, size, total):
    """A full first page that comes again hides how much there is: an error, and no part of it."""
    vendor.answers(serving(range(total), size=size, stuck=True))
    with pytest.raises(errors.UnexpectedResponse, match="may be more than it shows") as caught:
        count(bmparts)
    assert caught.value.reason == "cut_off"


@pytest.mark.parametrize("total", [0, 1, 29, 31, 99, 101, 130])
@pytest.mark.parametrize("size", [None, 30])
def test_a_call_that_gives_its_last_page_again(bmparts, vendor, total, size):
    """Beyond the end there is nothing new."""
    vendor.answers(serving(range(total), size=size, clamps=True))
    assert count(bmparts) == total


def test_a_page_that_is_short_in_the_middle(bmparts, vendor):
    """A server that hides some records after it has cut pages is read to its end all the same."""
    vendor.answers(
        page_of(rows(*range(100))),
        page_of(rows(*range(100, 160))),
        page_of(rows(*range(160, 260))),
        page_of([]),
    )
    assert count(bmparts) == 260


def test_what_moves_while_it_is_read_counts_once(bmparts, vendor):
    """Two documents come in between two pages: the last two are seen again."""
    vendor.answers(page_of(rows(5, 4, 3)), page_of(rows(4, 3, 2)), page_of(rows(1)), page_of([]))
    assert count(bmparts) == 5


def test_a_repeated_id_on_one_page_counts_once(bmparts, vendor):
    """Lines of one document are not documents."""
    vendor.answers(page_of(rows(1, 1, 2)), page_of([]))
    assert count(bmparts) == 2


def test_a_list_without_an_end(bmparts, vendor):
    """An error that names the cap, and no count of what was seen."""
    numbers = itertools.count()
    vendor.answers(lambda _: page_of(rows(next(numbers))))
    with pytest.raises(errors.UnexpectedResponse, match=f"after {MOST_PAGES} pages") as caught:
        count(bmparts)
    assert (caught.value.reason, len(vendor.requests)) == ("too_many_pages", MOST_PAGES)


@pytest.mark.parametrize("failure", [httpx.Response(500), page_of([{"number": 1}])])
def test_a_page_that_fails(bmparts, vendor, failure):
    """Half of a list is no count."""
    vendor.answers(page_of(rows(1, 2)), failure)
    with pytest.raises(errors.ClientError):
        count(bmparts)


def test_records_without_ids():
    """Equal ones on one page are two; the same ones on the next page are the same."""
    walk = Walk("things")
    assert walk.add(["a", "a", "b"], unnamed=True)
    assert walk.add(["a", "b", "c"], unnamed=True)
    assert not walk.add(["c", "a", "a"], unnamed=True)
    assert walk.count == 4


@given(
    total=st.integers(0, 400),
    size=st.integers(1, 120),
    moves=st.lists(st.integers(0, 5), max_size=5),
)
def test_nothing_is_lost_or_counted_twice(total, size, moves):
    """Any page size, with new records coming in at the top while it is read."""
    found, walk = list(range(total)), Walk("things")
    while walk.add([str(one) for one in found[walk.next_page * size - size :][:size]]):
        come_in = min(moves.pop(), size - 1) if moves else 0
        found[:0] = [-len(found) - number for number in range(1, come_in + 1)]
    assert total <= walk.count <= len(found)
