"""What goes wrong with session tokens: a refusal asks for a person, trouble on the way does not."""

import json
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from clients.errors import AuthFailed
from db.models import Source
from simulators.faults import Fault
from tasks.gates import DeferredError
from tasks.providers import Grant
from tasks.runtime import LoginTurn
from tasks.tokens import SourceTokens
from tests.tasks.scenes import InThread, all_rows
from tests.tasks.test_tokens import BOTH_EXPIRED, EXPIRED, tokens_of
from tests.world import PASSWORD, World

TROUBLE = [
    Fault(status=500),
    Fault(status=503, retry_after="60"),
    Fault(status=429),
    Fault(action="reset"),
    Fault(action="lose_reply"),
    Fault(action="invalid_json"),
]


@pytest.mark.parametrize("trouble", TROUBLE, ids=lambda fault: f"{fault.action} {fault.status}")
@pytest.mark.parametrize(
    ("path", "later"), [("auth/token$", BOTH_EXPIRED), ("auth/token/refresh$", EXPIRED)]
)
def test_trouble_on_the_way_is_no_refusal(
    world: World, trouble: Fault, path: str, later: float
) -> None:
    """Neither in a login nor in a refresh does it ask a person for new credentials."""
    world.work()
    world.clock.advance(later)
    world.bemserver.faults.add(replace(trouble, path=path, times=None))
    event_id = world.call_back()

    world.work()

    assert all_rows(world, Source)[0].state in {"active", "failing"}
    assert world.feed().state == "active"
    assert world.event(event_id).state == "working"
    world.bemserver.faults.clear()
    while world.event(event_id).state == "working":
        world.clock.at = max(world.clock.at, world.feed().due_at)
        world.work()
    assert world.event(event_id).state == "done"
    assert all_rows(world, Source)[0].state == "active"


def test_a_refused_password_stays_refused_while_the_network_is_down(world: World) -> None:
    """A person has to act, and the source is out of reach as well: the first is what is shown."""
    person = next(iter(world.bemserver.state.users.values()))
    person.password = "changed"
    world.work()
    (source,) = all_rows(world, Source)
    assert (source.state, world.feed().state) == ("reauthorize", "failing")
    for error in (source.last_error, world.feed().last_error):
        assert "waggle apply" in str(error)

    world.bemserver.faults.add(Fault(status=500, times=None))
    world.call_back()
    world.work()
    assert all_rows(world, Source)[0].state == "reauthorize"

    world.bemserver.faults.clear()
    person.password = PASSWORD
    world.clock.at = max(world.clock.at, world.feed().due_at)
    world.work()
    assert all_rows(world, Source)[0].state == "active"
    assert world.feed().state == "active"


def meanwhile(world: World, tokens: SourceTokens, change: Callable[[], None]) -> None:
    """Something happens after the vendor has answered a login and before we look at that."""
    authenticate = tokens._authenticate

    def changed(refresh: str | None) -> Grant:
        try:
            return authenticate(refresh)
        finally:
            change()

    tokens._authenticate = changed


def new_credentials(world: World) -> None:
    """Do what `apply` does when the password in the file is another one."""
    with world.ledger.write() as session:
        source = session.get_one(Source, world.source_id)
        source.credentials_cipher = world.vault.encrypt(json.dumps({"password": "new"}))
        source.session_cipher, source.state = None, "active"
        source.token_version += 1
        session.add(source)


def test_a_login_with_credentials_that_were_changed_is_dropped(world: World) -> None:
    """`apply` changed them while it was under way: the tokens of the old ones are not stored."""
    tokens = tokens_of(world, world.runtime())
    meanwhile(world, tokens, lambda: new_credentials(world))

    with pytest.raises(DeferredError):
        tokens.access()

    assert all_rows(world, Source)[0].session_cipher is None


def test_a_refusal_of_credentials_that_were_changed_is_not_told(world: World) -> None:
    """The old password was refused, the new one is not tried yet: nobody is asked for another."""
    next(iter(world.bemserver.state.users.values())).password = "new"
    tokens = tokens_of(world, world.runtime())
    meanwhile(world, tokens, lambda: new_credentials(world))

    with pytest.raises(AuthFailed):
        tokens.access()

    assert all_rows(world, Source)[0].state == "active"


class Watched:
    """A lock that says when somebody has come to it while it was taken."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.waits = threading.Event()

    def acquire(self, timeout: float) -> bool:
        """Take it, as a lock does."""
        if self._lock.acquire(blocking=False):
            return True
        self.waits.set()
        return self._lock.acquire(timeout=timeout)

    def release(self) -> None:
        """Give it back."""
        self._lock.release()


@pytest.mark.parametrize("mended", [True, False])
def test_who_waits_with_new_credentials_is_not_refused_for_the_old(
    world: World, *, mended: bool
) -> None:
    """`apply` corrected the password while the old one was being refused: the new one is tried."""
    rt, lock = world.runtime(), Watched()
    rt.logins[world.source_id] = LoginTurn(lock=lock)
    under_way, go_on, tried = threading.Event(), threading.Event(), []

    def old(_refresh: str | None) -> Grant:
        under_way.set()
        go_on.wait(10)
        raise AuthFailed("the old password is wrong")

    def new(_refresh: str | None) -> Grant:
        tried.append("new")
        return Grant("fresh", None, None)

    first = InThread(SourceTokens(rt, world.source_id, old).access)
    assert under_way.wait(10)
    if mended:
        new_credentials(world)
        with world.ledger.write() as session:
            source = session.get_one(Source, world.source_id)
            source.refresh_owner, source.refresh_until = None, 0.0
            session.add(source)
    second = InThread(SourceTokens(rt, world.source_id, new, patience=10).access)
    assert lock.waits.wait(10)
    go_on.set()

    with pytest.raises(AuthFailed):
        first.join()
    if mended:
        assert second.join() == "fresh"
    else:
        with pytest.raises(AuthFailed):
            second.join()
    assert tried == (["new"] if mended else [])
