"""How a source is asked: its provider, its settings with their secrets, its connection and gate.

What is stored may not fit this version: then the error names the setting, and no secret.
"""

from collections.abc import Callable
from typing import Any

import httpx
from pydantic import SecretStr, ValidationError

from clients.errors import Permanent
from clients.gate import Gate
from db import sources
from db.models import Feed, Source
from db.vault import VaultError
from tasks import tokens
from tasks.gates import LedgerGate
from tasks.notebook import LedgerNotebook
from tasks.providers import (
    Authenticate,
    Connection,
    Link,
    Metric,
    MetricParams,
    Provider,
    SourceSettings,
    Tokens,
)
from tasks.runtime import Runtime, UnreadableSecretError
from tasks.tokens import SourceTokens

CORRECT = "correct it in the file and `waggle apply` it"


class BadSettingsError(Permanent):
    """What is stored of a source or a feed does not fit this version."""

    default_reason = "bad_settings"


def provider_of(rt: Runtime, source: Source) -> Provider:
    """The provider that a source names."""
    found = rt.providers.get(source.provider)
    if found is None:
        message = (
            f"no provider {source.provider!r} is installed: install the package that brings it, or "
            "choose another one in the file"
        )
        raise BadSettingsError(message)
    return found


def metric_of(provider: Provider, feed: Feed) -> tuple[Metric, MetricParams]:
    """The metric that a feed names, and its parameters."""
    metric = provider.metrics.get(feed.metric)
    if metric is None:
        message = (
            f"{provider.title} has no metric {feed.metric!r}; `waggle metrics` lists what it has"
        )
        raise BadSettingsError(message)
    try:
        return metric, metric.params.model_validate(feed.params)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        message = f"parameter {where or '(all)'} of {feed.metric}: {first['msg']}; {CORRECT}"
        raise BadSettingsError(message) from None


def settings_of(rt: Runtime, provider: Provider, source: Source) -> SourceSettings:
    """The settings of a source, with its secrets."""
    try:
        secrets = sources.credentials(source, rt.vault)
    except VaultError as error:
        raise UnreadableSecretError(str(error)) from None
    stored: dict[str, Any] = {**source.settings, **secrets}
    try:
        return provider.settings.model_validate(stored)
    except ValidationError as error:
        # The input is left out of the text: it may be a secret.
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        message = f"setting {where or '(all)'} of source {source.name}: {first['msg']}; {CORRECT}"
        raise BadSettingsError(message) from None


def connect(rt: Runtime, source: Source) -> Connection:
    """The reader of a source, made once per process and again when its credentials change."""
    key = _known_by(source)
    with rt.lock:
        known = rt.connections.get(key)
    if known is not None:
        return known
    provider = provider_of(rt, source)
    settings = settings_of(rt, provider, source)
    remedy = login_remedy(provider, settings, source)
    link = link_to(
        rt,
        source,
        settings,
        lend=lambda authenticate: SourceTokens(
            rt, source.id or 0, authenticate, provider=source.provider, remedy=remedy
        ),
    )
    try:
        made = provider.connect(link)
    except ValueError:  # the text is left out: it may quote a secret
        message = (
            f"source {source.name} can't be connected as it is set, its url perhaps; {CORRECT}"
        )
        raise BadSettingsError(message) from None
    counted_by = settings.quotas()[0].key(source.provider)
    if source.quota_key != counted_by:
        with rt.ledger.write() as session:
            sources.counted_by(session, source.id or 0, counted_by)
    with rt.lock:
        for other in [other for other in rt.connections if other[0] == key[0]]:
            del rt.connections[other]  # its credentials are the old ones
        rt.connections[key] = made
    return made


def account_of(rt: Runtime, source: Source) -> str:
    """Whose data a source's are. Its secrets, which may say it, are opened once per process."""
    key = _known_by(source)
    with rt.lock:
        known = rt.accounts.get(key)
    if known is None:
        known = settings_of(rt, provider_of(rt, source), source).account()
        with rt.lock:
            for other in [other for other in rt.accounts if other[0] == key[0]]:
                del rt.accounts[other]
            rt.accounts[key] = known
    return known


def _known_by(source: Source) -> tuple[int, str]:
    """What a source is remembered by: another one when its credentials or settings change."""
    made_of = (
        source.provider,
        source.credentials_cipher,
        source.public_only,
        sorted(source.settings.items()),
    )
    return source.id or 0, f"{made_of}"


def login_remedy(provider: Provider, settings: SourceSettings, source: Source) -> str:
    """What a person does whose login at this source is refused."""
    if provider.code_flow is None or not provider.code_flow.offered(settings):
        return tokens.REMEDY
    where = linked_at(provider, source)
    return f"sign in to the pages (`waggle login`) and open {where} there to link it"


def linked_at(provider: Provider, source: Source) -> str:
    """The path where the owner links a source by the code flow."""
    return f"/{provider.name}/connect/{source.name}"


def link_to(
    rt: Runtime,
    source: Source,
    settings: SourceSettings,
    *,
    lend: Callable[[Authenticate], Tokens],
) -> Link:
    """What the provider of a source gets to connect with."""
    return Link(
        settings=settings,
        http=http_of(rt, source),
        gate=gate_of(rt, source, settings),
        tokens=lend,
        now=rt.clock.now,
        notebook=LedgerNotebook(
            rt.ledger,
            rt.clock,
            source_id=source.id or 0,
            account=settings.account(),
            made_of=_known_by(source)[1],
        ),
    )


def http_of(rt: Runtime, source: Source) -> httpx.Client:
    """The client for what a source's settings name, which a stranger may have typed."""
    usual = rt.sources_http or rt.http
    return (rt.public_http or usual) if source.public_only else usual


def gate_of(rt: Runtime, source: Source, settings: SourceSettings) -> Gate:
    """The gate that every request to this source goes through."""
    return LedgerGate(
        rt,
        source.provider,
        settings.quotas(),
        where=f"source {source.name}",
        secrets=tuple(
            value.get_secret_value() for _, value in settings if isinstance(value, SecretStr)
        ),
    )
