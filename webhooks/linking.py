"""Storing what a person's consent at Beeminder gave us, and waking what had stopped without it."""

from dataclasses import dataclass

from sqlmodel import Session, col
from sqlmodel import select as select_rows

from db import pauses, people
from db.models import User
from db.vault import Vault
from webhooks.services import Identity


@dataclass(frozen=True, slots=True)
class Linked:
    """The person, and how many feeds are due again."""

    user: User
    woken: int


def link(session: Session, vault: Vault, *, identity: Identity, token: str, now: float) -> Linked:
    """Make or find the person, store the token, and wake the feeds that the old one had stopped.

    People are known by Beeminder's id, because names change hands. A row without an id was
    declared by name; the token proves that the name is this person's.
    """
    user = session.exec(
        select_rows(User).where(col(User.beeminder_id) == identity.beeminder_id).with_for_update()
    ).first()
    namesake = people.user_named(session, identity.username)
    if user is None and namesake is not None and namesake.beeminder_id is None:
        user, namesake = namesake, None
    if namesake is not None and (user is None or namesake.id != user.id):
        namesake.username = f"~{namesake.id}"  # until its own facts are read again
        session.add(namesake)
        session.flush()
    if user is None:
        user = User(username=identity.username, created_at=now)
    user.beeminder_id, user.username = identity.beeminder_id, identity.username
    user.timezone, user.facts_at = identity.timezone or user.timezone, now
    people.set_token(user, vault, token=token, kind="oauth")
    session.add(user)
    session.flush()
    return Linked(user, pauses.wake_after_token(session, user.id or 0, now))
