"""Any number of receivers, workers, progress workers and beats on one ledger and one broker."""

import contextlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs

import amqp
import httpx
import pytest

from simulators.main import BEMSERVER_PREFIX
from tests.blackbox.house import SECRET, House, free_port
from tests.blackbox.services import Services
from tests.blackbox.test_procfile import workers

pytestmark = [pytest.mark.blackbox, pytest.mark.services, pytest.mark.timeout(240)]

FEEDS = 8
SWEEPS_SECONDS = 5.0


class Crowd:
    """A house with two doors, and feeds of which each has a source and a meter of its own."""

    def __init__(self, house: House, other_port: int) -> None:
        self.house = house
        self.doors = [house.url, f"http://127.0.0.1:{other_port}"]
        self.slugs = [f"g{number}" for number in range(FEEDS)]
        self.series: dict[str, int] = {}

    def declare(self) -> None:
        """Link them; each is due now, and then again in a day."""
        text = ""
        for slug in self.slugs:
            self.house.sims.beeminder.state.add_goal("alice", slug, kyoom=True, aggday="sum")
            plant = self.house.sims.bemserver.state
            self.series[slug] = plant.add_series(f"Meter {slug}", campaign="Crowd").id
            text += (
                f'[sources.{slug}]\nprovider = "bemserver"\nuser = "alice"\n'
                f'url = "{self.house.server.url}{BEMSERVER_PREFIX}"\nemail = "alice@example.org"\n'
                f'password = {{ env = "PLANT_PASSWORD" }}\n[feeds."alice/{slug}"]\n'
                f'source = "{slug}"\nmetric = "timeseries_aggregate"\nevery = "1d"\n'
                f"params = {{ timeseries = {self.series[slug]} }}\n"
            )
        self.measure(1.0)
        self.house.run("apply", str(self.house.declare(text=text)))

    def measure(self, value: float) -> None:
        """Each meter counts so much more, and the next one more than the one before."""
        for number, slug in enumerate(self.slugs):
            self.house.sims.bemserver.state.set_values(
                self.series[slug], [(time.time() - 60, value + number)], data_state="Clean"
            )

    def reads(self) -> dict[str, int]:
        """How often each meter was read so far."""
        seen = self.house.sims.faults.requests
        named = [parse_qs(one.query).get("timeseries", []) for one in seen if "_data" in one.path]
        return {
            slug: sum(str(number) in names for names in named)
            for slug, number in self.series.items()
        }

    def call(self, number: int) -> httpx.Response:
        """A callback for one of them; every second one comes to the other door."""
        door = self.doors[number % 2]
        data = {"username": "alice", "slug": self.slugs[number % FEEDS]}
        return httpx.post(f"{door}/beeminder/autofetch/{SECRET}", data=data, timeout=40)

    def held(self) -> list[list[float]]:
        """What Beeminder holds of each, every point of it."""
        state = self.house.sims.beeminder.state
        return [[one.value for one in state.datapoints("alice", slug)] for slug in self.slugs]


@pytest.fixture(params=["rabbitmq", "redis"])
def crowd(request: pytest.FixtureRequest, tmp_path: Path, services: Services) -> Iterator[Crowd]:
    """Two receivers, three workers, two progress workers and two beats, at work."""
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(services.database())
        broker = services.broker(request.param)
        house = stack.enter_context(House(tmp_path, DATABASE_URL=database, BROKER_URL=broker))
        made = Crowd(house, free_port())
        house.run("migrate")
        house.start("web")
        house.start("web", PORT=made.doors[1].rpartition(":")[2])
        for command in ["worker"] * 3 + ["progress"] * 2 + ["beat"] * 2:
            house.start(command)
        house.wait(lambda: workers(house) == 5)
        yield made


def test_a_crowd_does_everything_once(crowd: Crowd, request: pytest.FixtureRequest) -> None:
    """Two beats double no sync, each callback is answered at its door, each point lands once."""
    house = crowd.house
    crowd.declare()
    house.wait(lambda: all(crowd.held()))
    once = crowd.reads()
    assert len(set(once.values())) == 1, once
    assert once["g0"] > 0
    time.sleep(SWEEPS_SECONDS)  # several sweeps of both beats
    assert crowd.reads() == once

    crowd.measure(10.0)
    with ThreadPoolExecutor(2 * FEEDS) as callers:
        answers = list(callers.map(crowd.call, range(FEEDS)))

    assert [(one.status_code, one.json()["status"]) for one in answers] == [(200, "fresh")] * FEEDS
    assert [one.json()["datapoints"] for one in answers] == [1] * FEEDS
    assert crowd.held() == [[11.0 + 2 * number] for number in range(FEEDS)]
    assert {event["state"] for event in house.json("events")} == {"done"}
    assert [process.poll() for process in house.processes] == [None] * 9
    assert "Traceback" not in house.log()
    if "rabbitmq" in request.node.name:
        assert left_at(house.environment["BROKER_URL"]) == []


def left_at(url: str) -> list[str]:
    """What Celery would make at RabbitMQ for things that nobody here wants, and has."""
    where = httpx.URL(url.replace("amqp:", "http:"))
    found = []
    for name in ("celery_delayed_27", "celery_delayed_delivery", "celeryev", "celery.pidbox"):
        with (
            amqp.Connection(
                f"{where.host}:{where.port}", virtual_host=where.path.lstrip("/") or "/"
            ) as link,
            contextlib.suppress(amqp.exceptions.NotFound),
        ):
            link.channel().exchange_declare(name, "topic", passive=True)
            found.append(name)
    return found
