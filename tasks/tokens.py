"""Session tokens of sources: one login or refresh for all threads, processes and machines.

Threads of one process take turns at a lock; processes take turns at the refresh lease in the
ledger. Whoever gets the turn reads again first: somebody may just have finished. The lease outlasts
the deadline of a login, and the write is a compare-and-swap on the token's version. Nobody waits
for somebody else's login for longer than for a short limit: the work goes back to the ledger.
"""

import contextlib
import copy
from collections.abc import Iterator

import structlog

from clients.errors import AuthFailed, ClientError
from db import sources, tallies
from db.sources import SessionTokens
from db.vault import VaultError
from tasks import gates
from tasks.gates import DeferredError
from tasks.providers import Authenticate, Grant
from tasks.runtime import LoginTurn, Runtime

log = structlog.get_logger(__name__)

MARGIN_SECONDS = 30.0  # a token that ends sooner is not used for a new request
MARGIN_SHARE = 0.1
POLL_SECONDS = 0.05
BUSY = "login_busy"
BUSY_AGAIN = 1.0
REMEDY = "correct the credentials in the file, then `waggle apply`"


class SourceTokens:
    """The tokens of one source; see `tasks.providers.Tokens`.

    `provider`: that of the source, for what is counted.
    `patience`: seconds to wait for a login that somebody else makes; after that `DeferredError`.
    `remedy`: what a person does whose login is refused.
    """

    def __init__(
        self,
        rt: Runtime,
        source_id: int,
        authenticate: Authenticate,
        *,
        provider: str = tallies.OTHER,
        patience: float = gates.SLEEP_AT_MOST,
        remedy: str = REMEDY,
    ) -> None:
        self._rt = rt
        self._source_id = source_id
        self._authenticate = authenticate
        self._provider = provider
        self._patience = patience
        self._remedy = remedy

    def access(self) -> str:
        """A token that lives for a while yet."""
        found = self._stored()
        if found is not None and self._lives(found):
            return found.access
        return self._another(None if found is None else found.version)

    def renew(self, rejected: str) -> str:
        """Another token than the one the vendor has just rejected."""
        found = self._stored()
        if found is not None and found.access != rejected:
            return found.access  # somebody has renewed it in the meantime
        return self._another(None if found is None else found.version)

    def replace(self, version: int) -> None:
        """See that the tokens are newer than `version`."""
        self._another(version)

    def _stored(self) -> SessionTokens | None:
        with self._rt.ledger.read() as session:
            try:
                return sources.tokens(session, self._source_id, self._rt.vault)
            except VaultError:
                return None  # written under a key that is gone: a new login replaces it

    def _lives(self, found: SessionTokens) -> bool:
        if found.expires_at is None:
            return True
        margin = MARGIN_SECONDS
        if found.life is not None:  # of a short one half a minute may be all
            margin = min(margin, MARGIN_SHARE * found.life)
        return found.expires_at > self._rt.clock.now() + margin

    def _another(self, seen_version: int | None) -> str:
        """A newer token than `seen_version`, made here or by whoever holds the lease.

        Who waited for a turn that was refused is refused as well: the same password again would
        only lock the account. Not with other credentials, though, that were stored meanwhile.
        """
        rt = self._rt
        give_up_at = rt.clock.now() + self._patience
        with rt.lock:
            turn = rt.logins.setdefault(self._source_id, LoginTurn())
        came_after = turn.ended
        if not turn.lock.acquire(timeout=self._patience):
            raise self._busy()
        try:
            version = self._version()
            waited = turn.ended != came_after
            if turn.refused is not None and waited and turn.version == version:
                raise copy.copy(turn.refused)
            turn.refused, turn.version = None, version
            return self._agreed(seen_version, give_up_at)
        except AuthFailed as error:
            turn.refused = error
            raise
        finally:
            turn.ended += 1
            turn.lock.release()

    def _version(self) -> int:
        with self._rt.ledger.read() as session:
            return sources.version(session, self._source_id)

    def _agreed(self, seen_version: int | None, give_up_at: float) -> str:
        """The same, by agreement with other processes."""
        rt = self._rt
        while True:
            newer = self._newer(seen_version)
            if newer is not None:
                return newer
            with self._lease() as won:
                if won:
                    # Under the lease again: somebody may have just finished.
                    return self._newer(seen_version) or self._make()
            if rt.clock.now() >= give_up_at:
                raise self._busy()
            rt.clock.sleep(POLL_SECONDS)

    def _newer(self, seen_version: int | None) -> str | None:
        found = self._stored()
        return None if found is None or found.version == seen_version else found.access

    def _busy(self) -> DeferredError:
        message = "somebody else is logging in to this source"
        until = self._rt.clock.now() + BUSY_AGAIN
        return DeferredError(until, {"code": BUSY, "message": message})

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

    def _make(self) -> str:
        """Refresh, or log in where there is nothing to refresh; runs under the lease.

        What comes of it is believed only if the credentials are still those that it was made with.
        """
        rt, issued_at = self._rt, self._rt.clock.now()
        version = self._version()
        try:
            grant = self._grant(self._stored())
        except AuthFailed as error:
            told = _with_remedy(error, self._remedy)
            with rt.ledger.write() as session:
                sources.refused(session, self._source_id, version=version, error=str(told))
            self._count("refused")
            raise told from None
        except ClientError:
            self._count("failed")
            raise
        # One that has ended before it was used: our clocks differ. Its refusal will tell.
        ended = grant.expires_at is not None and grant.expires_at <= rt.clock.now()
        expires_at = None if ended else grant.expires_at
        new = SessionTokens(grant.access, grant.refresh, expires_at, version, issued_at)
        with rt.ledger.write() as session:
            kept = sources.store_tokens(session, self._source_id, rt.vault, new=new, owner=rt.owner)
        if not kept:
            log.info("source.login_overtaken", source=self._source_id)
            raise self._busy()
        self._count("renewed")
        log.info("source.token_renewed", source=self._source_id, version=version + 1)
        return grant.access

    def _count(self, outcome: str) -> None:
        self._rt.tally.count("token_refreshes", self._provider, outcome)

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
            raise self._busy()


def _with_remedy(error: AuthFailed, remedy: str) -> AuthFailed:
    return AuthFailed(
        f"{error}; {remedy}",
        reason=error.reason,
        status=error.status,
        request_id=error.request_id,
    )
