"""Users and goals: their facts as Beeminder told them last, and their tokens."""

import functools
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Float, bindparam, or_, select, update
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from db import feeds, inbox, notices, opening, outbox, searching
from db.models import Cover, Feed, Goal, User
from db.once import Once
from db.states import FeedState, UserState
from db.vault import Vault

HOOK_BYTES = 24
NOT_TRUE_SECONDS = 60.0


def user_named(session: Session, username: str) -> User | None:
    """The person with this Beeminder username, in any case of letters."""
    return session.exec(
        select_rows(User).where(
            col(User.username).ilike(searching.literal(username), escape=searching.ESCAPE)
        )
    ).first()


def user_declared(session: Session, name: str) -> User | None:
    """The person whom a file called so when it was applied last, whatever their name is now."""
    return session.exec(
        select_rows(User).where(col(User.declared_username) == name).order_by(col(User.id).desc())
    ).first()


# These are named once: to make a statement costs more than to ask with it.
_WITH_ID = Once(
    select(col(User.id), col(User.username)).where(col(User.beeminder_id) == bindparam("of_person"))
)


def user_with_id(session: Session, beeminder_id: str) -> tuple[int, str] | None:
    """Our id, and the name, of the person with this id at Beeminder."""
    row = _WITH_ID.ask(session, {"of_person": beeminder_id}).one_or_none()
    return None if row is None else (row.id, row.username)


def user_with_token(session: Session, hashes: Sequence[str]) -> User | None:
    """The person whose *current* token has one of these keyed hashes."""
    return session.exec(select_rows(User).where(col(User.token_hash).in_(hashes))).first()


def user_with_hook(session: Session, hashes: Sequence[str]) -> int | None:
    """Whose reminder hook has one of these keyed hashes."""
    found = session.connection().execute(
        select(col(User.id)).where(
            col(User.hook_hash).in_(hashes), col(User.state) != UserState.DEAUTHORIZED
        )
    )
    return found.scalars().first()


def renew_hook(user: User, vault: Vault) -> None:
    """A new reminder hook; the address that it was in before is unknown from now on."""
    secret = secrets.token_urlsafe(HOOK_BYTES)
    user.hook_cipher, user.hook_hash = vault.encrypt(secret), vault.fingerprint(secret)


def set_token(user: User, vault: Vault, *, token: str, kind: str) -> None:
    """Store a token: a new login at Beeminder ends the one before, so it is always overwritten."""
    user.token_cipher, user.token_hash = vault.encrypt(token), vault.fingerprint(token)
    user.token_kind, user.state = kind, UserState.ACTIVE
    user.token_version += 1


def store_user_facts(session: Session, user_id: int, facts: Mapping[str, Any]) -> None:
    """Write what `users/me.json` said: the columns named in `facts`, and no others.

    What somebody else read later stays.
    """
    _store_facts(session, User, user_id, facts)


def store_goal_facts(session: Session, goal_id: int, facts: Mapping[str, Any]) -> None:
    """Write what the goal's page said: the columns named in `facts`, and no others.

    What somebody else read later stays. With `facts_at` None nothing of it is believed any more.
    """
    _store_facts(session, Goal, goal_id, facts)


def _store_facts(
    session: Session, table: type[User | Goal], row_id: int, facts: Mapping[str, Any]
) -> None:
    values = {"of_row": row_id, **{_bound(name): value for name, value in facts.items()}}
    read_at = facts["facts_at"]
    if read_at is not None:
        values |= {"read_at": read_at, "not_true_after": read_at + NOT_TRUE_SECONDS}
    storing = _storing(table, tuple(facts), dated=read_at is not None)
    storing.ask(session, values)


@functools.cache
def _storing(table: type[User | Goal], names: tuple[str, ...], *, dated: bool) -> Once:
    """Write these columns; `dated`: unless somebody else has read them later."""
    stored = col(table.facts_at)
    storing = update(table).where(col(table.id) == bindparam("of_row"))
    if dated:
        storing = storing.where(
            or_(
                stored.is_(None),
                stored <= bindparam("read_at", type_=Float),
                # Far in the future nobody can have read anything: a clock was wrong then.
                stored > bindparam("not_true_after", type_=Float),
            )
        )
    return Once(storing.values({name: bindparam(_bound(name)) for name in names}))


def _bound(name: str) -> str:
    return f"new_{name}"  # the names of columns are taken


