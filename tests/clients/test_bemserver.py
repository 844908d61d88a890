"""BEMServer's client against a server that behaves like the recorded one."""

import json
import traceback

import httpx
import pytest

from clients import errors
from clients.bemserver import BemserverClient, ById, ByName, MemoryEtagCache

MIDNIGHT = 1577836800.0
RANGE = {"start": MIDNIGHT, "end": MIDNIGHT + 6 * 3600, "data_state": 1}
DAY = 86400.0
CALLS = {
    "campaigns": lambda client: client.campaigns(),
    "data_states": lambda client: client.data_states(),
    "timeseries": lambda client: client.timeseries(campaign_id=1),
    "timeseries_by_id": lambda client: client.timeseries_by_id(1),
    "timeseries_named": lambda client: client.timeseries_named("Power", 1),
    "data": lambda client: client.data(ById((1,)), **RANGE),
    "aggregate": lambda client: client.aggregate(
        ById((1,)), **RANGE, aggregation="sum", unit="day"
    ),
}
FAILURES = [
    ("scheme", errors.AuthFailed),
    ("inactive", errors.Forbidden),
    ("not_found", errors.NotFound),
    ("bad_state", errors.Rejected),
    ("unknown_series", errors.Rejected),
    ("crash", errors.Unavailable),
    ("no_session", errors.AuthFailed),
]


class Tokens:
    """A token source that counts."""

    def __init__(self):
        self.current, self.rejected = "acc-canary-0", []

    def access(self):
        """What we have."""
        return self.current

    def renew(self, rejected):
        """A new one."""
        self.rejected.append(rejected)
        self.current = f"acc-canary-{len(self.rejected)}"
        return self.current


@pytest.fixture
def tokens():
    return Tokens()


@pytest.fixture
def client(http, tokens):
    return BemserverClient(http=http, base_url="http://bem.test/api/v0/", tokens=tokens)


@pytest.fixture
def caching(http, tokens):
    return BemserverClient(
        http=http, base_url="http://bem.test/api/v0", tokens=tokens, etags=MemoryEtagCache()
    )


def rows(*numbers, campaign=1):
    return [{"id": n, "name": f"s{n}", "unit_symbol": "", "campaign_id": campaign} for n in numbers]


def page(items, **pagination):
    headers = {"X-Pagination": json.dumps(pagination)} if pagination else {}
    return httpx.Response(200, json=items, headers=headers)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(("name", "kind"), FAILURES)
def test_failures_by_method(client, vendor, tokens, recorded, call, name, kind):
    """Each recorded failure means the same for every method, and none renews the tokens."""
    vendor.answers(recorded(name))
    with pytest.raises(kind):
        CALLS[call](client)
    assert tokens.rejected == []


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("body", ["odd", 7, {"x": 1}, [1]])
def test_misfits_by_method(client, vendor, call, body):
    """A body of another shape is an error for every method."""
    vendor.answers(httpx.Response(200, json=body))
    with pytest.raises(errors.UnexpectedResponse):
        CALLS[call](client)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", ["expired", "invalid"])
def test_renews_once_and_replays_once(client, vendor, tokens, recorded, call, name):
    """A refused token is renewed once and the same request goes out once more."""
    vendor.answers(recorded(name), recorded("crash"))
    with pytest.raises(errors.Unavailable):
        CALLS[call](client)
    assert tokens.rejected == ["acc-canary-0"]
    sent = [request.headers["Authorization"] for request in vendor.requests]
    assert sent == ["Bearer acc-canary-0", "Bearer acc-canary-1"]
    assert vendor.targets[0] == vendor.targets[1]


@pytest.mark.parametrize("call", CALLS)
def test_does_not_renew_for_ever(client, vendor, tokens, recorded, call):
    """A new token that is refused as well ends the call."""
    vendor.answers(recorded("expired"))
    with pytest.raises(errors.AuthFailed) as caught:
        CALLS[call](client)
    assert (caught.value.status, len(tokens.rejected), len(vendor.requests)) == (401, 1, 2)


@pytest.mark.parametrize("call", CALLS)
def test_no_token_in_errors(client, vendor, call):
    """A server that repeats the token does not get it into what anybody reads."""
    vendor.answers(lambda request: httpx.Response(422, json={"message": str(request.headers.raw)}))
    with pytest.raises(errors.Rejected) as caught:
        CALLS[call](client)
    text = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
    assert "acc-canary" not in text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "timeseries_data/"),
        ("DELETE", "timeseries_data/"),
        ("POST", "timeseries/"),
        ("PUT", "timeseries/1"),
        ("DELETE", "timeseries/1"),
        ("POST", "auth/token"),
        ("GET", "users/"),
        ("POST", "io/timeseries"),
    ],
)
def test_only_reads(client, vendor, method, path):
    """Nothing that writes, and no other resource, can be asked for."""
    with pytest.raises(ValueError, match="not among"):
        client._request(method, path)
    assert vendor.requests == []


