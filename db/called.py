"""Whom and what callbacks speak of: names are looked up in the ledger, for all of them at once."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import Float, Select, String, and_, bindparam, func, or_, select
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from db.models import Event, Goal, User
from db.once import Once
from db.one_or_many import How, OneOrMany, among, few, form
from db.states import UserState

NAMESAKES = 10  # people who may be looked up for one callback
NAME_BELIEVED_SECONDS = 60.0


class Callback(Protocol):
    """What has to be known of an event."""

    id: str
    user_id: int | None
    goal_id: int | None
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Named:
    """Whose callback it is, and of which goal, by our ids; None for what is not known here."""

    user_id: int | None = None
    goal_id: int | None = None


@dataclass(slots=True)
class _People:
    """Some people, by id and by name, and those of their goals that were asked for."""

    ids: set[int] = field(default_factory=set)
    names: dict[str, int] = field(default_factory=dict)
    by_slug: dict[tuple[int, str], int] = field(default_factory=dict)
    by_beeminder_id: dict[tuple[int, str], int] = field(default_factory=dict)


def find(session: Session, callbacks: Sequence[Callback]) -> dict[str, Named]:
    """What each of these speaks of: by our ids, by Beeminder's, or by the names as we know them."""
    goals = _goals(session, {one.goal_id for one in callbacks if one.goal_id is not None})
    found = {
        one.id: Named(goals[one.goal_id], one.goal_id) for one in callbacks if one.goal_id in goals
    }
    rest = [one for one in callbacks if one.id not in found]
    people = _people(session, rest)
    return found | {one.id: _named(one, people) for one in rest}


def slug_of(callback: Callback) -> str:
    """The goal's name that it carries."""
    return str(callback.payload.get("slug", "")).lower()


def _username(callback: Callback) -> str:
    return str(callback.payload.get("username", "")).lower()


def _beeminder_id(callback: Callback) -> str | None:
    """Beeminder's id of the goal. Without one only the slug counts."""
    named = callback.payload.get("goal_beeminder_id")
    return str(named) if named else None


def _named(callback: Callback, people: _People) -> Named:
    """An id counts for more than a name."""
    if callback.user_id is None:
        user_id = people.names.get(_username(callback))
    else:
        user_id = callback.user_id if callback.user_id in people.ids else None
    if user_id is None or callback.goal_id is not None:
        return Named(user_id)
    goal_id = people.by_slug.get((user_id, slug_of(callback)))
    named = _beeminder_id(callback)
    if named is not None:
        goal_id = people.by_beeminder_id.get((user_id, named), goal_id)
    return Named(user_id, goal_id)


_GOALS = OneOrMany(lambda among: select(col(Goal.id), col(Goal.user_id)).where(among(col(Goal.id))))


def _goals(session: Session, ids: Collection[int]) -> dict[int | None, int]:
    """Whose these goals are."""
    return {row.id: row.user_id for row in _GOALS.ask(session, ids)} if ids else {}


_NAME: Any = func.lower(col(User.username), type_=String)


def _asking(whom: Any, how: How) -> Select[Any]:  # noqa: ANN401 -- a column, as `col` types it
    asked_for = or_(
        among(col(Goal.slug), "slugs", how),
        among(col(Goal.beeminder_id), "beeminder_ids", how),
    )
    return (
        select(
            col(User.id),
            _NAME.label("name"),
            col(Goal.id).label("goal_id"),
            col(Goal.slug),
            col(Goal.beeminder_id),
        )
        .outerjoin(Goal, and_(col(Goal.user_id) == col(User.id), asked_for))
        .where(among(whom, "whom", how))
    )


# Named once: to make a statement costs more than to ask with it, and each callback asks.
_BY_NAME, _BY_ID = (
    {how: Once(_asking(whom, how)) for how in How} for whom in (_NAME, col(User.id))
)


def _people(session: Session, callbacks: Sequence[Callback]) -> _People:
    how = form(session, len(callbacks))
    slugs = {slug_of(each) for each in callbacks}
    beeminder_ids = {named for each in callbacks if (named := _beeminder_id(each))}
    goals = {"slugs": few(slugs, how), "beeminder_ids": few(beeminder_ids, how)}
    found = _People()
    for asking, whom in (
        (_BY_NAME, {_username(each) for each in callbacks if each.user_id is None}),
        (_BY_ID, {each.user_id for each in callbacks if each.user_id is not None}),
    ):
        if not whom:
            continue
        for row in asking[how].ask(session, goals | {"whom": few(whom, how)}):
            found.ids.add(row.id)
            found.names[row.name] = row.id
            if row.goal_id is not None:
                found.by_slug[row.id, row.slug] = row.goal_id
                found.by_beeminder_id[row.id, row.beeminder_id] = row.goal_id
    return found


_LOOKED_AT = func.coalesce(col(User.facts_at), 0.0)
_MAY_BE_CALLED = and_(
    col(User.state) == UserState.ACTIVE, bindparam("before", type_=Float()) > _LOOKED_AT
)
_NAMESAKES = (
    select_rows(User)
    .where(
        col(User.id).in_(select(col(Goal.user_id)).where(col(Goal.slug) == bindparam("of_slug"))),
        _MAY_BE_CALLED,
    )
    .order_by(_LOOKED_AT, col(User.id))
    .limit(NAMESAKES)
)
_SLUGS_OF_SOMEBODY = OneOrMany(
    lambda among: (
        select(col(Goal.slug))
        .join(User, col(User.id) == col(Goal.user_id))
        .where(among(col(Goal.slug)), _MAY_BE_CALLED)
        .distinct()
    )
)


def may_be(session: Session, event: Event, now: float) -> list[User]:
    """Who of ours may have taken the username that an event carries, and nobody here has.

    People with a goal of that slug, whose own name was not looked at within the last minute: a
    flood of made-up names costs nothing more. Those looked at longest ago go first.
    """
    given = {"of_slug": slug_of(event), "before": now - NAME_BELIEVED_SECONDS}
    return list(session.exec(_NAMESAKES, params=given))


def slugs_of_somebody(session: Session, slugs: Collection[str], now: float) -> set[str]:
    """Those of these slugs for which there is somebody whom `may_be` finds."""
    if not slugs:
        return set()
    found = _SLUGS_OF_SOMEBODY.ask(session, slugs, before=now - NAME_BELIEVED_SECONDS)
    return set(found.scalars())
