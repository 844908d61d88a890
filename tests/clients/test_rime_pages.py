"""RIME's lists: every way in which one may end, and none that ends it early."""

import httpx
import pytest

from clients import errors, rime_pages
from clients.answers import Answer
from clients.rime import RimeClient


@pytest.fixture
def listed(http, vendor):
    """The ids that a list comes to, and the query arguments that were sent."""
    client = RimeClient(http=http, base_url="https://acme.rimedata.io/api/v1", credentials="k")

    def ask(*answers):
        vendor.answers(*(httpx.Response(200, json=answer) for answer in answers))
        found = [thing.id for page in client.projects() for thing in page]
        return found, [dict(request.url.params) for request in vendor.requests]

    return ask


def page(*ids, **more):
    return {"data": [{"id": found} for found in ids], **more}


@pytest.mark.parametrize(
    "end",
    [
        {"has_more": False, "next_cursor": None},
        {"has_more": False, "next_cursor": ""},
        {"has_more": False},
        {"has_more": False, "next_cursor": "one more"},
        {"has_more": True},
        {"has_more": True, "next_cursor": None},
        {"has_more": True, "next_cursor": ""},
        {"has_more": True, "next_cursor": "b"},
        {"has_more": True, "next_cursor": "c"},
        {"next_cursor": "c"},
        {},
    ],
)
def test_every_end_of_a_list(listed, end):
    """Three pages are read, the cursor is left out first, and nothing is asked after the end."""
    found, asked = listed(
        page("1", has_more=True, next_cursor="b"),
        page("2", has_more=True, next_cursor="c"),
        page("3", **end),
    )
    assert found == ["1", "2", "3"]
    assert asked == [
        {"limit": "100"},
        {"limit": "100", "cursor": "b"},
        {"limit": "100", "cursor": "c"},
    ]


def test_has_more_may_be_left_out(listed):
    """A cursor alone goes on; numbers are cursors too, and an empty page ends nothing."""
    found, asked = listed(page("1", next_cursor=0), page(next_cursor=7), page("3"))
    assert found == ["1", "3"]
    assert [one.get("cursor") for one in asked] == [None, "0", "7"]


def test_an_empty_list_is_none(listed):
    """No entries is an answer."""
    assert listed(page()) == ([], [{"limit": "100"}])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "data"),
        ({"data": None, "has_more": False}, "data"),
        ({"data": {"id": "1"}}, "data"),
        ({"items": [], "has_more": False}, "data"),
        ([{"id": "1"}], "data"),
        ({"data": [7]}, "data.0"),
        ({"data": [{"id": "1"}, {"name": "x"}]}, "data.1.id"),
        ({"data": [{"id": True}]}, "data.0.id"),
        ({"data": [], "has_more": "no"}, "has_more"),
        ({"data": [], "has_more": 0}, "has_more"),
        ({"data": [], "next_cursor": {"after": 1}}, "next_cursor"),
        ({"data": [], "next_cursor": True}, "next_cursor"),
    ],
)
def test_a_page_that_is_none_names_its_field(listed, body, field):
    """On the second page as on the first: half a list would be a wrong count."""
    for pages in ((body,), (page("1", has_more=True, next_cursor="b"), body)):
        with pytest.raises(errors.UnexpectedResponse, match=rf"field {field}\b"):
            listed(*pages)


def test_a_list_without_end(http, vendor):
    """Ever new cursors are an error in the end, and no partial count."""
    client = RimeClient(http=http, base_url="https://acme.rimedata.io/api/v1", credentials="k")

    def endless(request):
        cursor = int(request.url.params.get("cursor", 0)) + 1
        return httpx.Response(
            200, json=page(next_cursor=str(cursor)), headers={"X-Request-Id": "req_1"}
        )

    vendor.answers(endless)
    with pytest.raises(errors.UnexpectedResponse, match="no end after 1000 pages") as caught:
        list(client.projects())
    assert len(vendor.requests) == rime_pages.MOST_PAGES
    assert caught.value.request_id == "req_1"


@pytest.mark.parametrize("cursor", ["b", "c"])
def test_a_server_that_does_not_heed_the_cursor(listed, cursor):
    """The same page once more is no end of the list: there is more that nobody gets to see."""
    first = page("1", "2", has_more=True, next_cursor="b")
    again = page("1", "2", has_more=True, next_cursor=cursor)
    again["data"][0]["rows"] = 7  # of a run that goes on
    with pytest.raises(errors.UnexpectedResponse, match="came again"):
        listed(first, again)


def test_an_entry_that_was_moved_on(listed):
    """A new one at the top moves the last one to the next page: that is no page again."""
    first = page("3", "2", has_more=True, next_cursor="b")
    assert listed(first, page("2", "1"))[0] == ["3", "2", "2", "1"]
    assert listed(first, page("2"))[0] == ["3", "2", "2"]


def test_a_failure_in_the_middle(http, vendor):
    """An error on the second page is the error of the list."""
    client = RimeClient(http=http, base_url="https://acme.rimedata.io/api/v1", credentials="k")
    first = httpx.Response(200, json=page("1", has_more=True, next_cursor="b"))
    vendor.answers(first, httpx.Response(500))
    with pytest.raises(errors.Unavailable):
        list(client.projects())


def test_reading_on_from_a_cursor(http, vendor):
    """A list can be read on, and its own cursor is one that was there before."""
    client = RimeClient(http=http, base_url="https://acme.rimedata.io/api/v1", credentials="k")
    runs = [{"id": "r1", "status": "completed"}]
    vendor.answers(httpx.Response(200, json={"data": runs, "next_cursor": "b"}))
    (found,) = client.runs("p", "connector", "c", cursor="b")
    assert ([run.id for run in found.runs], found.cursor) == (["r1"], None)
    assert vendor.last.url.params["cursor"] == "b"


def answer(body):
    """An error answer with this body."""
    return Answer("GET", "projects", 422, httpx.Headers(), httpx.Response(422, json=body).content)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"error": {"code": "conflict", "message": "Busy"}}, "Busy"),
        ({"error": {"code": "conflict"}}, "conflict"),
        ({"error": {"message": "No", "details": [{"field": "a", "message": "b"}]}}, "No (a: b)"),
        ({"error": {"message": "No", "details": [{"field": "a"}, {"message": "b"}]}}, "No (a; b)"),
        ({"error": {"message": "No", "details": ["x", 7, None, {}]}}, "No (x; 7)"),
        ({"error": {"details": [{"field": "a", "message": "b"}]}}, "a: b"),
        ({"error": {"message": "two\nlines", "details": {"a": 1}}}, "two lines"),
        ({"error": "plain"}, "plain"),
        ({"message": "other"}, "other"),
        ([], ""),
    ],
)
def test_what_an_error_body_says(body, text):
    """The envelope of the page with its details, and whatever else may come instead."""
    assert rime_pages.said(answer(body)) == text
