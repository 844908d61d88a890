"""A broker that is down or frozen costs time, never a callback."""

import concurrent.futures
import contextlib
import time
from collections.abc import Iterator

import pytest

from simulators.faults import Fault
from tests.blackbox.house import House
from tests.blackbox.link import Link
from tests.blackbox.services import Services

pytestmark = [pytest.mark.blackbox, pytest.mark.services, pytest.mark.timeout(180)]

HOLD = 3.0  # seconds
HEARD_BEFORE = 5


@pytest.fixture(scope="module", params=["rabbitmq", "redis"])
def linked(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, services: Services
) -> Iterator[tuple[House, Link]]:
    """A running Waggle, and the link to its broker that a test may break."""
    port = services.port(request.param)
    with contextlib.ExitStack() as stack:
        link = stack.enter_context(Link(port))
        broker = services.broker(request.param, port=link.port)
        house = stack.enter_context(
            House(
                tmp_path_factory.mktemp("house"),
                DATABASE_URL=stack.enter_context(services.database()),
                BROKER_URL=broker,
                WAGGLE_HOLD_SECONDS=str(HOLD),
            )
        )
        house.run("apply", str(house.declare("energy")))
        house.up()
        house.wait(lambda: house.autofetch().status_code == 200)
        yield house, link


@pytest.mark.parametrize("trouble", ["cut", "freeze"])
def test_callbacks_are_stored_without_a_broker(linked: tuple[House, Link], trouble: str) -> None:
    """Answered 503 `late` when the hold ends, kept, and done by itself when the broker is back."""
    house, link = linked
    getattr(link, trouble)()
    try:
        for _ in range(HEARD_BEFORE):  # by messages that were on their way, on a slow machine late
            house.wait(lambda: all_done(house))  # who is still at work sees the next one
            value = house.grow(0.5)
            began = time.monotonic()
            answer = house.autofetch()
            took = time.monotonic() - began
            if answer.status_code != 200:
                break
    finally:
        link.mend()

    assert (answer.status_code, answer.json()) == (503, {"status": "late"})
    assert "Retry-After" in answer.headers
    assert took < HOLD + 2
    house.wait(lambda: list(house.ours().values()) == [pytest.approx(value)])
    house.wait(lambda: all_done(house))
    house.wait(lambda: house.autofetch().status_code == 200)


def all_done(house: House) -> bool:
    """Is no callback left? Asking takes long enough for workers to see that there is no work."""
    return {event["state"] for event in house.json("events")} == {"done"}


def test_a_worker_outlives_its_connection(linked: tuple[House, Link]) -> None:
    """Cut with bells in its hands: the same processes go on, and nobody is shown a traceback."""
    house, link = linked
    before = house.children()
    slow = house.sims.faults.add(Fault(action="delay", delay=1.5, times=None, path="aggregate"))
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(house.autofetch)
        house.wait(lambda: slow.hits)
        link.cut()
        house.sims.faults.clear()
        link.mend()
        assert answer.result().status_code in (200, 503)

    house.wait(lambda: house.autofetch().status_code == 200)
    assert house.children() == before
    assert "Traceback" not in house.log()
