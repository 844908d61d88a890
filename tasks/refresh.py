"""Tokens of sources in use are renewed before they end, so that no callback has to wait for it.

At 80 % of its life a token is due. Each try moves that time, whatever comes of it: to the next
token's, or ahead by a share of what is left of this one. So a server that is away is not asked
without end, and a round that was cut short goes on where it stopped.
"""

import structlog

from clients.errors import AuthFailed, ClientError, Transient
from db import sources
from db.models import Source
from db.states import Lane
from tasks import connecting, gates, renewals
from tasks.gates import DeferredError
from tasks.providers import Authenticate
from tasks.runtime import Runtime
from tasks.tokens import SourceTokens

log = structlog.get_logger(__name__)

SLICE_SECONDS = 5.0
AGAIN_SECONDS = 30.0  # the shortest pause after a failure
SHARE_LEFT = 0.1  # of the life that is left: of a long one a failure leaves much


def run(rt: Runtime, *, alone: bool = False) -> int:
    """Renew what is due; returns how many were renewed. Rings again if there is more.

    A failure is put off, and left to whoever needs the token when it has ended. `alone`: one at
    which a worker may have died.
    """
    began = rt.clock.now()
    with rt.ledger.read() as session:
        due = sources.expiring(session, began, alone=alone)[: 1 if alone else None]
    renewed = 0
    for source_id in due:
        if rt.stopping.is_set():
            break
        if rt.clock.now() - began > SLICE_SECONDS:
            rt.ring("refresh_tokens", Lane.DEFAULT.name.lower())
            break
        if renewals.begin(rt, source_id):
            renewed += renewals.end(rt, source_id, good=_isolated(rt, source_id))
    return renewed


def _isolated(rt: Runtime, source_id: int) -> bool:
    """Renew one; what nobody expected of it keeps none of those after it from their turn."""
    try:
        return _renew(rt, source_id)
    except Exception as error:  # noqa: BLE001 -- told; a provider of others may raise anything
        with rt.ledger.read() as session:
            source = session.get_one(Source, source_id)
        _put_off(rt, source, _later(rt, source))
        # Its text may hold what it was given: a password.
        log.error("source.refresh_broken", source=source_id, error=type(error).__name__)  # noqa: TRY400 -- no traceback
        return False


def _renew(rt: Runtime, source_id: int) -> bool:
    with rt.ledger.read() as session:
        source = session.get_one(Source, source_id)
    try:
        tokens = _tokens(rt, source)
        if tokens is None:
            _put_off(rt, source, source.access_expires_at or rt.clock.now())
            return False
        with gates.errand(Lane.DEFAULT):
            tokens.replace(source.token_version)
    except DeferredError as error:
        _put_off(rt, source, error.until)
        log.info("source.refresh_deferred", source=source_id, until=error.until)
        return False
    except ClientError as error:
        again = _again(rt, source, error)
        _put_off(rt, source, again)
        log.warning("source.refresh_failed", source=source_id, reason=error.reason, again=again)
        return False
    return True


def _again(rt: Runtime, source: Source, error: ClientError) -> float:
    """When to try again to renew a token that could not be renewed, in UTC seconds."""
    now = rt.clock.now()
    if isinstance(error, AuthFailed):
        # The same password again would only lock the account.
        return source.access_expires_at or now
    hint = error.retry_after if isinstance(error, Transient) else None
    return max(_later(rt, source), now + (hint or 0.0))


def _later(rt: Runtime, source: Source) -> float:
    """After a share of the life that is left, in UTC seconds."""
    now = rt.clock.now()
    left = (source.access_expires_at or now) - now
    return now + max(AGAIN_SECONDS, SHARE_LEFT * left) * rt.rng.uniform(1.0, 1.5)


def _put_off(rt: Runtime, source: Source, at: float) -> None:
    with rt.ledger.write() as session:
        sources.renew_later(session, source.id or 0, version=source.token_version, at=at)


def _tokens(rt: Runtime, source: Source) -> SourceTokens | None:
    """The tokens that the source's provider asks for when it connects; None if it uses none."""
    made: list[SourceTokens] = []

    def tokens(authenticate: Authenticate) -> SourceTokens:
        # Nobody waits for these: who finds somebody else logging in goes on to the next source.
        new = SourceTokens(rt, source.id or 0, authenticate, provider=source.provider, patience=0.0)
        made.append(new)
        return made[-1]

    provider = connecting.provider_of(rt, source)
    settings = connecting.settings_of(rt, provider, source)
    provider.connect(connecting.link_to(rt, source, settings, lend=tokens))
    return made[0] if made else None
