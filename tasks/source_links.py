"""Linking a source in the browser: OAuth's code flow, for each provider that offers it."""

import structlog

from clients.errors import Permanent
from db import pauses, sources
from db.models import Source
from db.sources import SessionTokens
from db.states import Lane
from tasks import connecting, gates
from tasks.providers import Authenticate, CodeFlow, SourceSettings, Tokens
from tasks.runtime import Runtime

log = structlog.get_logger(__name__)

TRIES = 3  # somebody else may renew the same tokens meanwhile


class NotLinkableError(Permanent):
    """A source that is not linked in the browser."""

    default_reason = "not_linkable"


def address(rt: Runtime, source_id: int, *, redirect_uri: str, state: str) -> str:
    """Where the owner of a source is sent to let us read it.

    Raises `NotLinkableError`, and what `connecting.settings_of` raises.
    """
    source = _source(rt, source_id)
    flow, settings = _flow(rt, source)
    return flow.address(settings, redirect_uri=redirect_uri, state=state)


def finish(rt: Runtime, source_id: int, *, code: str, redirect_uri: str) -> int:
    """Take what the code is good for; the number of feeds that go on because of it.

    Raises the tree of `clients.errors`, and `gates.DeferredError`; then nothing is changed.
    """
    source = _source(rt, source_id)
    flow, settings = _flow(rt, source)
    link = connecting.link_to(rt, source, settings, lend=_no_tokens)
    asked_at = rt.clock.now()
    with gates.errand(Lane.URGENT):
        grant = flow.exchange(link, code=code, redirect_uri=redirect_uri)
    for _ in range(TRIES):
        now = rt.clock.now()
        with rt.ledger.write() as session:
            new = SessionTokens(
                grant.access,
                grant.refresh,
                grant.expires_at,
                sources.version(session, source_id),
                asked_at,
            )
            stored = sources.store_tokens(session, source_id, rt.vault, new=new, owner=rt.owner)
            woken = pauses.wake_after_login(session, source_id, now) if stored else 0
        if stored:
            log.info("source.linked", source=source_id, woken=woken)
            return woken
    message = f"the tokens of source {source.name} were changed at the same time; link it again"
    raise NotLinkableError(message)


def _no_tokens(_authenticate: Authenticate) -> Tokens:
    message = "a code is exchanged without a token"
    raise NotLinkableError(message)


def _flow(rt: Runtime, source: Source) -> tuple[CodeFlow, SourceSettings]:
    provider = connecting.provider_of(rt, source)
    settings = connecting.settings_of(rt, provider, source)
    if provider.code_flow is None or not provider.code_flow.offered(settings):
        message = (
            f"source {source.name} is not linked in the browser: its file names a key or login"
        )
        raise NotLinkableError(message)
    return provider.code_flow, settings


def _source(rt: Runtime, source_id: int) -> Source:
    with rt.ledger.read() as session:
        return session.get_one(Source, source_id)
