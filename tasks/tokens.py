"""Session tokens of sources: one login or refresh for all threads, processes and machines.

Threads of one process take turns at a lock; processes take turns at the refresh lease in the
ledger. Whoever gets the turn reads again first: somebody may just have finished. The lease outlasts
the deadline of a login, and the write is a compare-and-swap on the token's version.
"""

import contextlib
import copy
from collections.abc import Iterator

import structlog

from clients.errors import AuthFailed, Unavailable
from db import sources
from db.sources import SessionTokens
from db.states import SourceState
from db.vault import VaultError
from tasks.providers import Authenticate, Grant
from tasks.runtime import LoginTurn, Runtime

log = structlog.get_logger(__name__)

MARGIN_SECONDS = 30.0  # a token that ends sooner is not used for a new request
EARLY_SECONDS = 180.0  # beat renews at 80 % of a quarter of an hour
IN_USE_SECONDS = 1800.0
POLL_SECONDS = 0.05
PATIENCE_SECONDS = 15.0


class SourceTokens:
    """The tokens of one source; see `tasks.providers.Tokens`."""

    def __init__(self, rt: Runtime, source_id: int, authenticate: Authenticate) -> None:
        self._rt = rt
        self._source_id = source_id
        self._authenticate = authenticate

    def access(self) -> str:
        """A token that lives for at least `MARGIN_SECONDS`."""
        found = self._stored()
        if found is not None and self._lives(found, MARGIN_SECONDS):
            return found.access
        return self._another(None if found is None else found.version)

    def renew(self, rejected: str) -> str:
        """Another token than the one the vendor has just rejected."""
        found = self._stored()
        if found is not None and found.access != rejected:
            return found.access  # somebody has renewed it in the meantime
        return self._another(None if found is None else found.version)

    def refresh_early(self) -> bool:
        """Renew before it ends, so that no request has to wait; False if that was not needed."""
        found = self._stored()
        if found is None or self._lives(found, EARLY_SECONDS):
            return False
        self._another(found.version)
        return True

    def _stored(self) -> SessionTokens | None:
        with self._rt.ledger.read() as session:
            try:
                return sources.tokens(session, self._source_id, self._rt.vault)
            except VaultError:
                return None  # written under a key that is gone: a new login replaces it

    def _lives(self, found: SessionTokens, margin: float) -> bool:
        return found.expires_at is None or found.expires_at > self._rt.clock.now() + margin

    def _another(self, seen_version: int | None) -> str:
        """A newer token than `seen_version`, made here or by whoever holds the lease.

        Who waited for a turn that was refused is refused as well: the same password again would
        only lock the account.
        """
        with self._rt.lock:
            turn = self._rt.logins.setdefault(self._source_id, LoginTurn())
        came_after = turn.ended
        with turn.lock:
            if turn.refused is not None and turn.ended != came_after:
                raise copy.copy(turn.refused)
            turn.refused = None
            try:
                return self._agreed(seen_version)
            except AuthFailed as error:
                turn.refused = error
                raise
            finally:
                turn.ended += 1

    def _agreed(self, seen_version: int | None) -> str:
        """The same, by agreement with other processes."""
        rt = self._rt
        give_up_at = rt.clock.now() + PATIENCE_SECONDS
        while True:
            with self._lease() as won:
                found = self._stored()  # read under the lease: somebody may have just finished
                if found is not None and found.version != seen_version:
                    return found.access
                if won:
                    return self._make(found)
            if rt.clock.now() >= give_up_at:
                message = "another worker is still logging in to this source"
                raise Unavailable(message, reason="refresh_busy")
            rt.clock.sleep(POLL_SECONDS)

    @contextlib.contextmanager
    def _lease(self) -> Iterator[bool]:
        rt, now = self._rt, self._rt.clock.now()
        with rt.ledger.write() as session:
            won = sources.claim_refresh(session, self._source_id, owner=rt.owner, now=now)
        try:
            yield won
        finally:
            if won:
                with rt.ledger.write() as session:
                    sources.release_refresh(session, self._source_id, owner=rt.owner)

    def _make(self, before: SessionTokens | None) -> str:
        """Refresh, or log in where there is nothing to refresh; runs under the lease."""
        rt = self._rt
        try:
            grant = self._grant(before)
        except AuthFailed as error:
            with rt.ledger.write() as session:
                sources.mark(
                    session, self._source_id, state=SourceState.REAUTHORIZE, error=str(error)
                )
            raise
        with rt.ledger.write() as session:
            version = sources.version(session, self._source_id)
            new = SessionTokens(grant.access, grant.refresh, grant.expires_at, version)
            sources.store_tokens(session, self._source_id, rt.vault, new=new, owner=rt.owner)
        log.info("source.token_renewed", source=self._source_id, version=version + 1)
        return grant.access

    def _grant(self, before: SessionTokens | None) -> Grant:
        if before is not None and before.refresh is not None:
            try:
                return self._authenticate(before.refresh)
            except AuthFailed:
                # The refresh token has ended as well: the password is what is left.
                log.info("source.refresh_refused", source=self._source_id)
                self._hold_on()
        return self._authenticate(None)

    def _hold_on(self) -> None:
        """A second request needs a second lease."""
        rt = self._rt
        with rt.ledger.write() as session:
            ours = sources.extend_refresh(
                session, self._source_id, owner=rt.owner, now=rt.clock.now()
            )
        if not ours:
            message = "another worker has taken the login to this source over"
            raise Unavailable(message, reason="refresh_busy")