def confirm_goals(session: Session, user_id: int, *, read_since: float, now: float) -> None:
    """Nothing of this person has changed: what was read of their goals since then is true now."""
    _CONFIRMING.ask(session, {"of_user": user_id, "read_since": read_since, "now": now})


_CONFIRMING = Once(
    update(Goal)
    .where(
        col(Goal.user_id) == bindparam("of_user"),
        col(Goal.facts_at).between(bindparam("read_since"), bindparam("now")),
    )
    .values(facts_at=bindparam("now"))
)


def rename_user(session: Session, user_id: int, username: str) -> None:
    """Follow a new name at Beeminder: whoever has it here by an older look makes room.

    They are found again by their id when their own facts are read.
    """
    namesake = user_named(session, username)
    if namesake is not None and namesake.id != user_id:
        namesake.username = f"~{namesake.id}"
        session.add(namesake)
        session.flush()
    session.connection().execute(
        update(User).where(col(User.id) == user_id).values(username=username)
    )


def rename_goals(session: Session, user_id: int, slugs: Mapping[str, str]) -> list[str]:
    """Follow renames: `slugs` maps Beeminder's goal ids to current slugs; returns the new slugs."""
    goals = session.exec(select_rows(Goal).where(col(Goal.user_id) == user_id)).all()
    renamed = [goal for goal in goals if slugs.get(goal.beeminder_id or "", goal.slug) != goal.slug]
    # Goals may have swapped their slugs: whoever is in the way makes room, and is found again by
    # its id when its own facts are read.
    taken = {slugs[goal.beeminder_id or ""] for goal in renamed}
    for goal in goals:
        if goal in renamed or goal.slug in taken:
            goal.slug = f"~{goal.id}"
            session.add(goal)
    session.flush()
    for goal in renamed:
        goal.slug = slugs[goal.beeminder_id or ""]
        session.add(goal)
    session.flush()
    return [goal.slug for goal in renamed]


def deauthorize(session: Session, user_id: int, *, token_version: int, now: float) -> int | None:
    """Destroy a dead token, stop the person's feeds, withdraw what was to be pushed.

    Callbacks that wait for these feeds end: nobody is going to sync them.
    Returns how many datapoints were withdrawn, or None when the token is not that one any more.
    """
    changed = session.connection().execute(
        update(User)
        .where(col(User.id) == user_id, col(User.token_version) == token_version)
        .values(token_cipher=None, token_hash=None, state=UserState.DEAUTHORIZED.value)
    )
    if changed.rowcount != 1:
        return None
    theirs = select(col(Goal.id)).where(col(Goal.user_id) == user_id)
    feeds.lock(session, col(Feed.goal_id).in_(theirs))
    stopped = (
        session.connection()
        .execute(
            update(Feed)
            .where(col(Feed.goal_id).in_(theirs))
            .values(state=FeedState.STOPPED.value, reason="deauthorized", epoch=col(Feed.epoch) + 1)
            .returning(col(Feed.id))
            .execution_options(synchronize_session=False)
        )
        .scalars()
    )
    feed_ids = [feed_id for feed_id in stopped if feed_id is not None]
    waiting = session.connection().execute(
        select(col(Cover.event_id)).where(
            col(Cover.feed_id).in_(feed_ids), col(Cover.done).is_(False)
        )
    )
    error = opening.no_such_feed("the person has taken our access away")
    inbox.finish(session, set(waiting.scalars()), now, error=error)
    notices.clear_all(session, subjects=[f"feed:{feed_id}" for feed_id in feed_ids], now=now)
    return outbox.withdraw(session, feed_ids)


def token_works(session: Session, user_id: int, *, token_version: int) -> None:
    """Beeminder accepts this token after all: what it was refused for is over."""
    session.connection().execute(
        update(User)
        .where(
            col(User.id) == user_id,
            col(User.token_version) == token_version,
            col(User.state) == UserState.REAUTHORIZE,
        )
        .values(state=UserState.ACTIVE.value)
    )


def needs_reauthorization(session: Session, user_id: int, *, token_version: int) -> bool:
    """Beeminder refuses this token: the person has to connect again.

    False if it was replaced, or destroyed because the person took it away.
    """
    changed = session.connection().execute(
        update(User)
        .where(
            col(User.id) == user_id,
            col(User.token_version) == token_version,
            col(User.state) != UserState.DEAUTHORIZED,
        )
        .values(state=UserState.REAUTHORIZE.value)
    )
    return changed.rowcount == 1
