"""Sources: their credentials, their session tokens, and the lease under which one refreshes them.

Many workers may find the same token expired at once. One wins the refresh lease by a conditional
UPDATE, reads again inside it (somebody may just have finished), and writes with compare-and-swap
on `token_version`; the others wait for the version to change. No lock is held over HTTP.
"""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update
from sqlmodel import Session, col

from db.models import Source
from db.states import SourceState
from db.vault import Vault

# Longer than the deadline of one login, and short enough that a callback outlives the one of a
# worker that was killed.
REFRESH_LEASE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class SessionTokens:
    """What a login gave us; `expires_at` in UTC seconds, None when the vendor names none."""

    access: str
    refresh: str | None
    expires_at: float | None
    version: int

    def __repr__(self) -> str:
        return f"SessionTokens(version={self.version}, expires_at={self.expires_at})"


def credentials(source: Source, vault: Vault) -> dict[str, Any]:
    """The decrypted credentials of a source: a mapping of setting names to secrets."""
    if source.credentials_cipher is None:
        return {}
    stored: dict[str, Any] = json.loads(vault.decrypt(source.credentials_cipher))
    return stored


def tokens(session: Session, source_id: int, vault: Vault) -> SessionTokens | None:
    """The session tokens as they are stored now."""
    row = (
        session.connection()
        .execute(
            select(
                col(Source.session_cipher), col(Source.access_expires_at), col(Source.token_version)
            ).where(col(Source.id) == source_id)
        )
        .one()
    )
    if row.session_cipher is None:
        return None
    stored = json.loads(vault.decrypt(row.session_cipher))
    return SessionTokens(
        stored["access"], stored.get("refresh"), row.access_expires_at, row.token_version
    )


def claim_refresh(session: Session, source_id: int, *, owner: str, now: float) -> bool:
    """Take the refresh lease; False while somebody else holds it."""
    changed = session.connection().execute(
        update(Source)
        .where(col(Source.id) == source_id, col(Source.refresh_until) <= now)
        .values(refresh_owner=owner, refresh_until=now + REFRESH_LEASE_SECONDS)
    )
    return changed.rowcount == 1


def extend_refresh(session: Session, source_id: int, *, owner: str, now: float) -> bool:
    """A full lease once more, before another request; False when it is somebody else's now."""
    changed = session.connection().execute(
        update(Source)
        .where(col(Source.id) == source_id, col(Source.refresh_owner) == owner)
        .values(refresh_until=now + REFRESH_LEASE_SECONDS)
    )
    return changed.rowcount == 1


def store_tokens(
    session: Session, source_id: int, vault: Vault, *, new: SessionTokens, owner: str
) -> bool:
    """Write fresh tokens over version `new.version`; False when somebody was faster."""
    changed = session.connection().execute(
        update(Source)
        .where(col(Source.id) == source_id, col(Source.token_version) == new.version)
        .values(
            session_cipher=vault.encrypt(
                json.dumps({"access": new.access, "refresh": new.refresh})
            ),
            access_expires_at=new.expires_at,
            token_version=new.version + 1,
            state=SourceState.ACTIVE.value,
            last_error=None,
        )
    )
    release_refresh(session, source_id, owner=owner)
    return changed.rowcount == 1


def release_refresh(session: Session, source_id: int, *, owner: str) -> None:
    """Give the refresh lease back."""
    session.connection().execute(
        update(Source)
        .where(col(Source.id) == source_id, col(Source.refresh_owner) == owner)
        .values(refresh_owner=None, refresh_until=0.0)
    )


def mark(session: Session, source_id: int, *, state: SourceState, error: str | None) -> None:
    """Say how a source stands, and why."""
    session.connection().execute(
        update(Source)
        .where(col(Source.id) == source_id)
        .values(state=state.value, last_error=error)
    )


def used(session: Session, source_id: int, now: float) -> None:
    """Tokens are refreshed ahead of time only for sources that are in use."""
    session.connection().execute(
        update(Source).where(col(Source.id) == source_id).values(used_at=now)
    )


def expiring(session: Session, *, before: float, used_after: float) -> list[int]:
    """Sources in use whose access token ends before `before`."""
    found = session.connection().execute(
        select(col(Source.id)).where(
            col(Source.session_cipher).is_not(None),
            col(Source.access_expires_at) <= before,
            col(Source.used_at) >= used_after,
            col(Source.state) == SourceState.ACTIVE,
        )
    )
    return [found_id for found_id in found.scalars() if found_id is not None]


def version(session: Session, source_id: int) -> int:
    """The version that a compare-and-swap of tokens has to name."""
    found = session.connection().execute(
        select(col(Source.token_version)).where(col(Source.id) == source_id)
    )
    return found.scalar_one()
