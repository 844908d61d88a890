"""What a piece of work belongs to: bound for its lines while it runs, and for no others."""

import httpx
import pytest
import structlog
from structlog.testing import capture_logs

from db.covers import Asker
from tasks import tracing
from tasks.tracing import NoTracer
from tests.world import World


def bound():
    """The ids that a line would carry now."""
    return structlog.contextvars.get_contextvars()


def test_ids_are_bound_for_the_block_and_gone_after_it() -> None:
    """Also when it fails: the next piece of work in this thread is about something else."""
    askers = [Asker("e1", "r1"), Asker("e2")]

    def fail() -> None:
        with tracing.work(NoTracer(), "sync", askers, feed=7) as span:
            span.set(landed=1)
            assert bound() == {"event_ids": ["e1", "e2"], "request_ids": ["r1"], "feed": 7}
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert bound() == {}


def test_each_line_of_a_sync_names_its_callbacks(world: World) -> None:
    """From the claim to the datapoint, with the ids that its caller was answered with."""
    first = world.call_back(request_id="r-1")
    second = world.call_back(request_id="r-2")
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        world.work()
    (synced,) = [line for line in lines if line["event"] == "feed.synced"]
    assert synced["event_ids"] == sorted([first, second])
    assert sorted(synced["request_ids"]) == ["r-1", "r-2"]
    assert synced["source_id"] == world.source_id


def test_a_callback_that_no_feed_answers_is_named_too(world: World) -> None:
    """A look-up that is put back says whose it is."""
    event_id = world.call_back("unknown", request_id="r-3")
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        world.work(world.runtime(http=httpx.Client(transport=httpx.MockTransport(down))))
    told = [line for line in lines if line["event"] == "event.not_now"]
    assert told[0]["event_ids"] == [event_id]
    assert told[0]["request_ids"] == ["r-3"]


def down(_request: httpx.Request) -> httpx.Response:
    """Beeminder is away."""
    return httpx.Response(503)
