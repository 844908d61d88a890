"""Session tokens: one login or refresh for all threads, processes and machines."""

import threading
from collections.abc import Callable

import httpx
import pytest

from clients.errors import AuthFailed, ClientError
from db import sources
from db.models import Source
from simulators.faults import Fault
from tasks import connecting
from tasks.gates import DeferredError
from tasks.metrics.bemserver import Reader
from tasks.runtime import Runtime
from tasks.tokens import SourceTokens
from tests.tasks.scenes import InThread, Stall, all_rows, at_once
from tests.world import PASSWORD, ManualClock, World

EXPIRED = 900 + 1
BOTH_EXPIRED = 61 * 86400


class Patient(ManualClock):
    """A clock on which the poll for somebody else's login waits a moment instead of moving on."""

    def sleep(self, seconds: float) -> None:
        """Let the others work; time stands still."""
        threading.Event().wait(0.003)


def tokens_of(world: World, rt: Runtime) -> SourceTokens:
    """The tokens that a connection of this runtime uses."""
    (source,) = all_rows(world, Source)
    reader = connecting.connect(rt, source)
    assert isinstance(reader, Reader)
    found = reader.client._tokens
    assert isinstance(found, SourceTokens)
    return found


def logins(world: World) -> tuple[int, int]:
    """How often the server was asked for a login, and for a refresh."""
    faults = world.bemserver.faults
    return faults.count("auth/token$"), faults.count("auth/token/refresh$")


def logged_in(world: World, *, later: float) -> str:
    """Log in, let time pass, forget the request log; returns the access token."""
    access = tokens_of(world, world.runtime()).access()
    world.clock.advance(later)
    world.bemserver.faults.log.clear()
    return access


def given(count: int, ask: Callable[[int], str]) -> set[object]:
    """Ask from so many threads at once: the tokens that they got; one may be put off, none fails.

    How many are put off is up to the machine: a second is waited for real.
    """

    def asked(number: int) -> str | None:
        try:
            return ask(number)
        except DeferredError:
            return None

    return set(at_once(count, asked)) - {None}


def test_fifty_threads_refresh_an_expired_token_once(world: World) -> None:
    """50 threads find the same token expired: one refresh, and there is one new token for all."""
    old = logged_in(world, later=EXPIRED)
    tokens = tokens_of(world, world.runtime())

    got = given(50, lambda _: tokens.access())

    assert logins(world) == (0, 1)
    assert len(got) == 1
    assert old not in got


def test_workers_of_three_machines_refresh_once(world: World) -> None:
    """Three processes with locks of their own agree through the lease in the ledger."""
    old = logged_in(world, later=EXPIRED)
    world.clock = Patient(world.clock.at)
    world.bemserver.faults.add(Fault(action="delay", path="refresh", delay=0.05))
    machines = [tokens_of(world, world.runtime()) for _ in range(3)]

    got = given(24, lambda number: machines[number % 3].access())

    assert logins(world) == (0, 1)
    assert len(got) == 1
    assert old not in got


def test_fifty_threads_whose_token_was_rejected_renew_it_once(world: World) -> None:
    """The server forgot its key: 50 threads are rejected with one token, one of them renews it."""
    old = logged_in(world, later=1)
    tokens = tokens_of(world, world.runtime())

    got = given(50, lambda _: tokens.renew(old))

    assert logins(world) == (0, 1)
    assert len(got) == 1
    assert old not in got


def test_a_refused_refresh_becomes_one_login(world: World) -> None:
    """The refresh token has ended as well: one login with the password for all threads."""
    logged_in(world, later=BOTH_EXPIRED)
    tokens = tokens_of(world, world.runtime())

    got = given(20, lambda _: tokens.access())

    assert logins(world) == (1, 1)
    assert len(got) == 1


def test_a_refused_login_is_told_to_all_and_tried_once(world: World) -> None:
    """Every thread gets AuthFailed, the password is sent once, the source says reauthorize."""
    logged_in(world, later=BOTH_EXPIRED)
    next(iter(world.bemserver.state.users.values())).password = "changed"
    world.bemserver.faults.add(Fault(action="delay", path="auth/token$", delay=0.3))
    tokens = tokens_of(world, world.runtime())

    def ask(_number: int) -> str:
        with pytest.raises(AuthFailed):
            tokens.access()
        return "refused"

    assert at_once(20, ask) == ["refused"] * 20
    assert logins(world) == (1, 1)
    assert all_rows(world, Source)[0].state == "reauthorize"
    # A later call may try again: the person may have mended it.
    next(iter(world.bemserver.state.users.values())).password = PASSWORD
    assert tokens.access()
    assert all_rows(world, Source)[0].state == "active"


def test_an_unavailable_server_leaves_the_lease_free(world: World) -> None:
    """A login that fails for a moment gives the lease back: the next one need not wait for it."""
    world.bemserver.faults.add(Fault(path="auth/token", status=500))
    tokens = tokens_of(world, world.runtime())
    with pytest.raises(ClientError):
        tokens.access()

    assert all_rows(world, Source)[0].refresh_owner is None
    assert tokens.access()
    assert world.clock.slept == []


