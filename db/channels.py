"""Channels: where people want to be told. Their addresses are secrets, and only ever used."""

from collections.abc import Sequence

from sqlalchemy import delete, update
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from db.models_pages import Channel
from db.states import ChannelState
from db.vault import Vault

MOST = 8  # channels of one person


def of_person(session: Session, user_id: int) -> Sequence[Channel]:
    """Theirs, in the order in which they were added."""
    return session.exec(
        select_rows(Channel).where(col(Channel.user_id) == user_id).order_by(col(Channel.id))
    ).all()


def find(session: Session, channel_id: int, *, user_id: int) -> Channel | None:
    """One of this person's channels."""
    found = session.get(Channel, channel_id)
    return found if found is not None and found.user_id == user_id else None


def add(
    session: Session, vault: Vault, *, user_id: int, name: str, url: str, now: float
) -> Channel | None:
    """Add an address of a service of this name; None where the person has it already."""
    there = {channel.url_hash for channel in of_person(session, user_id)}
    if there & set(vault.fingerprints(url)):
        return None
    made = Channel(
        user_id=user_id,
        name=name,
        url_cipher=vault.encrypt(url),
        url_hash=vault.fingerprint(url),
        created_at=now,
    )
    session.add(made)
    session.flush()
    return made


def remove(session: Session, channel_id: int) -> None:
    """With all that was to be told there."""
    session.connection().execute(delete(Channel).where(col(Channel.id) == channel_id))


def told(session: Session, channel_id: int, now: float) -> None:
    """Something arrived there."""
    session.connection().execute(
        update(Channel)
        .where(col(Channel.id) == channel_id)
        .values(state=ChannelState.ACTIVE.value, last_error=None, told_at=now)
    )


def in_trouble(session: Session, channel_id: int, error: str, *, given_up: bool) -> None:
    """Something did not arrive there; `given_up`: and will not."""
    state = {"state": ChannelState.FAILING.value} if given_up else {}
    session.connection().execute(
        update(Channel).where(col(Channel.id) == channel_id).values(last_error=error, **state)
    )
