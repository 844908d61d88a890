"""The heartbeat: one GET within its deadline, and an address that nobody gets to see."""

import httpx
import pytest

from clients import heartbeat
from clients.errors import Unavailable
from tests.tasks.listening import listening, nobody

CANARY = "canary-of-the-check"


@pytest.fixture(name="http")
def _http():
    with httpx.Client() as client:
        yield client


def test_it_is_fetched_once(http):
    """One GET of the address as it stands."""
    with listening() as listener:
        heartbeat.fetch(http, listener.url("ping/x", "http"))
        assert [path for path, _ in listener.came] == ["/ping/x"]


@pytest.mark.parametrize("answer", [302, 404, 500])
def test_another_answer_is_a_failure_without_the_address(http, answer):
    """Its status is told, where it was fetched is not; a redirect is not followed."""
    with listening() as listener:
        listener.answers[CANARY] = answer
        with pytest.raises(Unavailable, match=str(answer)) as failed:
            heartbeat.fetch(http, listener.url(CANARY, "http"))
    assert CANARY not in f"{failed.value!r}{failed.value.__cause__!r}"


def test_nobody_there_is_a_failure_without_the_address(http):
    """So is no answer at all."""
    with pytest.raises(Unavailable, match="does not answer") as failed:
        heartbeat.fetch(http, f"http://127.0.0.1:{nobody()}/{CANARY}")
    assert CANARY not in str(failed.value)


def test_one_that_hangs_ends_in_time(http):
    """The deadline is for all of it."""
    with listening() as listener:
        listener.hangs.add("x")
        with pytest.raises(Unavailable):
            heartbeat.fetch(http, listener.url("x", "http"), seconds=0.5)
