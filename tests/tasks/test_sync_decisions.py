"""What a person decided about a day holds, also against a sync that is under way."""

from collections.abc import Callable

import pytest

from db import approvals, notices, receipts
from db.models_points import Datapoint
from tasks import deliver
from tests.tasks.scenes import TODAY, YESTERDAY, all_rows, change_feed
from tests.world import DAY, NOON, World

WORSE = {NOON - 3600: 2.0, NOON - 1800: 0.5, NOON - DAY: 1.0}  # yesterday was 7


@pytest.fixture
def held(world: World) -> World:
    """Yesterday's 7 is on the goal, and the source takes most of it back."""
    world.work()
    world.measure(world.series, WORSE)
    again(world)
    assert states(world)[YESTERDAY] == "held"
    return world


def again(world: World) -> None:
    """The feed is due, and synced."""
    world.clock.advance(60)
    change_feed(world, due_at=world.clock.at)
    world.work()


def states(world: World) -> dict[str | None, str]:
    """States of the feed's datapoints by day."""
    return {point.daystamp: point.state for point in all_rows(world, Datapoint)}


def decide(world: World, how: Callable[..., list[Datapoint]]) -> None:
    """Decide about everything that is held."""
    with world.ledger.write() as session:
        how(session, [world.feed_id], daystamp=None, now=world.clock.at)


def pin(world: World, *, pinned: bool = True) -> None:
    """Pin or unpin today."""
    with world.ledger.write() as session:
        approvals.pin(
            session,
            world.feed_id,
            daystamp=TODAY,
            pinned=pinned,
            bounds=(NOON - DAY / 2, NOON + DAY / 2),
            now=world.clock.at,
        )


def at(step: str, act: Callable[[], None]) -> Callable[[str], None]:
    """A trace that acts the first time that a sync comes to this step."""
    left = [act]

    def trace(name: str) -> None:
        if name == step and left:
            left.pop()()

    return trace


def told(world: World) -> list[str]:
    """The kinds of what is open."""
    with world.reading() as session:
        return [notice.kind for notice in notices.open_for(session)]


def test_an_approved_correction_lands_by_itself(held: World) -> None:
    """The feed is not due: the outbox alone sends it, and it is settled for good."""
    assert held.values()[YESTERDAY] == 7.0
    decide(held, approvals.approve)
    assert deliver.run(held.runtime())
    assert held.values()[YESTERDAY] == 1.0
    again(held)
    assert (states(held)[YESTERDAY], told(held)) == ("landed", [])


def test_a_dropped_correction_stays_dropped(held: World) -> None:
    """The same value is not asked about again, another one is."""
    decide(held, approvals.drop)
    again(held)
    assert (states(held)[YESTERDAY], held.values()[YESTERDAY], told(held)) == ("landed", 7.0, [])
    held.measure(held.series, WORSE | {NOON - DAY: 0.5})
    again(held)
    assert (states(held)[YESTERDAY], held.values()[YESTERDAY]) == ("held", 7.0)


@pytest.mark.parametrize("step", ["claimed", "fetched", "recorded"])
@pytest.mark.parametrize(
    ("how", "value"), [(approvals.approve, 1.0), (approvals.drop, 7.0)], ids=["approve", "drop"]
)
def test_a_decision_during_a_sync_is_not_undone(
    held: World, step: str, how: Callable[..., list[Datapoint]], value: float
) -> None:
    """That sync has judged without it: it is fenced off, and the next one knows."""
    change_feed(held, due_at=held.clock.at)
    held.work(held.runtime(trace=at(step, lambda: decide(held, how))))
    assert (states(held)[YESTERDAY], held.values()[YESTERDAY]) == ("landed", value)
    assert told(held) == []


@pytest.mark.parametrize("step", ["claimed", "fetched", "recorded"])
def test_a_pin_during_a_sync_holds(world: World, step: str) -> None:
    """Nothing of the day is sent after the pin, until it is taken away."""
    world.work(world.runtime(trace=at(step, lambda: pin(world))))
    again(world)
    assert TODAY not in world.values()
    assert world.values()[YESTERDAY] == 7.0
    pin(world, pinned=False)
    again(world)
    assert world.values()[TODAY] == 2.5


def test_a_callback_that_waits_is_answered_after_a_decision(held: World) -> None:
    """A sync that was fenced off by it is made again at once, for the same callback."""
    event_id = held.call_back()
    held.work(held.runtime(trace=at("fetched", lambda: decide(held, approvals.drop))))
    assert held.event(event_id).state == "done"


def test_a_receipt_tells_what_happened(held: World) -> None:
    """The callback that asked, the sync that read, and each try with its answer."""
    held.measure(held.series, WORSE | {NOON - 3600: 4.0})
    event_id = held.call_back()
    held.work()
    with held.reading() as session:
        today = receipts.receipt(session, held.feed_id, TODAY)
        yesterday = receipts.receipt(session, held.feed_id, YESTERDAY)
    assert today.day is not None
    assert (today.day.value, today.day.seen_at) == (4.5, held.clock.at)
    assert [event.id for event in today.events] == [event_id]
    (sent,) = today.sent
    assert [(one.value, one.status) for one in sent.sendings] == [
        (2.5, "created"),
        (4.5, "updated"),
    ]
    assert all(one.answered_at is not None for one in sent.sendings)
    (sent,) = yesterday.sent
    assert (sent.point.state, [one.value for one in sent.sendings]) == ("held", [7.0])