def test_threads_behind_a_slow_login_go_back_to_the_ledger(world: World) -> None:
    """One logs in and takes its time: 49 others are put off for a second, and none fails."""
    rt = world.runtime()
    stall = Stall(method="POST", path="auth/token")
    with httpx.Client(transport=stall, timeout=10) as http:
        rt.http = http
        tokens = tokens_of(world, rt)
        assert tokens._patience == 1.0
        tokens._patience = 0.02
        first = InThread(tokens.access)
        assert stall.reached.wait(10)

        def ask(_number: int) -> float:
            with pytest.raises(DeferredError) as caught:
                tokens.access()
            assert caught.value.error["code"] == "login_busy"
            return caught.value.until

        assert set(at_once(49, ask)) == {world.clock.now() + 1.0}
        stall.go.set()
        got = first.join()

    assert {tokens.access() for _ in range(49)} == {got}
    assert logins(world) == (1, 0)


def test_a_killed_login_is_taken_over_when_its_lease_ends(world: World) -> None:
    """Somebody died during the login: a callback waits for the lease, and that is no attempt."""
    began = world.clock.now()
    with world.ledger.write() as session:
        assert sources.claim_refresh(session, world.source_id, owner="dead", now=began)
    event_id = world.call_back()

    world.work()
    while world.event(event_id).state != "done":
        world.clock.at = max(world.clock.at, world.feed().due_at)
        world.work()

    event = world.event(event_id)
    assert 10 <= (event.finished_at or 0.0) - began < 14  # long before Beeminder goes
    assert (event.attempts, event.deferrals > 0) == (1, True)
    assert logins(world) == (1, 0)


def test_who_waits_for_a_login_elsewhere_gives_up_within_a_second(world: World) -> None:
    """Another machine holds the lease: a second at the most is waited, and no token is asked."""
    began = world.clock.now()
    with world.ledger.write() as session:
        assert sources.claim_refresh(session, world.source_id, owner="busy", now=began)

    with pytest.raises(DeferredError) as caught:
        tokens_of(world, world.runtime()).access()

    assert sum(world.clock.slept) == pytest.approx(1.0, abs=0.06)
    assert caught.value.until == world.clock.now() + 1.0
    assert logins(world) == (0, 0)


def test_a_login_that_others_wait_for_is_taken_at_once(world: World) -> None:
    """The other machine is done a moment later: its token is used, and the wait ends."""
    with world.ledger.write() as session:
        assert sources.claim_refresh(session, world.source_id, owner="w", now=world.clock.at)
    rt = world.runtime()

    class Meanwhile(ManualClock):
        """While one waits the other stores its token."""

        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            new = sources.SessionTokens("theirs", None, self.at + 900, 0)
            with world.ledger.write() as session:
                sources.store_tokens(session, world.source_id, world.vault, new=new, owner="w")

    rt.clock = clock = Meanwhile(world.clock.at)

    assert tokens_of(world, rt).access() == "theirs"
    assert len(clock.slept) == 1
    assert logins(world) == (0, 0)


def test_a_token_that_lives_is_used_without_asking(world: World) -> None:
    """Until half a minute before its end the stored token is used; then it is renewed."""
    old = logged_in(world, later=900 - 31)
    tokens = tokens_of(world, world.runtime())
    assert tokens.access() == old
    assert logins(world) == (0, 0)

    world.clock.advance(2)

    assert tokens.access() != old
    assert logins(world) == (0, 1)


def test_a_session_under_a_lost_key_is_replaced_by_a_login(world: World) -> None:
    """Session tokens that cannot be decrypted any more are worth one login, and no error."""
    logged_in(world, later=1)
    with world.ledger.write() as session:
        source = session.get_one(Source, world.source_id)
        source.session_cipher = "gAAAAA-of-another-key"
        session.add(source)

    assert tokens_of(world, world.runtime()).access()
    assert logins(world) == (1, 0)


def test_a_login_after_a_refused_refresh_has_a_lease_of_its_own(world: World) -> None:
    """Two requests take longer than one lease: nobody else logs in between them."""
    logged_in(world, later=BOTH_EXPIRED)
    rt = world.runtime()
    seen: list[bool] = []
    tokens = tokens_of(world, rt)
    authenticate = tokens._authenticate

    def slowly(refresh: str | None) -> object:
        world.clock.advance(8)
        with world.ledger.write() as session:
            seen.append(
                sources.claim_refresh(
                    session, world.source_id, owner="other", now=world.clock.now()
                )
            )
        return authenticate(refresh)

    tokens._authenticate = slowly  # type: ignore[assignment]
    tokens.access()

    assert seen == [False, False]
    assert logins(world) == (1, 1)


@pytest.mark.parametrize(("life", "used_for"), [(900, 870), (40, 36), (4, 3.6)])
def test_of_a_short_life_little_is_kept_back(world: World, life: int, used_for: float) -> None:
    """Half a minute of a quarter of an hour, a tenth of less: none is renewed at each request."""
    world.bemserver.keys.access_seconds = life
    tokens = tokens_of(world, world.runtime())
    began, first = world.clock.at, tokens.access()

    world.clock.at = began + used_for - 0.1
    assert tokens.access() == first
    assert logins(world) == (1, 0)
    world.clock.at = began + used_for
    tokens.access()
    assert logins(world) == (1, 1)


def test_a_clock_that_is_behind_ends_no_fresh_token(world: World) -> None:
    """By our clock a token ended before it came: it is used until it is refused."""
    world.bemserver.keys.access_seconds = -600
    tokens = tokens_of(world, world.runtime())
    first = tokens.access()

    assert tokens.access() == first
    (source,) = all_rows(world, Source)
    assert (source.access_expires_at, source.renew_at) == (None, None)
    assert logins(world) == (1, 0)
