"""Facts about people and goals: read again at Beeminder before they decide anything when old."""

from collections.abc import Sequence
from typing import Any

import structlog

import clients
from clients.errors import AuthFailed, NotFound, Permanent
from db import people
from db.models import Goal, User
from tasks.beeminder import Access
from tasks.runtime import Runtime

log = structlog.get_logger(__name__)

BELIEVED_SECONDS = 600.0
READ_ALL_FROM = 3  # so many stale goals of one person are read in one list


def refresh(rt: Runtime, access: Access, user: User, goals: Sequence[Goal]) -> dict[int, Permanent]:
    """Bring stale facts up to date, in the ledger and in these rows.

    Returns the goals that are not there any more, or whose page is refused, by our id. Raises
    `clients.errors` when Beeminder does not answer or does not accept the token, and
    `DeferredError` when a limit says to wait.
    """
    now = rt.clock.now()
    if _stale(user.facts_at, now) or user.timezone is None:
        facts = _of_user(access.call(lambda client: client.me()), now)
        with rt.ledger.write() as session:
            people.store_user_facts(session, user.id or 0, facts)
        _set(user, facts)
    stale = [goal for goal in goals if _stale(goal.facts_at, now)]
    if not stale:
        return {}
    missing: dict[int, Permanent] = {}
    listed: dict[str, clients.Goal] = {}
    if len(stale) >= READ_ALL_FROM:
        listed = _by_id(access)
    for goal in stale:
        goal_id = goal.id or 0
        try:
            seen = listed.get(goal.beeminder_id or "") or _find(access, goal)
        except AuthFailed:
            raise
        except Permanent as error:
            missing[goal_id] = error
            continue
        facts = _of_goal(seen, now)
        with rt.ledger.write() as session:
            if seen.slug != goal.slug:
                people.rename_goals(session, goal.user_id, {seen.id: seen.slug})
                log.info("goal.renamed", goal=goal_id, slug=seen.slug)
            people.store_goal_facts(session, goal_id, facts)
        _set(goal, facts | {"slug": seen.slug})
    return missing


def _find(access: Access, goal: Goal) -> clients.Goal:
    """A goal by its slug, or by its id where the slug has gone or is another goal's now."""
    try:
        seen = access.call(lambda client: client.goal(goal.slug))
    except NotFound:
        if goal.beeminder_id is None:
            raise
    else:
        if goal.beeminder_id in (None, seen.id):
            return seen
    renamed = _by_id(access).get(goal.beeminder_id or "")
    if renamed is None:
        message = f"there is no goal {goal.slug!r} any more"
        raise NotFound(message, reason="goal_not_found")
    return renamed


def _by_id(access: Access) -> dict[str, clients.Goal]:
    """Every goal that is not archived, in one request."""
    return {seen.id: seen for seen in access.call(lambda client: client.goals())}


def _stale(read_at: float | None, now: float) -> bool:
    return read_at is None or now - read_at > BELIEVED_SECONDS


def _of_user(seen: clients.User, now: float) -> dict[str, Any]:
    return {
        "beeminder_id": seen.id,
        "timezone": seen.timezone,
        "beeminder_updated_at": seen.updated_at,
        "facts_at": now,
    }


def _of_goal(seen: clients.Goal, now: float) -> dict[str, Any]:
    return {
        "beeminder_id": seen.id,
        "deadline": seen.deadline,
        "yaw": seen.yaw,
        "dir": seen.dir,
        "kyoom": seen.kyoom,
        "aggday": seen.aggday,
        "odom": seen.odom,
        "gunits": seen.gunits,
        "autodata": seen.autodata,
        "losedate": seen.losedate,
        "frozen": seen.frozen,
        "won": seen.won,
        "lost": seen.lost,
        "beeminder_updated_at": seen.updated_at,
        "facts_at": now,
    }


def _set(row: User | Goal, facts: dict[str, Any]) -> None:
    for name, value in facts.items():
        setattr(row, name, value)
