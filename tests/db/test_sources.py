"""Sources: one refresh at a time, and tokens that are not written over newer ones."""

from sqlmodel import select

from db import sources
from db.engine import Ledger
from db.models import Source
from db.sources import SessionTokens
from db.states import SourceState
from db.vault import Vault
from tests.db.test_feeds import NOW, fill
from tests.tasks.scenes import at_once
from tests.world import KEY

VAULT = Vault([KEY])


def only(ledger: Ledger) -> Source:
    """The only source."""
    with ledger.read() as session:
        return session.exec(select(Source)).one()


def store(ledger: Ledger, version: int, access: str = "a") -> bool:
    """Write tokens over this version."""
    new = SessionTokens(access, "r", NOW + 900, version)
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


def test_only_sources_in_use_are_refreshed_early(ledger: Ledger) -> None:
    """Ending soon, used lately, and not refused: all three."""
    fill(ledger)
    source_id = only(ledger).id or 0
    store(ledger, 0)

    def expiring(before: float, used_after: float) -> list[int]:
        with ledger.read() as session:
            return sources.expiring(session, before=before, used_after=used_after)

    assert expiring(NOW + 1000, NOW - 60) == []
    with ledger.write() as session:
        sources.used(session, source_id, NOW)
    assert expiring(NOW + 1000, NOW - 60) == [source_id]
    assert expiring(NOW + 100, NOW - 60) == []
    with ledger.write() as session:
        sources.mark(session, source_id, state=SourceState.REAUTHORIZE, error="x")
    assert expiring(NOW + 1000, NOW - 60) == []
