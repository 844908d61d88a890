"""A look-up that can't be done waits, fails with the reason, or is given up after a day."""

import pytest

from clients.errors import NotFound, Unavailable
from db import events, inbox
from db.inbox import NewEvent
from db.models import Event, User
from db.states import EventKind
from simulators.faults import Fault
from tasks import deauthorize, event_setbacks, gates, policy, sweep
from tests.tasks.scenes import all_rows, look_up
from tests.world import DAY, TOKEN, World


def try_until(world: World, event_id: str, at: float, *, every: float = 0.0) -> None:
    """Look the event up whenever it is due, or so seldom, as workers and the sweep do."""
    while world.event(event_id).finished_at is None and world.clock.at < at:
        world.clock.at = max(world.clock.at + every, world.event(event_id).due_at)
        sweep.run(world.runtime())
        look_up(world)


def replay(world: World, event_id: str) -> str:
    """Try it again as `waggle replay` does: as a new event that says what it replays."""
    row = world.event(event_id)
    new = NewEvent(
        kind=EventKind(row.kind),
        payload=row.payload,
        received_at=world.clock.at,
        user_id=row.user_id,
        goal_id=row.goal_id,
        replay_of=row.id,
    )
    with world.ledger.write() as session:
        inbox.store(session, [new])
    return new.id


def test_a_look_up_is_given_up_after_a_day_and_can_be_replayed(world: World) -> None:
    """Beeminder was away all the time: dead, with the reason and the command, which then works."""
    world.work()
    world.beeminder.faults.add(Fault(path="goals", status=500, times=None))
    world.beeminder.state.rename_goal("alice", "energy", "power")
    event_id = world.call_back("power")
    received_at = world.clock.at

    try_until(world, event_id, received_at + 2 * DAY, every=1800.0)

    event = world.event(event_id)
    assert event.state == "dead"
    assert DAY <= (event.finished_at or 0.0) - received_at <= DAY + 1800
    assert (event.error or {})["code"] == "unavailable"
    assert f"`waggle replay {event_id}`" in (event.error or {})["message"]
    assert event.attempts > 40

    world.beeminder.faults.clear()
    again = replay(world, event_id)
    world.work()
    assert (world.event(again).state, world.event(again).replay_of) == ("done", event_id)
    assert world.values("power")
    assert world.event(event_id).state == "dead"


def test_a_limit_that_lasts_costs_attempts_and_says_so(world: World) -> None:
    """For ten times and an hour it is free; after that the event tells what keeps it."""
    world.beeminder.faults.add(Fault(path="goals", status=429, retry_after="500", times=None))
    event_id = world.call_back("tea")
    received_at = world.clock.at
    try_until(world, event_id, received_at + policy.HOUR)
    event = world.event(event_id)
    assert (event.attempts, (event.error or {})["code"]) == (0, "rate_limited")

    try_until(world, event_id, received_at + 3 * policy.HOUR)

    event = world.event(event_id)
    assert event.state == "received"
    assert event.attempts >= 2
    assert event.deferrals > event.attempts + policy.CALLBACK.deferrals - 2
    assert (event.error or {})["code"] == "limited_for_long"


def test_a_garbled_answer_is_an_accident_at_first(world: World) -> None:
    """Half a body does not end a look-up; four in a row do, and say what to do."""
    world.beeminder.faults.add(Fault(path="goals", status=200, body={"goals": 1}, times=4))
    event_id = world.call_back("tea")

    for expected in ("received", "received", "received", "failed"):
        look_up(world)
        assert world.event(event_id).state == expected
        world.clock.advance(30)

    assert "`waggle doctor`" in (world.event(event_id).error or {})["message"]


def revoke(world: World) -> str:
    """A de-authorization comes in; returns the id of the event."""
    new = NewEvent(
        kind=EventKind.DEAUTHORIZED,
        payload={"token_hashes": world.vault.fingerprints(TOKEN)},
        received_at=world.clock.at,
    )
    with world.ledger.write() as session:
        inbox.store(session, [new])
    return new.id


@pytest.mark.parametrize("status", [500, 403, 404])
def test_a_revoked_token_outlives_no_outage(world: World, status: int) -> None:
    """No answer about the token, three days long: it is asked about until it is known dead."""
    world.beeminder.faults.add(Fault(path="users/me", status=status, times=None))
    event_id = revoke(world)
    for _ in range(3 * 24):
        deauthorize.run(world.runtime())
        sweep.run(world.runtime())
        world.clock.advance(3600)
    assert world.event(event_id).state == "received"
    assert all_rows(world, User)[0].state == "active"

    world.beeminder.faults.clear()
    del world.beeminder.state.personal_tokens[TOKEN]
    deauthorize.run(world.runtime())

    assert world.event(event_id).state == "done"
    assert all_rows(world, User)[0].token_cipher is None


def test_a_revoked_token_is_given_up_after_a_week(world: World) -> None:
    """Not asked about for ever: dead, shown, and fit to be replayed."""
    world.beeminder.faults.add(Fault(path="users/me", status=403, times=None))
    event_id = revoke(world)
    deauthorize.run(world.runtime())
    world.clock.advance(7 * DAY + 1)

    deauthorize.run(world.runtime())

    assert world.event(event_id).state == "dead"
    assert "`waggle replay" in (world.event(event_id).error or {})["message"]


@pytest.mark.parametrize(
    "error", [Unavailable("down"), NotFound("x"), gates.DeferredError(0.0, {"message": "m"})]
)
def test_what_was_given_up_meanwhile_stays_so(world: World, error: Exception) -> None:
    """A sweep gave the event up while a worker was at it: the worker changes nothing about that."""
    event_id = revoke(world)
    with world.ledger.write() as session:
        held = events.claim(session, kinds=deauthorize.KINDS, owner="w", now=world.clock.at)
    with world.ledger.write() as session:
        events.give_up(session, world.clock.at + 1, world.clock.at, kinds=deauthorize.KINDS)
    assert held is not None

    event_setbacks.not_now(world.runtime(), held, error, policy.DEAUTHORIZE)

    (event,) = all_rows(world, Event)
    assert (event.id, event.state) == (event_id, "dead")
    assert (event.error or {})["code"] == "dead"
