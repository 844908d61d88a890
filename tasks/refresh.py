"""Tokens of sources in use are renewed before they end, so that no callback has to wait for it."""

import structlog

from clients.errors import ClientError
from db import sources
from db.models import Source
from tasks import gates, jobs
from tasks.gates import DeferredError
from tasks.providers import Authenticate, Link
from tasks.runtime import Runtime
from tasks.tokens import EARLY_SECONDS, IN_USE_SECONDS, SourceTokens

log = structlog.get_logger(__name__)


def run(rt: Runtime) -> int:
    """Renew what ends soon; returns how many were renewed. A failure waits for the next round."""
    now = rt.clock.now()
    with rt.ledger.read() as session:
        expiring = sources.expiring(
            session, before=now + EARLY_SECONDS, used_after=now - IN_USE_SECONDS
        )
    renewed = 0
    for source_id in expiring:
        if rt.stopping.is_set():
            break
        with rt.ledger.read() as session:
            source = session.get_one(Source, source_id)
        try:
            tokens = _tokens(rt, source)
            if tokens is not None:
                quota = jobs.quota_of(source)
                where = f"source {source.name}"
                renewed += gates.call(rt, quota, tokens.refresh_early, where=where)
        except DeferredError as error:
            log.info("source.refresh_deferred", source=source_id, until=error.until)
        except ClientError as error:
            log.warning("source.refresh_failed", source=source_id, reason=error.reason)
    return renewed


def _tokens(rt: Runtime, source: Source) -> SourceTokens | None:
    """The tokens that the source's provider asks for when it connects; None if it uses none."""
    made: list[SourceTokens] = []

    def tokens(authenticate: Authenticate) -> SourceTokens:
        made.append(SourceTokens(rt, source.id or 0, authenticate))
        return made[-1]

    provider = jobs.provider_of(rt, source)
    settings = jobs.settings_of(rt, provider, source)
    provider.connect(Link(settings=settings, http=rt.http, tokens=tokens, now=rt.clock.now))
    return made[0] if made else None