def test_versions_need_no_account(client, vendor, recorded):
    """The version probe sends no token."""
    vendor.answers(recorded("about"))
    assert client.about() == {"bemserver_core": "0.22.0", "bemserver_api": "0.27.0"}
    assert "Authorization" not in vendor.last.headers
    vendor.answers(httpx.Response(200, json={}))
    with pytest.raises(errors.UnexpectedResponse, match="versions"):
        client.about()


def test_lists(client, vendor, recorded):
    """Campaigns, states and series come out as values; a missing description is None."""
    vendor.answers(recorded("campaigns"))
    assert [campaign.name for campaign in client.campaigns()] == ["Plant", "Offices"]
    vendor.answers(recorded("states"))
    assert client.data_states() == {"Raw": 1, "Clean": 2}
    vendor.answers(recorded("page"))
    air, elec, power = client.timeseries(campaign_id=1)
    assert (air.unit_symbol, elec.description, power.description) == ("°C", "main meter", None)
    asked = vendor.last.url.params
    assert (asked["sort"], asked["page"], asked["campaign_id"]) == ("name", "1", "1")
    assert client.timeseries_named("Power", 1).id == 3
    with pytest.raises(errors.NotFound, match="'power'"):
        client.timeseries_named("power", 1)
    vendor.answers(recorded("series"))
    assert client.timeseries_by_id(1).name == "Elec kWh"
    assert vendor.targets == ["GET /api/v0/timeseries/1"]


def test_a_redirect_to_the_slash(client, vendor, recorded):
    """The 308 that the server gives for a missing slash is followed once."""
    vendor.answers(recorded("no_slash"), recorded("campaigns"))
    assert len(client.campaigns()) == 2


def test_unknown_filters_are_refused(client, vendor):
    """The server ignores a misspelt filter and would answer with every series: we don't ask."""
    with pytest.raises(TypeError, match="campain_id"):
        client.timeseries(campain_id=1)
    assert vendor.requests == []


def test_all_pages(client, vendor, recorded):
    """Pages are read to the last one that the server names; an empty list is one page."""
    vendor.answers(page(rows(1, 2), total=3, total_pages=2), page(rows(3), total=3, total_pages=2))
    assert [series.id for series in client.timeseries(campaign_id=1)] == [1, 2, 3]
    assert [request.url.params["page"] for request in vendor.requests] == ["1", "2"]
    vendor.answers(recorded("no_page"))
    assert client.timeseries(name="zzz") == []
    assert len(vendor.requests) == 1


def test_pages_without_their_header(client, vendor):
    """Where a proxy strips the page header a short page is the last one."""
    vendor.answers(page(rows(*range(100))), page(rows(100)))
    assert len(client.timeseries(campaign_id=1)) == 101


def test_a_list_that_changes(client, vendor):
    """Fewer rows than the server claims mean try again, not a shorter list."""
    vendor.answers(page(rows(1, 2), total=3, total_pages=2), page(rows(2), total=3, total_pages=2))
    with pytest.raises(errors.Unavailable, match="changed"):
        client.timeseries(campaign_id=1)


def test_equal_names_in_two_campaigns(client, vendor, recorded):
    """When names tie between pages, each campaign is read by itself."""
    vendor.answers(
        page(rows(1, 2), total=3, total_pages=2),
        page(rows(2), total=3, total_pages=2),
        recorded("campaigns"),
        page(rows(1, 2), total=2, total_pages=1),
        page(rows(3, campaign=2), total=1, total_pages=1),
    )
    assert [series.id for series in client.timeseries()] == [1, 2, 3]


def test_endless_pages(client, vendor):
    """A server whose list never ends is an error, and so is one that repeats a page."""
    vendor.answers(page(rows(1), total=10**9, total_pages=10**9))
    with pytest.raises(errors.UnexpectedResponse, match="no end"):
        client.timeseries(campaign_id=1)
    vendor.answers(page([], total=10**9, total_pages=10**9))
    with pytest.raises(errors.Unavailable):
        client.timeseries(campaign_id=1)
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


def test_304_without_a_question(client, vendor):
    """304 to a request that had no condition is a misfit."""
    vendor.answers(httpx.Response(304))
    with pytest.raises(errors.UnexpectedResponse):
        client.campaigns()


def test_foreign_values_in_the_cache(http, vendor, tokens, recorded):
    """A value in the store that we can't read is as good as none."""
    etags = MemoryEtagCache()
    etags.put("http://bem.test/campaigns/", '"c1"', ["old format"])
    vendor.answers(recorded("campaigns"))
    client = BemserverClient(http=http, base_url="http://bem.test", tokens=tokens, etags=etags)
    assert len(client.campaigns()) == 2
    assert "If-None-Match" not in vendor.last.headers


