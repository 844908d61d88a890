"""A person took our access away: only what is confirmed at Beeminder destroys anything."""

import pytest
from cryptography.fernet import Fernet

from db import events, people
from db.inbox import NewEvent, store
from db.models import User
from db.models_points import Datapoint
from db.states import EventKind
from db.vault import Vault
from simulators.faults import Fault
from tasks import deauthorize
from tests.tasks.scenes import all_rows, change_feed, die
from tests.world import KEY, TOKEN, World, crash_at


def taken_away(world: World, token: str = TOKEN, *, vault: Vault | None = None) -> str:
    """The callback as the receiver stores it: hashes of the token under every key."""
    hashes = (vault or world.vault).fingerprints(token)
    new = NewEvent(
        kind=EventKind.DEAUTHORIZED,
        payload={"token_hashes": hashes},
        received_at=world.clock.at,
    )
    with world.ledger.write() as session:
        store(session, [new])
    return new.id


def kill_token(world: World) -> None:
    """Beeminder does not know the token any more."""
    del world.beeminder.state.personal_tokens[TOKEN]


def alice(world: World) -> User:
    """Her row."""
    (row,) = all_rows(world, User)
    return row


def drain(world: World) -> None:
    """Handle what is due."""
    rt = world.runtime()
    while deauthorize.run(rt) or deauthorize.run(rt, alone=True):
        pass


def leave_something_pending(world: World) -> None:
    """A sync recorded datapoints and was killed before it pushed them."""
    assert die(world, world.runtime(trace=crash_at("recorded")))
    assert {row.state for row in all_rows(world, Datapoint)} == {"pending"}


def test_a_real_one_ends_everything_of_that_person(world: World) -> None:
    """Token destroyed, feeds stopped, pending datapoints withdrawn, nothing sent afterwards."""
    leave_something_pending(world)
    world.clock.advance(20)
    kill_token(world)
    event_id = taken_away(world)

    drain(world)

    row = alice(world)
    assert (row.state, row.token_cipher, row.token_hash) == ("deauthorized", None, None)
    assert (world.feed().state, world.feed().reason) == ("stopped", "deauthorized")
    assert {point.state for point in all_rows(world, Datapoint)} == {"withdrawn"}
    assert world.event(event_id).state == "done"
    asked = world.beeminder.faults.count()
    callback = world.call_back()
    world.clock.advance(100_000)
    world.work()
    assert world.beeminder.faults.count() == asked
    assert (world.event(callback).error or {})["code"] == "no_such_feed"


def test_what_was_withdrawn_is_sent_after_a_new_login(world: World) -> None:
    """The person comes back: the day's value is not taken for one that is there already."""
    leave_something_pending(world)
    world.clock.advance(20)
    kill_token(world)
    taken_away(world)
    drain(world)
    world.beeminder.state.personal_tokens["newer"] = world.beeminder.state.users["alice"]
    with world.ledger.write() as session:
        row = session.get_one(User, world.user_id)
        people.set_token(row, world.vault, token="newer", kind="personal")
        session.add(row)
    change_feed(world, state="active", lease_until=0.0)
    event_id = world.call_back()

    world.work()

    assert world.event(event_id).state == "done"
    assert world.values() == {"20261119": 7.0, "20261120": 2.5}


def test_a_forged_one_destroys_nothing(world: World) -> None:
    """The token lives: asked three times over five minutes, then the callback is put away."""
    event_id = taken_away(world)

    for _ in range(4):
        drain(world)
        world.clock.advance(301)

    assert world.event(event_id).state == "done"
    assert world.beeminder.faults.count("users/me") == 3
    assert (alice(world).state, world.feed().state) == ("active", "active")
    world.work()
    assert world.values()


def test_beeminder_may_revoke_a_moment_after_it_called(world: World) -> None:
    """The token still lives when we look first; half a minute later it is dead."""
    event_id = taken_away(world)
    drain(world)
    kill_token(world)
    world.clock.advance(31)

    drain(world)

    assert alice(world).token_cipher is None
    assert world.event(event_id).state == "done"


def test_the_token_of_an_older_login_is_ignored(world: World) -> None:
    """Only the current token counts: an old one is not even asked about."""
    with world.ledger.write() as session:
        row = session.get_one(User, world.user_id)
        people.set_token(row, world.vault, token="newer", kind="personal")
        session.add(row)
    event_id = taken_away(world, TOKEN)

    drain(world)

    assert world.event(event_id).state == "done"
    assert alice(world).state == "active"
    assert world.beeminder.faults.count() == 0


def test_a_login_between_the_check_and_the_end_wins(world: World) -> None:
    """The person connects again while we ask about the old token: the new one is kept."""
    kill_token(world)
    taken_away(world)
    send = world.http.send

    def connect_meanwhile(*args: object, **more: object) -> object:
        answer = send(*args, **more)  # type: ignore[arg-type]
        with world.ledger.write() as session:
            row = session.get_one(User, world.user_id)
            people.set_token(row, world.vault, token="newer", kind="personal")
            session.add(row)
        return answer

    world.http.send = connect_meanwhile  # type: ignore[method-assign]
    drain(world)

    assert alice(world).state == "active"
    assert alice(world).token_cipher is not None
    assert world.feed().state == "active"


def test_a_hash_under_an_older_key_of_the_ring_is_found(world: World) -> None:
    """The key was rotated since the token was stored: its hash is looked for under every key."""
    kill_token(world)
    ring = Vault([Fernet.generate_key().decode(), KEY])
    taken_away(world, vault=ring)
    world.vault = ring

    drain(world)

    assert alice(world).state == "deauthorized"


@pytest.mark.parametrize(
    ("fault", "deferred"),
    [
        (Fault(path="users/me", status=500), False),
        (Fault(path="users/me", action="reset", times=2), False),
        (Fault(path="users/me", status=429, retry_after="60"), True),
    ],
)
def test_no_answer_is_no_confirmation(world: World, fault: Fault, *, deferred: bool) -> None:
    """Beeminder is away or busy: nothing is destroyed, and it is asked again in time."""
    kill_token(world)
    fault.hits = 0
    world.beeminder.faults.add(fault)
    event_id = taken_away(world)
    drain(world)

    event = world.event(event_id)
    assert (event.state, alice(world).state) == ("received", "active")
    assert (event.attempts, event.deferrals) == ((0, 1) if deferred else (1, 0))
    assert event.due_at - world.clock.at == pytest.approx(60 if deferred else 2.5, abs=2.6)

    world.clock.advance(61)
    drain(world)
    assert alice(world).state == "deauthorized"


def test_a_callback_that_waits_for_a_stopped_feed_ends(world: World) -> None:
    """An event that was waiting for the person's feeds fails at once, not a day later."""
    event_id = world.call_back()
    change_feed(world, lease_until=world.clock.at + 5, lease_owner="busy")
    world.work()
    assert world.event(event_id).state == "working"
    kill_token(world)
    taken_away(world)

    drain(world)

    event = world.event(event_id)
    assert (event.state, (event.error or {})["code"]) == ("failed", "no_such_feed")


def test_a_killed_worker_leaves_it_to_the_next(world: World) -> None:
    """Killed after the claim: the lease ends and somebody else carries it out."""
    kill_token(world)
    event_id = taken_away(world)
    with world.ledger.write() as session:
        assert events.claim(session, kinds=deauthorize.KINDS, owner="dead", now=world.clock.at)
    drain(world)
    assert alice(world).state == "active"

    world.clock.advance(11)
    drain(world)

    assert alice(world).state == "deauthorized"
    assert world.event(event_id).state == "done"
