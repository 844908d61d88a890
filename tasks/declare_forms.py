"""Storing what forms of pages declare, as `waggle apply` stores what a file does."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlmodel import Session, col, select

from db import feeds, sources
from db.models import Feed, Source, User
from db.vault import Vault, VaultError
from tasks import declare, declare_people, forms
from tasks.declare_sources import Addresses
from tasks.providers import Provider

TAKEN = "is the name of another source of yours: choose another one"


@dataclass(frozen=True, slots=True)
class Saved:
    """A source that was stored: what changed, and whether its owner has to link it in a browser."""

    source_id: int
    details: tuple[str, ...]
    new: bool
    by_browser: bool


def save(
    session: Session,
    vault: Vault,
    provider: Provider,
    given: Mapping[str, str],
    *,
    owner: User,
    name: str,
    row: Source | None,
    addresses: Addresses,
    by_operator: bool,
    now: float,
) -> Saved | dict[str, str]:
    """Store a new source (`row` None) or change one; or say what is wrong, by field.

    `addresses`: what whoever typed it may give. Unless that was an operator, only public ones are
    called for this source from then on.
    """
    name = name.strip().lower()
    try:
        secrets = {} if row is None else sources.credentials(row, vault)
    except VaultError:  # their key is gone: they have to be entered again
        secrets = {}
    declared, mistakes = forms.source(
        provider,
        given,
        name=name,
        username=owner.username.lower(),
        addresses=addresses,
        now=now,
        before=None if row is None else row.settings,
        secrets=secrets,
    )
    if row is None and "name" not in mistakes and _is_taken(session, owner, name):
        mistakes["name"] = TAKEN
    if declared is None or mistakes:
        return mistakes
    public_only = not by_operator
    if row is not None and row.public_only and not _moved(row, declared.settings):
        public_only = True  # whoever changes a key has not looked at the address
    feeds.lock(session, col(Feed.source_id) == (0 if row is None else row.id))
    stored, fresh, new = declare_people.source(
        session, vault, replace(declared, public_only=public_only), owner=owner, now=now
    )
    if fresh.credentials or fresh.account:
        declare.wake(session, stored, now)
    flow = provider.code_flow
    settings = provider.settings.model_validate({**declared.settings, **declared.credentials})
    return Saved(stored.id or 0, fresh.details, new, flow is not None and flow.offered(settings))


def _is_taken(session: Session, owner: User, name: str) -> bool:
    found = select(Source.id).where(col(Source.user_id) == owner.id, col(Source.name) == name)
    return session.exec(found).first() is not None


def _moved(row: Source, settings: Mapping[str, object]) -> bool:
    return dict(row.settings) != dict(settings)
