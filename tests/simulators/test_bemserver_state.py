"""What a test can do with the simulated BEMServer beyond what was recorded."""

import httpx
import pytest

from simulators import bemserver_seed
from simulators.bemserver import Bemserver
from simulators.server import LocalServer

DAY = {"start_time": "2026-11-01T00:00Z", "end_time": "2026-11-02T00:00Z", "data_state": 1}


@pytest.fixture
def bemserver(clock):
    made = Bemserver(clock=clock)
    made.state.add_user("alice@bem.test", "pw")
    made.state.add_series("Elec", values=[("2026-11-01T10:00Z", 1.5)])
    return made


@pytest.fixture
def get(bemserver):
    with LocalServer(bemserver.app) as server, httpx.Client(base_url=server.url) as client:

        def ask(path, **params):
            token = bemserver.token_pair("alice@bem.test")["access_token"]
            answer = client.get(path, params=params, headers={"authorization": f"Bearer {token}"})
            return answer.status_code, answer.json()

        ask.client = client
        yield ask


def test_values_change_at_run_time(bemserver, get):
    """Late data, corrections and removals show in the next read."""
    bemserver.state.set_values("Elec", [("2026-11-01T11:00Z", 2.0)])
    bemserver.state.set_values(1, [("2026-11-01T10:00Z", 1.0)])
    wanted = {"2026-11-01T10:00:00+00:00": 1.0, "2026-11-01T11:00:00+00:00": 2.0}
    assert get("/timeseries_data/", timeseries=1, **DAY) == (200, {"1": wanted})
    bemserver.state.remove_values(1, "2026-11-01T10:00Z", "2026-11-01T11:00Z")
    assert list(get("/timeseries_data/", timeseries=1, **DAY)[1]["1"].values()) == [2.0]
    bemserver.state.set_values(1, [], replace=True)
    assert get("/timeseries_data/", timeseries=1, **DAY) == (200, {})


def test_a_living_plant_grows_before_every_read(bemserver, clock, get):
    """What a grower adds for now is in the answer."""
    clock.now = bemserver_seed.instant("2026-11-01T12:00")
    bemserver.state.growers.append(lambda now: bemserver.state.set_values(1, [(now, 9.0)]))
    values = get("/timeseries_data/", timeseries=1, **DAY)[1]["1"]
    assert values["2026-11-01T12:00:00+00:00"] == 9.0


def test_tokens_expire_by_the_injected_clock_and_live_through_their_last_second(
    bemserver, clock, get
):
    """900 s later the token is still good, 901 s later it is expired."""
    token = bemserver.token_pair("alice@bem.test")["access_token"]
    signed = {"authorization": f"Bearer {token}"}
    clock.now += 900
    assert get.client.get("/campaigns/", headers=signed).status_code == 200
    clock.now += 1
    refused = get.client.get("/campaigns/", headers=signed)
    assert refused.json()["errors"] == {"authentication": "expired_token"}
    assert refused.headers["www-authenticate"] == "Bearer"


def test_a_new_signing_key_makes_old_tokens_invalid(bemserver, get):
    """invalid_token and not expired_token."""
    token = bemserver.token_pair("alice@bem.test")["access_token"]
    bemserver.keys.secret = "another"
    refused = get.client.get("/campaigns/", headers={"authorization": f"Bearer {token}"})
    assert refused.json()["errors"] == {"authentication": "invalid_token"}


def test_it_can_be_seeded_over_http(get):
    """Series, data, users and keys, with the names of the Python methods."""
    series = {"name": "Gas", "unit": "m³", "values": [["2026-11-01T01:00Z", 4]]}
    made = get.client.post("/_sim/series", json=series).json()
    assert get(f"/timeseries/{made['id']}")[1]["unit_symbol"] == "m³"
    changed = {"series": "Gas", "values": [["2026-11-01T01:00Z", 5]]}
    assert get.client.post("/_sim/data", json=changed).status_code == 200
    data = get("/timeseries_data/campaign/1/", timeseries="Gas", **DAY)[1]
    assert data == {"Gas": {"2026-11-01T01:00:00+00:00": 5.0}}
    assert get.client.post("/_sim/data", json={"series": "No", "values": []}).status_code == 422
    assert get.client.post("/_sim/keys", json={"access_seconds": -1}).status_code == 200
    assert get("/campaigns/")[1]["errors"] == {"authentication": "expired_token"}


def test_a_seed_of_the_real_server_fills_it_with_the_same_ids(clock):
    """Rights follow from groups, samples from their data state."""
    seed = bemserver_seed.default_seed()
    bemserver = Bemserver(clock=clock)
    bemserver.state.load(seed)
    assert [item.name for item in bemserver.state.series.values()] == [
        item.name for item in seed.series
    ]
    bob = next(user for user in bemserver.state.users.values() if user.name == "Bob")
    readable = {scope.name for scope in bemserver.state.scopes.values() if scope.id in bob.scopes}
    assert readable == {"Offices"}
    clean = bemserver.state.samples(seed.series_id("Elec main meter"), 2)
    assert len(clean.times) == 24
