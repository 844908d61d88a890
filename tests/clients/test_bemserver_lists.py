"""BEMServer's lists: all pages, once each, and no body twice."""

import json

import httpx
import pytest

from clients import errors
from clients.bemserver import BemserverClient, MemoryEtagCache


def rows(*numbers, campaign=1):
    return [{"id": n, "name": f"s{n}", "unit_symbol": "", "campaign_id": campaign} for n in numbers]


def page(items, **pagination):
    headers = {"X-Pagination": json.dumps(pagination)} if pagination else {}
    return httpx.Response(200, json=items, headers=headers)


def test_lists(bemserver, vendor, recorded):
    """Campaigns, states and series come out as values; a missing description is None."""
    vendor.answers(recorded("campaigns"))
    assert [campaign.name for campaign in bemserver.campaigns()] == ["Plant", "Offices"]
    vendor.answers(recorded("states"))
    assert bemserver.data_states() == {"Raw": 1, "Clean": 2}
    vendor.answers(recorded("page"))
    air, elec, power = bemserver.timeseries(campaign_id=1)
    assert (air.unit_symbol, elec.description, power.description) == ("°C", "main meter", None)
    asked = vendor.last.url.params
    assert (asked["sort"], asked["page"], asked["campaign_id"]) == ("name", "1", "1")
    assert bemserver.timeseries_named("Power", 1).id == 3
    with pytest.raises(errors.NotFound, match="'power'"):
        bemserver.timeseries_named("power", 1)
    vendor.answers(recorded("series"))
    assert bemserver.timeseries_by_id(1).name == "Elec kWh"
    assert vendor.targets == ["GET /api/v0/timeseries/1"]


def test_a_redirect_to_the_slash(bemserver, vendor, recorded):
    """The 308 that the server gives for a missing slash is followed once."""
    vendor.answers(recorded("no_slash"), recorded("campaigns"))
    assert len(bemserver.campaigns()) == 2


def test_unknown_filters_are_refused(bemserver, vendor):
    """The server ignores a misspelt filter and would answer with every series: we don't ask."""
    with pytest.raises(TypeError, match="campain_id"):
        bemserver.timeseries(campain_id=1)
    assert vendor.requests == []


def test_all_pages(bemserver, vendor, recorded):
    """Pages are read to the last one that the server names; an empty list is one page."""
    vendor.answers(page(rows(1, 2), total=3, total_pages=2), page(rows(3), total=3, total_pages=2))
    assert [series.id for series in bemserver.timeseries(campaign_id=1)] == [1, 2, 3]
    assert [request.url.params["page"] for request in vendor.requests] == ["1", "2"]
    vendor.answers(recorded("no_page"))
    assert bemserver.timeseries(name="zzz") == []
    assert len(vendor.requests) == 1


def test_pages_without_their_header(bemserver, vendor):
    """Where a proxy strips the page header a short page is the last one."""
    vendor.answers(page(rows(*range(100))), page(rows(100)))
    assert len(bemserver.timeseries(campaign_id=1)) == 101


def test_a_list_that_changes(bemserver, vendor):
    """Fewer rows than the server claims mean try again, not a shorter list."""
    vendor.answers(page(rows(1, 2), total=3, total_pages=2), page(rows(2), total=3, total_pages=2))
    with pytest.raises(errors.Unavailable, match="changed"):
        bemserver.timeseries(campaign_id=1)


def test_equal_names_in_two_campaigns(bemserver, vendor, recorded):
    """When names tie between pages, each campaign is read by itself."""
    vendor.answers(
        page(rows(1, 2), total=3, total_pages=2),
        page(rows(2), total=3, total_pages=2),
        recorded("campaigns"),
        page(rows(1, 2), total=2, total_pages=1),
        page(rows(3, campaign=2), total=1, total_pages=1),
    )
    assert [series.id for series in bemserver.timeseries()] == [1, 2, 3]


def test_endless_pages(bemserver, vendor):
    """A server whose list never ends is an error, and so is one that repeats a page."""
    vendor.answers(page(rows(1), total=10**9, total_pages=10**9))
    with pytest.raises(errors.UnexpectedResponse, match="no end"):
        bemserver.timeseries(campaign_id=1)
    vendor.answers(page([], total=10**9, total_pages=10**9))
    with pytest.raises(errors.Unavailable):
        bemserver.timeseries(campaign_id=1)
    assert len(vendor.requests) == 1


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("campaigns", lambda client: client.campaigns()),
        ("states", lambda client: client.data_states()),
        ("page", lambda client: client.timeseries(campaign_id=1)),
    ],
)
def test_unchanged_lists(caching, vendor, recorded, name, call):
    """A list is asked for with its tag; 304 stands for the value we have, pages included."""
    vendor.answers(recorded(name), httpx.Response(304), httpx.Response(304))
    first, second, third = call(caching), call(caching), call(caching)
    assert first == second == third != []
    tags = [request.headers.get("If-None-Match") for request in vendor.requests]
    assert tags == [None, *[recorded(name).headers["ETag"]] * 2]


def test_lists_that_changed(caching, vendor, recorded):
    """A new body replaces the kept one; other arguments are another value."""
    changed = httpx.Response(200, json=[], headers={"ETag": '"c2"'})
    vendor.answers(recorded("campaigns"), changed, httpx.Response(304))
    assert len(caching.campaigns()) == 2
    assert caching.campaigns() == caching.campaigns() == []
    assert vendor.last.headers["If-None-Match"] == '"c2"'
    vendor.answers(recorded("page"))
    caching.timeseries(campaign_id=1)
    caching.timeseries(campaign_id=2)
    assert "If-None-Match" not in vendor.last.headers


@pytest.mark.parametrize("tag", ['W/"c1"', "c1", ""])
def test_weak_tags_are_not_used(caching, vendor, tag):
    """A tag that the server would not match is not kept."""
    vendor.answers(httpx.Response(200, json=[], headers={"ETag": tag}))
    caching.campaigns()
    caching.campaigns()
    assert "If-None-Match" not in vendor.last.headers


def test_304_without_a_question(bemserver, vendor):
    """304 to a request that had no condition is a misfit."""
    vendor.answers(httpx.Response(304))
    with pytest.raises(errors.UnexpectedResponse):
        bemserver.campaigns()


def test_foreign_values_in_the_cache(http, vendor, tokens, recorded):
    """A value in the store that we can't read is as good as none."""
    etags = MemoryEtagCache()
    etags.put("http://bem.test/campaigns/", '"c1"', ["old format"])
    vendor.answers(recorded("campaigns"))
    client = BemserverClient(http=http, base_url="http://bem.test", tokens=tokens, etags=etags)
    assert len(client.campaigns()) == 2
    assert "If-None-Match" not in vendor.last.headers
