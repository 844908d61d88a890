"""Our client against the real BEMServer."""

import math
from datetime import datetime
from zoneinfo import ZoneInfo

import httpx
import pytest

from clients import bemserver, errors

PARIS = ZoneInfo("Europe/Paris")
ODD = 'Été, "100 %" / A&B + #1?'


class Tokens:
    """Hands out what it was given; counts how often it is asked for another."""

    def __init__(self, access, renewed=None):
        self.held, self.renewed, self.rejected = access, renewed, []

    def access(self):
        """The token held now."""
        return self.held

    def renew(self, rejected):
        """The other token."""
        self.rejected.append(rejected)
        self.held = self.renewed
        return self.held


@pytest.fixture
def statuses(http):
    seen = []
    http.event_hooks = {"response": [lambda answer: seen.append(answer.status_code)]}
    yield seen
    http.event_hooks = {}


@pytest.fixture
def client(bem, http):
    """Bob's client; the address ends in a slash as people paste it."""
    tokens = Tokens(bem.token("bob@bem.test"))
    return bemserver.BemserverClient(http=http, base_url=f"{bem.url}/", tokens=tokens)


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=PARIS).timestamp()


def seeded(bem, name):
    return list(bem.seed.series[bem.seed.series_id(name) - 1].samples["Raw"])


def test_login_and_refresh_give_tokens_that_read(bem, http):
    """A pair from a login and one from a refresh both read, and know when they end."""
    pair = bemserver.login(http=http, base_url=bem.url, email="bob@bem.test", password="bob-pw-1")
    again = bemserver.refresh(http=http, base_url=bem.url, refresh_token=pair.refresh)
    assert pair.refresh_expires_at - pair.access_expires_at == 60 * 86400 - 900
    for access in (pair.access, again.access):
        client = bemserver.BemserverClient(http=http, base_url=bem.url, tokens=Tokens(access))
        assert client.data_states() == {"Raw": 1, "Clean": 2}


def test_a_wrong_password_is_a_failed_login(bem, http):
    """The 200 with status failure is AuthFailed."""
    with pytest.raises(errors.AuthFailed) as raised:
        bemserver.login(http=http, base_url=bem.url, email="bob@bem.test", password="no")
    assert raised.value.reason == "auth_failed"


def test_an_expired_refresh_token_asks_for_a_login(bem, http):
    """A refresh token past its end is AuthFailed with a reason of its own."""
    old = bem.token("bob@bem.test", kind="refresh", expires_in=-2)
    with pytest.raises(errors.AuthFailed) as raised:
        bemserver.refresh(http=http, base_url=bem.url, refresh_token=old)
    assert raised.value.reason == "refresh_expired"


def test_an_expired_access_token_is_renewed_once(bem, http, statuses):
    """After a 401 the token is renewed and the request sent again, once."""
    old, new = bem.token("bob@bem.test", expires_in=-2), bem.token("bob@bem.test")
    tokens = Tokens(old, renewed=new)
    client = bemserver.BemserverClient(http=http, base_url=bem.url, tokens=tokens)
    assert client.campaigns() == [bemserver.Campaign(id=1, name="Paris plant")]
    assert (tokens.rejected, statuses) == ([old], [401, 200])


def test_a_token_that_stays_refused_is_not_renewed_for_ever(bem, http, statuses):
    """A renewed token that is refused too ends in AuthFailed after two requests."""
    old = bem.token("bob@bem.test", expires_in=-2)
    tokens = Tokens(old, renewed=bem.token("nobody@bem.test"))
    client = bemserver.BemserverClient(http=http, base_url=bem.url, tokens=tokens)
    with pytest.raises(errors.AuthFailed):
        client.campaigns()
    assert statuses == [401, 401]


def test_an_account_that_was_switched_off_is_forbidden(bem, http):
    """An inactive user is Forbidden and no token is renewed for it."""
    tokens = Tokens(bem.token("gone@bem.test"))
    client = bemserver.BemserverClient(http=http, base_url=bem.url, tokens=tokens)
    with pytest.raises(errors.Forbidden):
        client.campaigns()
    assert tokens.rejected == []


def test_about_names_the_versions(client):
    """The version probe works."""
    assert client.about() == {"bemserver_core": "0.22.0", "bemserver_api": "0.27.0"}


def test_all_series_that_one_may_see(client):
    """The list holds Bob's 13 series with their units, no foreign one."""
    found = client.timeseries()
    assert len(found) == 13
    assert {series.unit_symbol for series in found} >= {"kWh", "°C", "m³", ""}
    assert client.timeseries_by_id(1).description == "hourly, both clock changes"


def test_a_series_by_its_odd_name(client):
    """Accents, slash, quotes, plus and ampersand arrive; part of a name finds nothing."""
    assert client.timeseries_named(ODD, 1).id == 4
    with pytest.raises(errors.NotFound):
        client.timeseries_named("Elec", 1)


