"""Promises of the demo's plant: what it grows is what a BEMServer then says."""

import time
from datetime import UTC, datetime

import httpx
import pytest

from simulators import demo_world
from simulators import main as simulators_main
from simulators.server import LocalServer
from worker import demo_sources


@pytest.fixture
def simulators():
    return simulators_main.build()


def test_a_reading_that_grows_is_in_the_source(simulators):
    """The demo's new sample is read like any other, on top of the week that was there."""
    with LocalServer(simulators.app) as server:
        plant = demo_sources.simulated(simulators, server.url)
        at = time.time() - 60
        plant.grow(demo_world.HOME_SERIES, at, 0.25)

        assert plant.kind == "simulated BEMServer"
        assert plant.url == server.url + simulators_main.BEMSERVER_PREFIX
        token = httpx.post(
            f"{plant.url}/auth/token",
            json={"email": demo_world.EMAIL, "password": demo_world.PASSWORD},
        )
        assert token.json()["status"] == "success"
        samples = httpx.get(
            f"{plant.url}/timeseries_data/campaign/1/",
            headers={"Authorization": f"Bearer {token.json()['access_token']}"},
            params={
                "start_time": datetime.fromtimestamp(at - 1, UTC).isoformat(),
                "end_time": datetime.fromtimestamp(at + 1, UTC).isoformat(),
                "timeseries": demo_world.HOME_SERIES,
                "data_state": 2,
            },
        )
        assert "0.25" in samples.text, samples.text


def test_the_real_plant_has_the_same_two_meters():
    """The demo's story is the same whichever BEMServer it reads: names, people, a whole week."""
    seed = demo_sources._seed()

    assert {series.name for series in seed.series} == {
        demo_world.HOME_SERIES,
        demo_world.ROOF_SERIES,
    }
    assert demo_world.EMAIL in {user.email for user in seed.users}
    assert {series.unit for series in seed.series} == {"kWh"}
    for series in seed.series:
        times = [at for at, _ in series.samples[demo_sources.STATE]]
        assert len(times) == demo_sources.DAYS * 24
        assert time.time() - 2 * demo_sources.HOUR < max(times) <= time.time()
        (group,) = seed.groups
        assert (series.campaign, series.scope) in group.scopes
