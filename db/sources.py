"""Sources: their credentials, their session tokens, and the lease under which one refreshes them.

Many workers may find the same token expired at once. One wins the refresh lease by a conditional
UPDATE, reads again inside it (somebody may just have finished), and writes with compare-and-swap
on `token_version`; the others wait for the version to change. No lock is held over HTTP.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Float, Select, bindparam, exists, func, or_, select, update
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from db import breakers, tries
from db.models import Feed, Source
from db.states import FeedState, SourceState
from db.vault import Vault

# Longer than the deadline of one login, and short enough that a callback outlives the one of a
# worker that was killed.
REFRESH_LEASE_SECONDS = 10.0

RENEWED_AT = 0.8  # of a token's life
IN_USE_SECONDS = 1800.0
RENEWAL = "renewal"  # the kind of notice that tells that renewing was given up
EARLY_SECONDS = 180.0  # tokens that were stored without `renew_at` are renewed so long before


@dataclass(frozen=True, slots=True)
class SessionTokens:
    """What a login gave us; instants in UTC seconds, `expires_at` None when the vendor names none.

    `issued_at` is when they were asked for, None where nobody wrote that down.
    """

    access: str
    refresh: str | None
    expires_at: float | None
    version: int
    issued_at: float | None = None

    @property
    def life(self) -> float | None:
        """For how many seconds they are good, None where that is not known."""
        if self.expires_at is None or self.issued_at is None:
            return None
        return self.expires_at - self.issued_at

    @property
    def renew_at(self) -> float | None:
        """When to renew them before they end: at 80 % of their life."""
        return None if self.life is None else (self.issued_at or 0.0) + RENEWED_AT * self.life

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
                col(Source.session_cipher),
                col(Source.access_expires_at),
                col(Source.token_version),
                col(Source.access_issued_at),
            ).where(col(Source.id) == source_id)
        )
        .one()
    )
    if row.session_cipher is None:
        return None
    stored = json.loads(vault.decrypt(row.session_cipher))
    return SessionTokens(
        stored["access"],
        stored.get("refresh"),
        row.access_expires_at,
        row.token_version,
        row.access_issued_at,
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
            access_issued_at=new.issued_at,
            access_expires_at=new.expires_at,
            renew_at=new.renew_at,
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
    """Say how a source stands, and why.

    One whose credentials were refused does not become one that fails: that it is out of reach now
    does not make them good. Only an answer does.
    """
    marked = update(Source).where(col(Source.id) == source_id)
    if state == SourceState.FAILING:
        marked = marked.where(col(Source.state) != SourceState.REAUTHORIZE)
    session.connection().execute(marked.values(state=state.value, last_error=error))


def mark_as_read(session: Session, read: Source, *, state: SourceState, error: str) -> None:
    """`mark`, about what was met with this row; nothing if it was declared anew since."""
    current = session.get_one(Source, read.id, with_for_update=True)
    if (current.credentials_cipher, current.settings) == (read.credentials_cipher, read.settings):
        mark(session, read.id or 0, state=state, error=error)


def refused(session: Session, source_id: int, *, version: int, error: str) -> bool:
    """The vendor does not accept the credentials; False if they were changed since `version`."""
    changed = session.connection().execute(
        update(Source)
        .where(col(Source.id) == source_id, col(Source.token_version) == version)
        .values(state=SourceState.REAUTHORIZE.value, last_error=error)
    )
    return changed.rowcount == 1


def used(session: Session, source_id: int, now: float) -> None:
    """Tokens are refreshed ahead of time only for sources that are in use."""
    session.connection().execute(
        update(Source).where(col(Source.id) == source_id).values(used_at=now)
    )


def expiring(session: Session, now: float, *, alone: bool = False) -> list[int]:
    """Sources in use whose session tokens are to be renewed now, the longest due first.

    `alone`: those at whose renewal a worker may have died (`db.tries`), else the others.

    In use is one that was read within half an hour, or within one life of its token if that is
    longer. So a source with callbacks never makes one wait for a login; one that is read every
    hour with tokens of a quarter of an hour is renewed twice, and then left to its next sync. A
    token that has ended is left to that as well, and credentials that were refused to a person. A
    source whose breaker is open is left alone: its probe renews what it needs.
    """
    found = session.connection().execute(_expiring(alone=alone), {"now": now})
    return [found_id for found_id in found.scalars() if found_id is not None]


@cache  # each sweep asks
def _expiring(*, alone: bool) -> Select[Any]:
    now: Any = bindparam("now", type_=Float())
    due_at = func.coalesce(col(Source.renew_at), col(Source.access_expires_at) - EARLY_SECONDS)
    life = col(Source.access_expires_at) - col(Source.access_issued_at)
    return (
        select(col(Source.id))
        .where(
            col(Source.session_cipher).is_not(None),
            due_at <= now,
            col(Source.access_expires_at) > now,
            or_(col(Source.used_at) >= now - IN_USE_SECONDS, col(Source.used_at) >= now - life),
            col(Source.state) != SourceState.REAUTHORIZE,
            tries.open_to(col(Source.renew_tries), alone=alone),
            ~breakers.source_open(),
        )
        .order_by(due_at, col(Source.id))
    )


def renew_later(session: Session, source_id: int, *, version: int, at: float) -> None:
    """Tokens could not be renewed: try again at `at`. Newer ones keep their own time."""
    session.connection().execute(
        update(Source)
        .where(col(Source.id) == source_id, col(Source.token_version) == version)
        .values(renew_at=at)
    )


def begin_renewal(session: Session, source: Source, *, again_at: float) -> bool:
    """Count a try to renew tokens; False when somebody else has begun one, or has renewed them.

    Where it never ends the next one is due at `again_at`.
    """
    changed = session.connection().execute(
        update(Source)
        .where(
            col(Source.id) == source.id,
            col(Source.token_version) == source.token_version,
            col(Source.renew_tries) == source.renew_tries,
            col(Source.renew_at) == source.renew_at,
        )
        .values(renew_tries=col(Source.renew_tries) + 1, renew_at=again_at)
    )
    return changed.rowcount == 1


def end_renewal(session: Session, source_id: int, *, good: bool) -> None:
    """A try that was begun has ended; what is not `good` leaves the count as it was before."""
    counted = col(Source.renew_tries)
    session.connection().execute(
        update(Source)
        .where(col(Source.id) == source_id)
        .values(renew_tries=0 if good else tries.without_the_last(counted))
    )


def give_renewal_up(session: Session, source_id: int) -> None:
    """It killed its worker too often: tokens are left to the syncs that need them."""
    session.connection().execute(
        update(Source).where(col(Source.id) == source_id).values(renew_tries=tries.GIVEN_UP)
    )


def renew_again(session: Session, feed_ids: Collection[int]) -> list[int]:
    """A person has these feeds tried again: what was given up of their sources is too.

    Returns the ids of those sources.
    """
    theirs = select(col(Feed.source_id)).where(col(Feed.id).in_(feed_ids))
    changed = session.connection().execute(
        update(Source)
        .where(col(Source.id).in_(theirs), col(Source.renew_tries) == tries.GIVEN_UP)
        .values(renew_tries=0)
        .returning(col(Source.id))
        .execution_options(synchronize_session=False)
    )
    return [found for found in changed.scalars() if found is not None]


def dated_keys(session: Session) -> list[tuple[Source, bool]]:
    """Sources with a key that ends by itself, and whether a feed of theirs is not stopped."""
    feeding = exists().where(
        col(Feed.source_id) == col(Source.id), col(Feed.state) != FeedState.STOPPED
    )
    found = session.exec(
        select_rows(Source, feeding)
        .where(col(Source.key_ends_at).is_not(None))
        .order_by(col(Source.id))
    )
    return [(source, bool(needed)) for source, needed in found]


def version(session: Session, source_id: int) -> int:
    """The version that a compare-and-swap of tokens has to name."""
    found = session.connection().execute(
        select(col(Source.token_version)).where(col(Source.id) == source_id)
    )
    return found.scalar_one()


def counted_by(session: Session, source_id: int, quota_key: str) -> None:
    """What the vendor counts this source's requests by."""
    session.connection().execute(
        update(Source).where(col(Source.id) == source_id).values(quota_key=quota_key)
    )