@pytest.mark.parametrize("accept", ["json", "csv"])
@pytest.mark.parametrize("chunk_days", [31.0, 0.4])
def test_samples_by_id(bem, client, accept, chunk_days):
    """All samples come once each, whatever the format and however the time is cut."""
    start, end = at("2026-10-20"), at("2026-10-29")
    expected = [
        (when, value) for when, value in seeded(bem, "Elec main meter") if start <= when < end
    ]
    got = client.data(
        bemserver.ById((1, 3)),
        start=start,
        end=end,
        data_state=1,
        accept=accept,
        chunk_days=chunk_days,
    )
    assert got == {"1": expected, "3": []}


@pytest.mark.parametrize("accept", ["json", "csv"])
def test_samples_by_name(bem, client, accept):
    """By name the keys are the names, also with comma and quotes, also of an empty series."""
    names = (ODD, "Temp with gap", "Nothing yet")
    got = client.data(
        bemserver.ByName(1, names),
        start=0,
        end=at("2026-04-02"),
        data_state=1,
        accept=accept,
        chunk_days=40000,
    )
    assert got == {
        ODD: [(0.0, 1.0)],
        "Temp with gap": seeded(bem, "Temp with gap"),
        "Nothing yet": [],
    }


def test_infinity_is_kept_for_the_caller(client):
    """A value that is no JSON number arrives as a float that the caller can judge."""
    span = {"start": at("2026-05-01"), "end": at("2026-05-03")}
    got = client.data(bemserver.ById((6,)), **span, data_state=1)
    assert [value for _, value in got["6"]] == [math.inf, 5.0]


@pytest.mark.parametrize("accept", ["json", "csv"])
def test_days_around_both_clock_changes(client, accept):
    """Days of 23 and 25 hours start at their local midnight, in both formats."""
    for first, last, counts in (
        ("2026-03-28", "2026-03-31", [24, 23, 24]),
        ("2026-10-24", "2026-10-27", [24, 25, 24]),
    ):
        got = client.aggregate(
            bemserver.ById((1,)),
            start=at(first),
            end=at(last),
            data_state=1,
            aggregation="count",
            unit="day",
            timezone="Europe/Paris",
            accept=accept,
        )
        days = [datetime.fromtimestamp(when, tz=PARIS) for when, _ in got["1"]]
        assert [day.hour for day in days] == [0, 0, 0]
        assert [day.day for day in days] == [int(first[-2:]) + more for more in range(3)]
        assert [count for _, count in got["1"]] == counts


def test_an_empty_bucket_is_none(client):
    """A day without samples is None, not 0, in JSON and in CSV."""
    for accept in ("json", "csv"):
        got = client.aggregate(
            bemserver.ByName(1, ("Temp with gap", "Nothing yet")),
            start=datetime.fromisoformat("2026-03-30T00:00Z").timestamp(),
            end=datetime.fromisoformat("2026-03-31T00:00Z").timestamp(),
            data_state=1,
            aggregation="sum",
            unit="day",
            accept=accept,
        )
        assert [[value for _, value in series] for series in got.values()] == [[None], [None]]


@pytest.mark.parametrize(
    ("selector", "data_state", "convert_to", "kind"),
    [
        (bemserver.ById((15,)), 1, None, errors.Forbidden),
        (bemserver.ByName(2, ("Foreign meter",)), 1, None, errors.Forbidden),
        (bemserver.ByName(9, ("Elec main meter",)), 1, None, errors.NotFound),
        (bemserver.ById((999,)), 1, None, errors.Rejected),
        (bemserver.ById((1,)), 99, None, errors.Rejected),
        (bemserver.ById((1,)), 1, "°C", errors.Rejected),
    ],
)
def test_refusals_fall_into_the_tree(client, selector, data_state, convert_to, kind):
    """403, 404 and 422 become the errors that say what to do, with the server's words."""
    with pytest.raises(kind) as raised:
        client.data(
            selector,
            start=at("2026-03-28"),
            end=at("2026-03-29"),
            data_state=data_state,
            convert_to=convert_to,
        )
    assert str(raised.value)


def test_a_unit_that_does_not_fit_an_aggregate_is_the_servers_fault(client):
    """The server answers 500 to it: Unavailable, since nothing tells it from an outage."""
    with pytest.raises(errors.Unavailable):
        client.aggregate(
            bemserver.ById((1,)),
            start=at("2026-03-28"),
            end=at("2026-03-29"),
            data_state=1,
            aggregation="sum",
            unit="day",
            convert_to="°C",
        )


def test_lists_are_validated_and_not_sent_again(bem, http, statuses):
    """The second read of each list is a 304 with the same result."""
    client = bemserver.BemserverClient(
        http=http,
        base_url=bem.url,
        tokens=Tokens(bem.token("bob@bem.test")),
        etags=bemserver.MemoryEtagCache(),
    )
    for read in (client.timeseries, client.campaigns, client.data_states):
        statuses.clear()
        assert read() == read()
        assert statuses == [200, 304]


def test_a_server_that_is_gone_is_unavailable(bem):
    """Nobody listening is Unavailable."""
    with httpx.Client(trust_env=False) as http:
        client = bemserver.BemserverClient(
            http=http, base_url="http://127.0.0.1:1", tokens=Tokens(bem.token("bob@bem.test"))
        )
        with pytest.raises(errors.Unavailable):
            client.campaigns()
