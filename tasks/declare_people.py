"""Users and sources of a declaration as rows: found or made, and changed only where they differ.

Secrets are compared by decrypting what is stored. One that can't be read any more (its key is
gone) counts as different: entering it again is the remedy.
"""

import json
from collections.abc import MutableSequence, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import delete
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from db import notices, people
from db import sources as stored_sources
from db.models import Source, User
from db.models_notebook import Validator
from db.states import SourceState
from db.vault import Vault, VaultError
from tasks import key_ends
from tasks.declared import DeclaredSource, DeclaredUser


@dataclass(frozen=True, slots=True)
class Fresh:
    """What is new about a source: another account, or other credentials for it."""

    details: tuple[str, ...] = ()
    account: bool = False
    credentials: bool = False


def find(
    session: Session, declared: Sequence[DeclaredUser], *, problems: MutableSequence[str]
) -> dict[str, User | None]:
    """The person of every name in the file; None for those never seen.

    A name means the person that was declared by it, also after a rename at Beeminder; else the
    one who is called so now. Two names for one person are a problem, and so are two with one token.
    """
    tokens: dict[str, str] = {}
    for user in declared:
        other = user.token and tokens.setdefault(user.token, user.username)
        if other and other != user.username:
            problems.append(f"users.{user.username}.token: is the token of users.{other} as well")
    names = [user.username for user in declared]
    found = {name: people.user_declared(session, name) for name in names}
    taken = {row.id: name for name, row in found.items() if row is not None}
    for name in (name for name in names if found[name] is None):
        row = found[name] = people.user_named(session, name)
        if row is None:
            continue
        if row.id in taken:
            problems.append(
                f"users.{name}: is the person whom the file also calls {taken[row.id]!r}: they "
                "were renamed at Beeminder; use one of the two names"
            )
            continue
        row.declared_username = taken[row.id] = name
        session.add(row)
    return found


def user(
    session: Session, vault: Vault, declared: DeclaredUser, *, row: User | None, now: float
) -> tuple[User, list[str], bool]:
    """(the row, what changed about it, whether it is new); `row` is what `find` found."""
    new = row is None
    if row is None:
        name = declared.username
        row = User(username=name, declared_username=name, created_at=now)
    details: list[str] = []
    if declared.token is not None:
        if _decrypted(vault, row.token_cipher) != declared.token:
            people.set_token(row, vault, token=declared.token, kind=declared.token_kind)
            details.append("token")
        elif row.token_kind != declared.token_kind:
            row.token_kind = declared.token_kind
            details.append("token_kind")
    if _decrypted(vault, row.hook_cipher) is None:
        details.append("reminder")
        people.renew_hook(row, vault)
    if details:
        session.add(row)
        session.flush()
    return row, details, new


def hook(row: User, vault: Vault) -> str:
    """The secret of a person's reminder address."""
    return vault.decrypt(row.hook_cipher or "")


def source(
    session: Session, vault: Vault, declared: DeclaredSource, *, owner: User, now: float
) -> tuple[Source, Fresh, bool]:
    """(the row, what is new about it, whether the row itself is)."""
    row = session.exec(
        select_rows(Source)
        .where(col(Source.user_id) == owner.id, col(Source.name) == declared.name)
        .with_for_update()
    ).first()
    if row is None:
        row = Source(
            user_id=owner.id or 0,
            name=declared.name,
            provider=declared.provider,
            settings=declared.settings,
            credentials_cipher=vault.encrypt(json.dumps(declared.credentials)),
            key_ends_at=_key_ends_at(declared, None, now),
            public_only=declared.public_only,
            created_at=now,
        )
        session.add(row)
        session.flush()
        return row, Fresh(), True
    fresh = _compare(row, declared, vault)
    if row.public_only != declared.public_only:
        row.public_only = declared.public_only
        session.add(row)
    if fresh.details:
        row.provider, row.settings = declared.provider, declared.settings
        if fresh.credentials:
            row.credentials_cipher = vault.encrypt(json.dumps(declared.credentials))
        _log_in_again(session, row)
    return row, _date_key(session, row, declared, fresh, now), False


def _date_key(
    session: Session, row: Source, declared: DeclaredSource, fresh: Fresh, now: float
) -> Fresh:
    """Write down when the key ends, where that is not what stands there; a new one ends later."""
    known = None if fresh.credentials else row.key_ends_at
    ends_at = _key_ends_at(declared, known, now)
    if fresh.credentials or ends_at != row.key_ends_at:
        subject = key_ends.subject(row.id or 0)
        notices.clear(session, subject=subject, kind=key_ends.KIND, now=now)
    if ends_at == row.key_ends_at:
        return fresh
    row.key_ends_at = ends_at
    session.add(row)
    session.flush()
    if declared.key_made is None or fresh.credentials:
        return fresh
    return replace(fresh, details=(*fresh.details, "key_made"))


def _key_ends_at(declared: DeclaredSource, known: float | None, now: float) -> float | None:
    """When the key ends: counted from the day in the file, else from when it was first seen.

    A key may be older than what we know of it, so the second is the latest that it can be.
    """
    if declared.key_seconds is None:
        return None
    if declared.key_made is not None:
        return declared.key_made + declared.key_seconds
    return now + declared.key_seconds if known is None else known


def _compare(row: Source, declared: DeclaredSource, vault: Vault) -> Fresh:
    try:
        before: dict[str, Any] | None = stored_sources.credentials(row, vault)
    except VaultError:
        before = None
    details = ["provider"] if row.provider != declared.provider else []
    details += _different(row.settings, declared.settings)
    credentials = before != declared.credentials
    names = _different(before or {}, declared.credentials) if credentials else []
    return Fresh(
        details=(*details, *(names or (["credentials"] if credentials else []))),
        account=bool(details),
        credentials=credentials,
    )


def _different(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    names = sorted(before.keys() | after.keys())
    return [name for name in names if before.get(name) != after.get(name)]


def _log_in_again(session: Session, row: Source) -> None:
    """Forget what an earlier login gave us; a login that is under way can't store its tokens."""
    row.session_cipher, row.renew_at = None, None
    row.access_issued_at, row.access_expires_at = None, None
    row.token_version += 1
    row.refresh_owner, row.refresh_until = None, 0.0
    row.state, row.last_error = SourceState.ACTIVE, None
    session.add(row)
    session.flush()
    # What was derived from the answers to another account must not be believed. What was counted
    # stays: the records of another account are kept apart from those of this one.
    session.connection().execute(delete(Validator).where(col(Validator.source_id) == row.id))


def _decrypted(vault: Vault, cipher: str | None) -> str | None:
    if cipher is None:
        return None
    try:
        return vault.decrypt(cipher)
    except VaultError:
        return None
