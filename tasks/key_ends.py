"""Keys that end by themselves: their owner is told a month before, once, and again for a new key.

A vendor whose keys live for a year does not say so in its answers: it refuses one day. When a key
ends is written down when it is declared (`tasks.declare_people`).
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlmodel import Session

from db import notices, sources
from db.models import Source
from tasks.providers import Provider

KIND = "key_ends"
AHEAD_SECONDS = 30 * 86400.0
REMEDY = "make a new one, put it into the file with its `key_made`, then `waggle apply`"


def subject(source_id: int) -> str:
    """What the notice is about."""
    return f"source:{source_id}"


def ending(source: Source, providers: Mapping[str, Provider], now: float) -> str | None:
    """What there is to say of a source's key, None while it lives for a month or for ever."""
    if source.key_ends_at is None or source.key_ends_at - now > AHEAD_SECONDS:
        return None
    known = providers.get(source.provider)
    vendor = source.provider if known is None else known.title
    day = datetime.fromtimestamp(source.key_ends_at, UTC).date()
    verb = "ended" if source.key_ends_at <= now else "ends"
    return (
        f"its key for {vendor} {verb} on {day} at the latest (counted from `key_made` in the file, "
        "else from the day it was first seen)"
    )


def tell(session: Session, providers: Mapping[str, Provider], now: float) -> None:
    """Raise a notice for each key that ends soon and is needed; clear those of all others."""
    for source, needed in sources.dated_keys(session):
        about, said = subject(source.id or 0), ending(source, providers, now)
        if said is None or not needed:
            notices.clear(session, subject=about, kind=KIND, now=now)
            continue
        notices.raise_(
            session,
            user_id=source.user_id,
            subject=about,
            kind=KIND,
            message=f"{said}: {REMEDY}",
            now=now,
        )
