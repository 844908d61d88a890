"""Gates as they are seen by whoever is about to ask: before each request, and so a cheap look."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam, select
from sqlmodel import Session, col

from db.models_limits import Quota
from db.once import Once


class Gate(NamedTuple):
    """A gate as it stood when it was looked at; see `db.models_limits.Quota`."""

    key: str
    next_free_at: float
    tolerance: float
    closed_at: float
    closed_until: float
    proven_at: float
    probe_until: float
    urgent_in_a_row: int
    spread_interval: float
    spread_until: float
    learned_interval: float
    learned_window: float
    learned_at: float
    seen_limit: str | None


# Named once: to make a statement costs more than to ask with it, and each request looks. What it
# does not need, the trail above all, costs more than all the rest.
_LOOK: Select[Any] = select(*(getattr(Quota, name) for name in Gate._fields))
_ONE = Once(_LOOK.where(col(Quota.key) == bindparam("of_key")))
_SOME = _LOOK.where(col(Quota.key).in_(bindparam("of_keys", expanding=True)))


def look(session: Session, key: str) -> Gate | None:
    """The gate as it stands; None for one that nobody has used."""
    row = _ONE.ask(session, {"of_key": key}).one_or_none()
    return None if row is None else Gate._make(row)


def look_at(session: Session, keys: Sequence[str]) -> dict[str, Gate | None]:
    """All these gates as they stand, at one time; None for one that nobody has used."""
    if len(keys) == 1:  # as most are: what differs in length is written anew each time
        return {keys[0]: look(session, keys[0])}
    found: dict[str, Gate | None] = dict.fromkeys(keys)
    if keys:
        rows = session.connection().execute(_SOME, {"of_keys": list(keys)})
        found.update((row.key, Gate._make(row)) for row in rows)
    return found
