"""A worker that is told to stop with work under way: it ends in time, and others go on at once."""

import contextlib
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from simulators.faults import Fault
from tests.blackbox.house import House
from tests.blackbox.services import Services
from tests.blackbox.test_procfile import workers

pytestmark = [pytest.mark.blackbox, pytest.mark.services, pytest.mark.timeout(180)]

GONE_WITHIN = 8.0
HANGS = 60.0  # the source, longer than anybody waits


@pytest.fixture(params=["rabbitmq", "redis"])
def house(request: pytest.FixtureRequest, tmp_path: Path, services: Services) -> Iterator[House]:
    """A receiver, beat and one worker, at a source that will hang once."""
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(services.database())
        broker = services.broker(request.param)
        made = stack.enter_context(House(tmp_path, DATABASE_URL=database, BROKER_URL=broker))
        made.run("apply", str(made.declare("energy")))
        for command in ("web", "beat", "worker"):
            made.start(command)
        made.wait(lambda: workers(made) == 1)
        assert made.autofetch().status_code == 200
        yield made


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGQUIT])
def test_work_that_hangs_is_handed_to_another(house: House, how: signal.Signals) -> None:
    """The first worker is gone in 8 s, and the second has answered without waiting for a lease."""
    first = house.processes[-1]
    total = house.grow(0.5)
    hanging = house.sims.faults.add(Fault(action="status", path="timeseries_data", delay=HANGS))
    with ThreadPoolExecutor(1) as caller:
        callback = caller.submit(house.autofetch)
        house.wait(lambda: hanging.hits == 1)
        house.start("worker")
        house.wait(lambda: workers(house) == 2)
        began = time.monotonic()
        first.send_signal(how)
        answer = callback.result()
        answered = time.monotonic() - began
        status = first.wait(GONE_WITHIN)

    assert time.monotonic() - began < GONE_WITHIN
    assert status == 0
    assert (answer.status_code, answer.json()["status"]) == (200, "fresh")
    assert answered < GONE_WITHIN  # a lease alone would end 10 s after it was renewed last
    assert list(house.ours().values()) == [pytest.approx(total)]
    assert "Traceback" not in house.log(), house.log()[-6000:]


def test_work_that_can_end_ends(house: House) -> None:
    """Two seconds of work are left: the worker that is told to stop does them itself."""
    worker = house.processes[-1]
    total = house.grow(0.5)
    slow = house.sims.faults.add(Fault(action="delay", path="timeseries_data", delay=2.0))
    with ThreadPoolExecutor(1) as caller:
        callback = caller.submit(house.autofetch)
        house.wait(lambda: slow.hits == 1)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(GONE_WITHIN) == 0
        reads = house.sims.faults.count("timeseries_data")
        # Its next step found that it has to stop, so the work is due for whoever comes next.
        house.start("worker")
        answer = callback.result()

    assert reads >= 1
    assert answer.status_code == 200, answer.text
    assert list(house.ours().values()) == [pytest.approx(total)]
