"""Sources: one refresh at a time, and tokens that are not written over newer ones."""

import pytest
from sqlmodel import select

from db import errands, sources, sources_removed
from db.engine import Ledger
from db.models import Feed, Source
from db.sources import SessionTokens
from db.states import ErrandKind, FeedState, SourceState
from db.vault import Vault
from tests.db.test_feeds import NOW, fill
from tests.tasks.scenes import at_once
from tests.world import KEY

VAULT = Vault([KEY])


def only(ledger: Ledger) -> Source:
    """The only source."""
    with ledger.read() as session:
        return session.exec(select(Source)).one()


def store(ledger: Ledger, version: int, access: str = "a", *, life: float | None = 900.0) -> bool:
    """Write tokens that live for so many seconds over this version."""
    expires_at = None if life is None else NOW + life
    new = SessionTokens(access, "r", expires_at, version, NOW)
    with ledger.write() as session:
        return sources.store_tokens(session, only(ledger).id or 0, VAULT, new=new, owner="w")


def test_one_of_many_gets_the_refresh_lease(ledger: Ledger) -> None:
    """Ten workers at once: one wins; after its lease another one may."""
    fill(ledger)
    source_id = only(ledger).id or 0

    def take(number: int, now: float = NOW) -> bool:
        with ledger.write() as session:
            return sources.claim_refresh(session, source_id, owner=f"w{number}", now=now)

    assert sum(1 for won in at_once(10, take) if won) == 1
    assert not take(11, NOW + sources.REFRESH_LEASE_SECONDS - 1)
    assert take(12, NOW + sources.REFRESH_LEASE_SECONDS)


def test_tokens_are_written_over_the_version_that_was_read(ledger: Ledger) -> None:
    """Of two that read the same version the second one is refused."""
    fill(ledger)
    assert store(ledger, 0, "first")
    assert not store(ledger, 0, "second")
    assert store(ledger, 1, "third")
    with ledger.read() as session:
        found = sources.tokens(session, only(ledger).id or 0, VAULT)
    assert found is not None
    assert (found.access, found.version) == ("third", 2)


def test_tokens_do_not_show_in_a_repr() -> None:
    """A logged value shows version and end, and no token."""
    shown = repr(SessionTokens("canary-a", "canary-r", NOW, 3))
    assert "canary" not in shown
    assert "3" in shown


def expiring(ledger: Ledger, now: float) -> bool:
    """Is the only source to be renewed at this instant?"""
    with ledger.read() as session:
        return bool(sources.expiring(session, now))


def put(ledger: Ledger, **columns: object) -> None:
    """Set columns of the only source."""
    with ledger.write() as session:
        source = session.exec(select(Source)).one()
        for name, value in columns.items():
            setattr(source, name, value)
        session.add(source)


@pytest.mark.parametrize("life", [60.0, 900.0, 86400.0])
def test_a_token_is_renewed_at_80_percent_of_its_life(ledger: Ledger, life: float) -> None:
    """Not before; and one that has ended is left to whoever needs it."""
    fill(ledger)
    store(ledger, 0, life=life)
    put(ledger, used_at=NOW)

    instants = (0.79, 0.8, 0.99, 1.0)
    due = [expiring(ledger, NOW + part * life) for part in instants]

    assert due == [False, True, True, False]


def test_a_token_without_an_end_is_never_renewed_early(ledger: Ledger) -> None:
    """The vendor names none: its refusal is the first to tell."""
    fill(ledger)
    store(ledger, 0, life=None)
    put(ledger, used_at=NOW + 1e9)
    assert not expiring(ledger, NOW + 1e9)


def test_a_token_stored_before_renewals_were_planned(ledger: Ledger) -> None:
    """It is renewed three minutes before its end."""
    fill(ledger)
    put(ledger, used_at=NOW, session_cipher="x", access_expires_at=NOW + 900)
    assert not expiring(ledger, NOW + 719)
    assert expiring(ledger, NOW + 720)


@pytest.mark.parametrize(("life", "kept"), [(900.0, 1800.0), (7200.0, 7200.0)])
def test_a_source_is_in_use_for_half_an_hour_or_one_life(
    ledger: Ledger, life: float, kept: float
) -> None:
    """Whichever is longer; a source that nobody ever read is not in use."""
    fill(ledger)
    store(ledger, 0, life=life)
    now = NOW + 0.9 * life
    # That a renewal was put off says nothing about the use.
    for renew_at in (NOW + 0.8 * life, now):
        for used_at, due in ((now - kept + 1, True), (now - kept - 1, False), (None, False)):
            put(ledger, used_at=used_at, renew_at=renew_at)
            assert expiring(ledger, now) is due