def test_data_by_id(client, vendor, recorded):
    """Ids are repeated keys, times have an escaped form; every asked series is in the result."""
    vendor.answers(recorded("data"))
    found = client.data(ById((1, 2, 5)), **RANGE)
    assert found["1"] == [(MIDNIGHT, 0.1), (MIDNIGHT + 3600, 1.5)]
    assert found["5"] == []
    (target,) = vendor.targets
    assert target == (
        "GET /api/v0/timeseries_data/?timeseries=1&timeseries=2&timeseries=5"
        "&start_time=2020-01-01T00%3A00%3A00Z&end_time=2020-01-01T06%3A00%3A00Z&data_state=1"
    )
    assert vendor.last.headers.get_list("Accept") == ["application/json"]


def test_data_by_name_as_csv(client, vendor, recorded):
    """CSV is asked for by its exact name; empty cells are left out."""
    vendor.answers(recorded("data_csv"))
    found = client.data(ByName(3, ("1", "2")), **RANGE, accept="csv")
    assert found == {
        "1": [(MIDNIGHT, 0.1), (MIDNIGHT + 3600, 1.5)],
        "2": [(MIDNIGHT + 1800, -3.25)],
    }
    assert vendor.last.headers.get_list("Accept") == ["text/csv"]
    assert vendor.last.url.path == "/api/v0/timeseries_data/campaign/3/"
    vendor.answers(recorded("data_named"))
    named = client.data(ByName(3, ("Elec kWh",)), **RANGE)
    assert named == {"Elec kWh": [(MIDNIGHT, 0.1)]}


def test_long_times_are_asked_in_parts(client, vendor):
    """70 days are three requests that touch and do not overlap; the values are merged."""

    def serve(request):
        return httpx.Response(200, json={"1": {request.url.params["start_time"]: 1}})

    vendor.answers(serve)
    found = client.data(ById((1,)), start=MIDNIGHT, end=MIDNIGHT + 70 * DAY, data_state=1)
    assert [at for at, _ in found["1"]] == [MIDNIGHT, MIDNIGHT + 31 * DAY, MIDNIGHT + 62 * DAY]
    asked = [request.url.params for request in vendor.requests]
    assert [a["end_time"] for a in asked[:-1]] == [a["start_time"] for a in asked[1:]]
    assert asked[-1]["end_time"] == "2020-03-11T00:00:00Z"


def test_a_part_that_fails(client, vendor, recorded):
    """A failure in one part fails the whole: half of the data would be a wrong total."""
    vendor.answers(recorded("data_none"), recorded("crash"))
    with pytest.raises(errors.Unavailable):
        client.data(ById((1,)), start=MIDNIGHT, end=MIDNIGHT + 70 * DAY, data_state=1)


def test_no_time_no_request(client, vendor):
    """An empty or reversed range has no data, and the server is not asked."""
    assert client.data(ById((1,)), start=5, end=5, data_state=1) == {"1": []}
    empty = client.aggregate(
        ById((1,)), start=6, end=5, data_state=1, aggregation="sum", unit="day"
    )
    assert empty == {"1": []}
    assert vendor.requests == []


def test_aggregates(client, vendor, recorded):
    """Buckets are asked one unit wide, without a trailing slash; empty ones are None."""
    vendor.answers(recorded("autumn"))
    found = client.aggregate(
        ById((4, 5)),
        **RANGE,
        aggregation="count",
        unit="hour",
        timezone="Europe/Paris",
        convert_to=["MJ", ""],
    )
    assert [value for _, value in found["4"]] == [1, 1, None]
    assert found["5"] == []
    asked = vendor.last.url
    assert asked.path == "/api/v0/timeseries_data/aggregate"
    assert (asked.params["bucket_width_value"], asked.params["bucket_width_unit"]) == ("1", "hour")
    assert (asked.params["aggregation"], asked.params["timezone"]) == ("count", "Europe/Paris")
    assert asked.params.get_list("convert_to") == ["MJ", ""]
    vendor.answers(httpx.Response(200, text="{}"))
    client.aggregate(ByName(2, ("a b",)), **RANGE, aggregation="sum", unit="day")
    assert vendor.last.url.path == "/api/v0/timeseries_data/campaign/2/aggregate"
    assert vendor.last.url.params["timeseries"] == "a b"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("bad_state", "query: data_state: Unknown data state ID"),
        ("bad_item", "query: timeseries: 0: Not a valid integer."),
        ("unknown_series", "Unknown timeseries: [999, 1000]"),
        ("login_invalid", "json: password: Missing data for required field."),
    ],
)
def test_says_what_the_server_says(client, vendor, recorded, name, said):
    """Problem bodies of every recorded shape end in one readable line."""
    vendor.answers(recorded(name))
    with pytest.raises(errors.Rejected) as caught:
        client.data(ById((1,)), **RANGE)
    assert str(caught.value).endswith(said)
