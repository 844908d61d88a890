"""Time that flies: limits end sooner, and what has none has none."""

import time

import httpx
import pytest

from clients.deadline import Deadline
from tests.worker.kit.sample import TRIAL
from worker.kit.troubles import never_ending
from worker.kit.vendor import Vendor
from worker.kit.wire import Wire

SILENCE, ENDLESS = never_ending()


@pytest.mark.parametrize("trouble", [SILENCE, ENDLESS], ids=["silence", "endless"])
def test_a_total_deadline_of_twenty_seconds_ends_in_one(trouble) -> None:
    """What a client of ours waits for is over soon, wherever it waits."""
    began = time.monotonic()
    with Vendor(TRIAL) as vendor, httpx.Client(transport=Wire(hurry=20.0)) as http:
        vendor.be(trouble)
        request = httpx.Request(
            "GET",
            f"{vendor.url}/names",
            extensions={"timeout": Deadline(20.0, monotonic=time.monotonic)},
        )
        with pytest.raises(httpx.ReadTimeout):
            http.send(request)
    assert time.monotonic() - began < 8


def test_a_limit_of_parts_does_not_end_what_drips() -> None:
    """Each part comes in time, and the answer never does: it is still there when we give up."""
    with Vendor(TRIAL) as vendor, httpx.Client(transport=Wire(hurry=20.0)) as http:
        vendor.be(ENDLESS)
        with http.stream("GET", f"{vendor.url}/names", timeout=5.0) as response:
            parts = response.iter_raw(chunk_size=1)
            assert [next(parts) for _ in range(10)] == [b" "] * 10


def test_every_url_is_noted() -> None:
    """Those that httpx would log, redirects included."""
    wire = Wire()
    with Vendor(TRIAL) as vendor, httpx.Client(transport=wire) as http:
        assert http.get(f"{vendor.url}/names?x=1").json() == {"names": ["a", "b"]}
        assert wire.urls == [f"{vendor.url}/names?x=1"]