@pytest.mark.parametrize(
    ("state", "due"),
    [(SourceState.ACTIVE, True), (SourceState.FAILING, True), (SourceState.REAUTHORIZE, False)],
)
def test_refused_credentials_are_not_tried_again(
    ledger: Ledger, state: SourceState, *, due: bool
) -> None:
    """A source that fails for a while keeps its token; one that waits for a person is left."""
    fill(ledger)
    store(ledger, 0)
    put(ledger, used_at=NOW, state=state)
    assert expiring(ledger, NOW + 720) is due


def test_putting_a_renewal_off_is_about_one_token(ledger: Ledger) -> None:
    """One that was stored in the meantime keeps its own time."""
    fill(ledger)
    source_id = only(ledger).id or 0
    store(ledger, 0)
    for version, at, stands in ((1, NOW + 100, NOW + 100), (0, NOW + 200, NOW + 100)):
        with ledger.write() as session:
            sources.renew_later(session, source_id, version=version, at=at)
        assert only(ledger).renew_at == stands


def test_out_of_reach_does_not_hide_that_a_person_is_needed(ledger: Ledger) -> None:
    """Refused stays refused while the network is down; an answer ends both."""
    fill(ledger)
    source_id = only(ledger).id or 0

    def state(marked: SourceState) -> str:
        with ledger.write() as session:
            sources.mark(session, source_id, state=marked, error=marked.value)
        return only(ledger).state

    assert state(SourceState.FAILING) == "failing"
    assert state(SourceState.REAUTHORIZE) == "reauthorize"
    assert state(SourceState.FAILING) == "reauthorize"
    assert only(ledger).last_error == "reauthorize"
    assert state(SourceState.ACTIVE) == "active"


def test_a_refusal_is_about_the_credentials_that_were_used(ledger: Ledger) -> None:
    """They were changed since: the new ones are not refused."""
    fill(ledger)
    source_id = only(ledger).id or 0

    def refused(version: int) -> bool:
        with ledger.write() as session:
            return sources.refused(session, source_id, version=version, error="x")

    put(ledger, token_version=3)
    assert not refused(2)
    assert only(ledger).state == "active"
    assert refused(3)
    assert (only(ledger).state, only(ledger).last_error) == ("reauthorize", "x")


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "reauthorize"),
        ({"token_version": 9}, "reauthorize"),  # a login in between
        ({"credentials_cipher": "other"}, "active"),
        ({"settings": {"url": "https://other.example.org"}}, "active"),
    ],
)
def test_what_was_met_with_other_credentials_is_not_marked(
    ledger: Ledger, changed: dict[str, object], expected: str
) -> None:
    """`apply` changed them while a request with the old ones was under way."""
    fill(ledger)
    read = only(ledger)
    put(ledger, **changed)

    with ledger.write() as session:
        sources.mark_as_read(session, read, state=SourceState.REAUTHORIZE, error="x")

    assert only(ledger).state == expected


def test_a_source_that_nobody_uses_is_removed(ledger: Ledger, linked: None) -> None:
    """With what hangs on it; one that feeds use is left alone."""
    with ledger.write() as session:
        session.add(Source(id=2, user_id=1, name="roof", provider="bemserver"))
        session.flush()
        errands.ask(session, ErrandKind.LOOK, user_id=1, source_id=2, now=1.0)
        assert sources_removed.remove(session, 2, 1.0) is True
        assert sources_removed.remove(session, 1, 1.0) is None
    with ledger.read() as session:
        assert session.get(Source, 2) is None
        assert session.get_one(Source, 1).name == "plant"
        assert sources_removed.feeds_of(session, 1)[0] == ("alice/energy", "active")


def test_a_source_that_stopped_feeds_remember_loses_its_secrets(
    ledger: Ledger, linked: None
) -> None:
    """Its row stays, with nothing in it that could be used."""
    with ledger.write() as session:
        source = session.get_one(Source, 1)
        source.credentials_cipher = source.session_cipher = "cipher"
        for feed in session.exec(select(Feed)):
            feed.state = FeedState.STOPPED
        session.flush()
        assert sources_removed.remove(session, 1, 1.0) is False
    with ledger.read() as session:
        left = session.get_one(Source, 1)
        assert (left.credentials_cipher, left.session_cipher) == (None, None)
        assert (left.state, left.token_version) == ("reauthorize", 1)
