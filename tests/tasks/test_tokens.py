"""Session tokens: one login or refresh for all threads, processes and machines."""

import threading

import pytest

from clients.errors import AuthFailed, ClientError
from db import sources
from db.models import Source
from simulators.faults import Fault
from tasks import jobs
from tasks.metrics.bemserver import Reader
from tasks.runtime import Runtime
from tasks.tokens import SourceTokens
from tests.tasks.scenes import all_rows, at_once
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
    reader = jobs.connect(rt, source)
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


def test_fifty_threads_refresh_an_expired_token_once(world: World) -> None:
    """50 threads find the same token expired: one refresh, and all of them get the new token."""
    old = logged_in(world, later=EXPIRED)
    tokens = tokens_of(world, world.runtime())

    got = at_once(50, lambda _: tokens.access())

    assert logins(world) == (0, 1)
    assert len(set(got)) == 1
    assert old not in got


def test_workers_of_three_machines_refresh_once(world: World) -> None:
    """Three processes with locks of their own agree through the lease in the ledger."""
    old = logged_in(world, later=EXPIRED)
    world.clock = Patient(world.clock.at)
    world.bemserver.faults.add(Fault(action="delay", path="refresh", delay=0.05))
    machines = [tokens_of(world, world.runtime()) for _ in range(3)]

    got = at_once(24, lambda number: machines[number % 3].access())

    assert logins(world) == (0, 1)
    assert len(set(got)) == 1
    assert old not in got


def test_fifty_threads_whose_token_was_rejected_renew_it_once(world: World) -> None:
    """The server forgot its key: 50 threads are rejected with one token, one of them renews it."""
    old = logged_in(world, later=1)
    tokens = tokens_of(world, world.runtime())

    got = at_once(50, lambda _: tokens.renew(old))

    assert logins(world) == (0, 1)
    assert len(set(got)) == 1
    assert old not in got


def test_a_refused_refresh_becomes_one_login(world: World) -> None:
    """The refresh token has ended as well: one login with the password for all threads."""
    logged_in(world, later=BOTH_EXPIRED)
    tokens = tokens_of(world, world.runtime())

    got = at_once(20, lambda _: tokens.access())

    assert logins(world) == (1, 1)
    assert len(set(got)) == 1


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


def test_a_killed_login_is_taken_over_when_its_lease_ends(world: World) -> None:
    """Somebody died during the login: others wait for the lease, which a callback outlives."""
    began = world.clock.now()
    with world.ledger.write() as session:
        assert sources.claim_refresh(session, world.source_id, owner="dead", now=began)

    assert tokens_of(world, world.runtime()).access()

    assert sources.REFRESH_LEASE_SECONDS <= world.clock.now() - began <= 11
    assert logins(world) == (1, 0)


def test_who_waits_for_a_login_gives_up_after_a_while(world: World) -> None:
    """A login that is renewed for ever holds nobody for ever."""
    rt = world.runtime()

    class Busy(ManualClock):
        """While others wait, the holder takes its lease again."""

        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            with world.ledger.write() as session:
                sources.extend_refresh(session, world.source_id, owner="busy", now=self.at)

    rt.clock = Busy(world.clock.at)
    with world.ledger.write() as session:
        assert sources.claim_refresh(session, world.source_id, owner="busy", now=world.clock.at)

    with pytest.raises(ClientError) as caught:
        tokens_of(world, rt).access()

    assert caught.value.reason == "refresh_busy"
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
