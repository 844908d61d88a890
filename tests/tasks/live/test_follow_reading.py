"""When a run is read again: soon after what passes by itself, later after what has to be mended."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from clients.errors import (
    AuthFailed,
    NotFound,
    Permanent,
    Rejected,
    Unavailable,
    UnexpectedResponse,
)
from tasks.gates import DeferredError
from tasks.live.follow_reading import GARBLED, LATER_SECONDS, MISSING, Reading

NOW = 1_800_000_000.0
POLL = 2.0
LIMITED = DeferredError(NOW + 40, {"code": "rate_limited", "message": "not yet"})


def reading(*answers: object) -> Reading:
    """Of a source that answers, or fails, like this in turn."""
    left = list(answers)

    def read(_held: object) -> object:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def blocking(call: Callable[[], Any]) -> Any:
        return call()

    desk = SimpleNamespace(now=lambda: NOW, blocking=blocking)
    source = SimpleNamespace(poll_seconds=POLL, read=read)
    return Reading(cast(Any, "held"), cast(Any, source), cast(Any, desk))


def seen(found: Reading, times: int) -> tuple[float, bool]:
    """After so many reads: in how many seconds the next one is due, and whether it is owed."""
    for _ in range(times):
        asyncio.run(cast(Any, _awaited(found.read())))
    return found.due_at - NOW, found.owed


async def _awaited(read: Awaitable[object]) -> object:
    return await read


@pytest.mark.parametrize(
    ("error", "due", "owed"),
    [
        (Unavailable("502"), POLL, True),
        (Unavailable("503", retry_after=30), 30.0, True),
        (LIMITED, 40.0, True),
        (AuthFailed("401"), LATER_SECONDS, False),
        (Rejected("422"), LATER_SECONDS, False),
        (UnexpectedResponse("a page, not data"), POLL, True),
    ],
)
def test_it_is_read_again_as_soon_as_that_may_have_passed(
    error: Exception, due: float, *, owed: bool
) -> None:
    """What was said of a wait is kept to, and a run is not lost from sight for one bad answer."""
    assert seen(reading(error), 1) == (due, owed)


def test_a_source_that_only_talks_nonsense_is_left_alone() -> None:
    """Not after one answer, but after some in a row."""
    garbled: list[Permanent] = [UnexpectedResponse("a page")] * GARBLED

    assert seen(reading(*garbled), GARBLED - 1) == (POLL, True)
    assert seen(reading(*garbled), GARBLED) == (LATER_SECONDS, False)
    assert seen(reading(*garbled[1:], object(), garbled[0]), GARBLED + 1) == (POLL, True)


def test_a_run_is_gone_when_nobody_has_seen_it_for_some_reads() -> None:
    """Once may be a mistake."""
    lost = [NotFound("no such run")] * MISSING
    found = reading(*lost)

    seen(found, MISSING - 1)
    assert not found.gone
    seen(found, 1)
    assert found.gone
