"""BEMServer's client against a server that behaves like the recorded one."""

import traceback

import httpx
import pytest

from clients import errors
from clients.bemserver import ById, ByName

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


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(("name", "kind"), FAILURES)
def test_failures_by_method(bemserver, vendor, tokens, recorded, call, name, kind):
    """Each recorded failure means the same for every method, and none renews the tokens."""
    vendor.answers(recorded(name))
    with pytest.raises(kind):
        CALLS[call](bemserver)
    assert tokens.rejected == []


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("body", ["odd", 7, {"x": 1}, [1]])
def test_misfits_by_method(bemserver, vendor, call, body):
    """A body of another shape is an error for every method."""
    vendor.answers(httpx.Response(200, json=body))
    with pytest.raises(errors.UnexpectedResponse):
        CALLS[call](bemserver)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", ["expired", "invalid"])
def test_renews_once_and_replays_once(bemserver, vendor, tokens, recorded, call, name):
    """A refused token is renewed once and the same request goes out once more."""
    vendor.answers(recorded(name), recorded("crash"))
    with pytest.raises(errors.Unavailable):
        CALLS[call](bemserver)
    assert tokens.rejected == ["acc-canary-0"]
    sent = [request.headers["Authorization"] for request in vendor.requests]
    assert sent == ["Bearer acc-canary-0", "Bearer acc-canary-1"]
    assert vendor.targets[0] == vendor.targets[1]


@pytest.mark.parametrize("call", CALLS)
def test_does_not_renew_for_ever(bemserver, vendor, tokens, recorded, call):
    """A new token that is refused as well ends the call."""
    vendor.answers(recorded("expired"))
    with pytest.raises(errors.AuthFailed) as caught:
        CALLS[call](bemserver)
    assert (caught.value.status, len(tokens.rejected), len(vendor.requests)) == (401, 1, 2)


@pytest.mark.parametrize("call", CALLS)
def test_no_token_in_errors(bemserver, vendor, call):
    """A server that repeats the token does not get it into what anybody reads."""
    vendor.answers(lambda request: httpx.Response(422, json={"message": str(request.headers.raw)}))
    with pytest.raises(errors.Rejected) as caught:
        CALLS[call](bemserver)
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
def test_only_reads(bemserver, vendor, method, path):
    """Nothing that writes, and no other resource, can be asked for."""
    with pytest.raises(ValueError, match="not among"):
        bemserver._request(method, path)
    assert vendor.requests == []


def test_versions_need_no_account(bemserver, vendor, recorded):
    """The version probe sends no token."""
    vendor.answers(recorded("about"))
    assert bemserver.about() == {"bemserver_core": "0.22.0", "bemserver_api": "0.27.0"}
    assert "Authorization" not in vendor.last.headers
    vendor.answers(httpx.Response(200, json={}))
    with pytest.raises(errors.UnexpectedResponse, match="versions"):
        bemserver.about()


def test_data_by_id(bemserver, vendor, recorded):
    """Ids are repeated keys, times have an escaped form; every asked series is in the result."""
    vendor.answers(recorded("data"))
    found = bemserver.data(ById((1, 2, 5)), **RANGE)
    assert found["1"] == [(MIDNIGHT, 0.1), (MIDNIGHT + 3600, 1.5)]
    assert found["5"] == []
    (target,) = vendor.targets
    assert target == (
        "GET /api/v0/timeseries_data/?timeseries=1&timeseries=2&timeseries=5"
        "&start_time=2020-01-01T00%3A00%3A00Z&end_time=2020-01-01T06%3A00%3A00Z&data_state=1"
    )
    assert vendor.last.headers.get_list("Accept") == ["application/json"]


def test_data_by_name_as_csv(bemserver, vendor, recorded):
    """CSV is asked for by its exact name; empty cells are left out."""
    vendor.answers(recorded("data_csv"))
    found = bemserver.data(ByName(3, ("1", "2")), **RANGE, accept="csv")
    assert found == {
        "1": [(MIDNIGHT, 0.1), (MIDNIGHT + 3600, 1.5)],
        "2": [(MIDNIGHT + 1800, -3.25)],
    }
    assert vendor.last.headers.get_list("Accept") == ["text/csv"]
    assert vendor.last.url.path == "/api/v0/timeseries_data/campaign/3/"
    vendor.answers(recorded("data_named"))
    named = bemserver.data(ByName(3, ("Elec kWh",)), **RANGE)
    assert named == {"Elec kWh": [(MIDNIGHT, 0.1)]}


def test_long_times_are_asked_in_parts(bemserver, vendor):
    """70 days are three requests that touch and do not overlap; the values are merged."""

    def serve(request):
        return httpx.Response(200, json={"1": {request.url.params["start_time"]: 1}})

    vendor.answers(serve)
    found = bemserver.data(ById((1,)), start=MIDNIGHT, end=MIDNIGHT + 70 * DAY, data_state=1)
    assert [at for at, _ in found["1"]] == [MIDNIGHT, MIDNIGHT + 31 * DAY, MIDNIGHT + 62 * DAY]
    asked = [request.url.params for request in vendor.requests]
    assert [a["end_time"] for a in asked[:-1]] == [a["start_time"] for a in asked[1:]]
    assert asked[-1]["end_time"] == "2020-03-11T00:00:00Z"


def test_a_part_that_fails(bemserver, vendor, recorded):
    """A failure in one part fails the whole: half of the data would be a wrong total."""
    vendor.answers(recorded("data_none"), recorded("crash"))
    with pytest.raises(errors.Unavailable):
        bemserver.data(ById((1,)), start=MIDNIGHT, end=MIDNIGHT + 70 * DAY, data_state=1)


def test_no_time_no_request(bemserver, vendor):
    """An empty or reversed range has no data, and the server is not asked."""
    assert bemserver.data(ById((1,)), start=5, end=5, data_state=1) == {"1": []}
    empty = bemserver.aggregate(
        ById((1,)), start=6, end=5, data_state=1, aggregation="sum", unit="day"
    )
    assert empty == {"1": []}
    assert vendor.requests == []


def test_aggregates(bemserver, vendor, recorded):
    """Buckets are asked one unit wide, without a trailing slash; empty ones are None."""
    vendor.answers(recorded("autumn"))
    found = bemserver.aggregate(
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
    bemserver.aggregate(ByName(2, ("a b",)), **RANGE, aggregation="sum", unit="day")
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
def test_says_what_the_server_says(bemserver, vendor, recorded, name, said):
    """Problem bodies of every recorded shape end in one readable line."""
    vendor.answers(recorded(name))
    with pytest.raises(errors.Rejected) as caught:
        bemserver.data(ById((1,)), **RANGE)
    assert str(caught.value).endswith(said)
