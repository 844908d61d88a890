"""One person's way to Beeminder: their token, in the right place, while they allow it."""

import pytest

from clients.errors import Transient, Unavailable
from db import people
from db.models import User
from db.states import UserState
from simulators.faults import Fault
from tasks.beeminder import Access, ReauthorizeError, client_of
from tasks.runtime import UnreadableSecretError
from tests.tasks.scenes import all_rows
from tests.world import TOKEN, World


def change(world: World, **columns: object) -> None:
    """Set columns of alice's row."""
    with world.ledger.write() as session:
        row = session.get_one(User, world.user_id)
        for name, value in columns.items():
            setattr(row, name, value)
        session.add(row)


def me(world: World) -> str:
    """Ask Beeminder who we are."""
    return Access(world.runtime(), world.user_id).call(lambda client: client.me()).username


def test_an_oauth_token_never_stands_in_a_url(world: World) -> None:
    """It goes in the header; a personal token stands in the query of GETs alone."""
    assert me(world) == "alice"
    assert TOKEN in world.beeminder.faults.requests[-1].query
    world.beeminder.register_app("waggle")
    token = world.beeminder.authorize("alice", "waggle")
    with world.ledger.write() as session:
        row = session.get_one(User, world.user_id)
        people.set_token(row, world.vault, token=token, kind="oauth")
        session.add(row)
    world.beeminder.faults.log.clear()

    world.work()

    assert world.values()
    for request in world.beeminder.faults.requests:
        assert token not in request.query + request.path
        assert request.headers["authorization"] == f"Bearer {token}"


def test_without_access_nothing_is_asked(world: World) -> None:
    """A person who took it away, or whose token is gone: no request, a clear reason."""
    change(world, state=UserState.DEAUTHORIZED)
    with pytest.raises(ReauthorizeError) as caught:
        me(world)
    assert caught.value.reason == "deauthorized"
    change(world, state=UserState.ACTIVE, token_cipher=None)
    with pytest.raises(ReauthorizeError):
        me(world)
    assert world.beeminder.faults.count() == 0


def test_an_unreadable_token_does_not_ask_the_person_to_connect(world: World) -> None:
    """Our key is gone, their token may be good: the operator has to act, not the person."""
    change(world, token_cipher="gAAAAA-of-another-key")
    with pytest.raises(UnreadableSecretError):
        client_of(world.runtime(), all_rows(world, User)[0], deadline=1)
    with pytest.raises(UnreadableSecretError):
        me(world)
    assert all_rows(world, User)[0].state == "active"


def stored_meanwhile(world: World, tokens: list[str]) -> None:
    """Each time that Beeminder refuses a token the next of these is stored, as by a new login."""
    send = world.http.send

    def store(*args: object, **more: object) -> object:
        answer = send(*args, **more)  # type: ignore[arg-type]
        if answer.status_code == 401 and tokens:
            with world.ledger.write() as session:
                row = session.get_one(User, world.user_id)
                people.set_token(row, world.vault, token=tokens.pop(0), kind="personal")
                session.add(row)
        return answer

    world.http.send = store  # type: ignore[method-assign]


def test_a_refused_token_is_read_again_once(world: World) -> None:
    """A new login has just ended it: the token that it gave is used, and nobody is asked."""
    tokens = world.beeminder.state.personal_tokens
    tokens["newer"] = tokens.pop(TOKEN)
    stored_meanwhile(world, ["newer"])

    assert me(world) == "alice"
    assert world.beeminder.faults.count() == 2
    assert all_rows(world, User)[0].state == "active"


def test_a_newer_token_that_is_refused_too_is_the_end(world: World) -> None:
    """Read again once, not for ever: the person has to connect."""
    world.beeminder.state.personal_tokens.clear()
    stored_meanwhile(world, ["newer"])

    with pytest.raises(ReauthorizeError) as caught:
        me(world)

    assert "connect again" in str(caught.value)
    assert world.beeminder.faults.count() == 2
    assert all_rows(world, User)[0].state == "reauthorize"


def test_logins_that_overtake_each_other_ask_nobody_to_connect(world: World) -> None:
    """Two tokens were refused and a third one is stored: nothing is known of that, so try again."""
    tokens = world.beeminder.state.personal_tokens
    tokens["newest"] = tokens.pop(TOKEN)
    stored_meanwhile(world, ["newer", "newest"])

    with pytest.raises(Transient):
        me(world)

    assert world.beeminder.faults.count() == 2
    assert all_rows(world, User)[0].state == "active"
    assert me(world) == "alice"


def test_a_login_that_overtakes_a_refusal_fails_no_callback(world: World) -> None:
    """A person connects again while a sync is under way: its feed goes on with the new token."""
    event_id = world.call_back()
    tokens = world.beeminder.state.personal_tokens
    tokens["newest"] = tokens.pop(TOKEN)
    stored_meanwhile(world, ["newer", "newest"])
    world.work()
    world.clock.advance(5)

    world.work()

    assert world.event(event_id).state == "done"
    assert world.feed().state == "active"


def test_a_person_who_has_left_is_not_asked_to_connect(world: World) -> None:
    """The token was destroyed while a call with it was under way: they took it away."""
    world.beeminder.state.personal_tokens.clear()
    send = world.http.send

    def leave(*args: object, **more: object) -> object:
        answer = send(*args, **more)  # type: ignore[arg-type]
        with world.ledger.write() as session:
            people.deauthorize(session, world.user_id, token_version=1, now=world.clock.at)
        return answer

    world.http.send = leave  # type: ignore[method-assign]
    with pytest.raises(ReauthorizeError) as caught:
        me(world)

    assert caught.value.reason == "deauthorized"
    assert all_rows(world, User)[0].state == "deauthorized"


def test_an_unreachable_beeminder_asks_nobody_to_connect(world: World) -> None:
    """The network is down: the token may be as good as ever."""
    world.beeminder.faults.add(Fault(action="reset", times=None))
    with pytest.raises(Unavailable):
        me(world)
    assert all_rows(world, User)[0].state == "active"


def test_a_token_that_works_after_all_asks_nobody_to_connect(world: World) -> None:
    """Beeminder refused it once by mistake: the person is active again with the next answer."""
    world.beeminder.faults.add(Fault(status=401, body={"errors": "no"}, times=1))
    with pytest.raises(ReauthorizeError):
        me(world)
    assert all_rows(world, User)[0].state == "reauthorize"

    assert me(world) == "alice"

    assert all_rows(world, User)[0].state == "active"


@pytest.mark.parametrize("order", ["lost first", "lost last"])
def test_an_outage_in_one_of_two_threads_counts(world: World, order: str) -> None:
    """The other one was answered, and nobody knows which came last: it is not over by that."""
    access = Access(world.runtime(), world.user_id)
    forks = [access.fork(), access.fork()]
    forks[0].call(lambda client: client.me())
    world.beeminder.faults.add(Fault(action="reset", times=None))
    with pytest.raises(Unavailable) as caught:
        forks[1].call(lambda client: client.me())
    assert (access.answered, access.lost) == (False, None)

    access.join(forks if order == "lost last" else forks[::-1])

    assert access.answered
    assert access.lost is caught.value
    access.join([access.fork()])  # who has asked nothing changes nothing
    assert access.lost is caught.value
    world.beeminder.faults.clear()
    forks[0].call(lambda client: client.me())
    access.join(forks[:1])
    assert access.lost is None
