"""Facts about people and goals: read again at Beeminder before they decide anything when old.

A person's `updated_at` moves with any change to the person, a goal or a datapoint. So one small
request tells whether goals may have changed: if it is what it was, what was read of them since
then still holds, and is not asked for again. The rule that follows from it, and that every
process keeps to: a goal's facts are good as long as they are no older than its person's.

Where it is known beforehand that the goal will have to be read as well, since a push of ours has
moved `updated_at`, the two are asked for at the same time (`Ahead`). While all is well the source
is asked meanwhile (`tasks.beside`).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlmodel import Session

import clients
from clients.errors import AuthFailed, NotFound, Permanent
from db import people
from db import resting as rests
from db.models import Goal, User
from db.states import Lane
from tasks.beeminder import Access
from tasks.runtime import Runtime

log = structlog.get_logger(__name__)

BELIEVED_SECONDS = 600.0
# A callback comes when a deadline is near, or right after somebody changed a goal and pressed
# refresh: one small request, shared by all goals of a person, tells whether anything has moved.
BELIEVED_URGENT_SECONDS = 10.0
# So many times as long a person's own facts are: who moves to another time zone does not do that
# between two looks at a goal.
OWN = 6.0
# People whose facts were read together are not all read again together: for up to so much less.
SPREAD = 0.3
GOLDEN = 0.618034  # its multiples fill what lies between two whole numbers evenly
# Beeminder tells whole seconds: what changed so shortly before it was read may change once more
# within the same second, and look as if it had not.
SAME_SECOND = 2.0
READ_ALL_FROM = 3  # so many stale goals of one person are read in one list


Page = tuple[clients.Goal, bool]
"""A goal as it was told, and whether it was found among those that are archived."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """The page of a goal that is asked for at the same time as its person.

    `page` waits for it, and raises what `find` does. `asked_at`: an instant (UTC seconds) before
    which neither of the two was asked for.
    """

    page: Callable[[], Page]
    asked_at: float

    def holds_since(self, seen: clients.Goal, person: clients.User) -> float:
        """As of when this page is true, beside its person, who has been read.

        What has moved the person last is on the page, or else it may have come after the page was
        made: then it is older than the person, and whoever looks next reads it again. The clocks of
        both are Beeminder's.
        """
        shown, moved = seen.updated_at or 0, person.updated_at or 0
        return self.asked_at if shown >= moved - SAME_SECOND else self.asked_at - SAME_SECOND


class SamePersonError(Permanent):
    """Two people of the ledger are one person at Beeminder."""

    default_reason = "same_person"


def believed(lanes: Iterable[int], *, of: int, put_off: float = 0.0) -> float:
    """For how long (seconds) facts about a person's goals are believed by work of these lanes.

    `of`: our id of the person. `put_off`: for so many seconds a limit has made this work wait. What
    was read for it meanwhile holds: read anew for each try, it would take all the turns that a slow
    gate has, and nothing would ever be sent.
    """
    if Lane.URGENT not in lanes:
        return BELIEVED_SECONDS
    seconds = BELIEVED_URGENT_SECONDS * (1.0 - SPREAD * (of * GOLDEN % 1.0))
    return min(seconds + put_off, BELIEVED_SECONDS)


def refresh(
    rt: Runtime,
    access: Access,
    user: User,
    goals: Sequence[Goal],
    *,
    seconds: float = BELIEVED_SECONDS,
    ahead: Ahead | None = None,
    moved: bool = False,
) -> dict[int, Permanent]:
    """Bring stale facts up to date, in the ledger and in these rows.

    `seconds`: for so long facts are not looked at again (see `believed`). `ahead`: these are feeds
    of one goal, and its page is on its way. `moved`: its page is to be read, and the person not.
    Returns the goals that are not there any more, or whose page is refused, by our id. Raises
    `clients.errors` when Beeminder does not answer or does not accept the token, and
    `DeferredError` when a limit says to wait.
    """
    if ahead is not None:
        return _together(rt, access, user, goals[0], ahead)
    if not moved and _to_confirm(user, goals, rt.clock.now(), seconds):
        _confirm(rt, access, user, goals)
    now = rt.clock.now()
    # Feeds of one goal bring it once each; it is read and written down once for all of them.
    stale = list({goal.id: goal for goal in goals if moved or _to_read(goal, user, now)}.values())
    missing: dict[int, Permanent] = {}
    listed = _by_id(access) if len(stale) >= READ_ALL_FROM else {}
    for goal in stale:
        listed_page = listed.get(goal.beeminder_id or "")
        try:
            page = find(access, goal) if listed_page is None else (listed_page, False)
        except AuthFailed:
            raise
        except Permanent as error:
            missing[goal.id or 0] = error
            continue
        with rt.ledger.write(durable=False) as session:
            told = _write_goal(session, goal, page, now=now)
        _set(goal, told)
    return missing


def _together(
    rt: Runtime, access: Access, user: User, goal: Goal, ahead: Ahead
) -> dict[int, Permanent]:
    """The same of a person and of the one goal that moved, written down at once."""
    person = access.call(lambda client: client.me())
    missing: dict[int, Permanent] = {}
    page: Page | None = None
    try:
        page = ahead.page()
    except AuthFailed:
        raise
    except Permanent as error:
        missing[goal.id or 0] = error
    with rt.ledger.write(durable=False) as session:
        of_user = _write_person(session, user, person, now=ahead.asked_at)
        of_goal = {}
        if page is not None:
            of_goal = _write_goal(session, goal, page, now=ahead.holds_since(page[0], person))
    _set(user, of_user)
    _set(goal, of_goal)
    return missing


def to_be_read(user: User, goals: Iterable[Goal], now: float, *, seconds: float) -> bool:
    """Would `refresh` ask for anything?"""
    each = list(goals)
    return _to_confirm(user, each, now, seconds) or any(_to_read(goal, user, now) for goal in each)


def is_old(user: User, now: float, seconds: float) -> bool:
    """Is what is known of the person themselves too old, where goals are believed for `seconds`?"""
    own = min(OWN * seconds, BELIEVED_SECONDS)
    return user.timezone is None or is_stale(user.facts_at, now, own)


def _to_confirm(user: User, goals: Iterable[Goal], now: float, seconds: float) -> bool:
    """Has the person to be read, for themselves or to know whether these goals have changed?"""
    return is_old(user, now, seconds) or any(
        is_stale(goal.facts_at, now, seconds) and not _to_read(goal, user, now) for goal in goals
    )


def _confirm(rt: Runtime, access: Access, user: User, goals: Sequence[Goal]) -> None:
    """Read the person; where nothing has changed the goals' facts are as fresh as theirs."""
    read_at = user.facts_at
    if of_person(rt, access, user) and read_at is not None:
        for goal in goals:
            if goal.facts_at is not None and goal.facts_at >= read_at:
                goal.facts_at = user.facts_at


def of_person(rt: Runtime, access: Access, user: User, *, deadline: float = 20.0) -> bool:
    """Read a person's own facts; True when nothing of theirs has changed since they were read.

    Then what was read of their goals since holds as well, and the ledger says so. A new name is
    followed. Raises like `refresh`.
    """
    now = rt.clock.now()
    seen = access.call(lambda client: client.me(), deadline=deadline)
    read_at, known = user.facts_at, user.beeminder_updated_at
    unchanged = (
        read_at is not None
        and read_at <= now
        and known == seen.updated_at
        and known < read_at - SAME_SECOND
    )
    with rt.ledger.write(durable=False) as session:
        told = _write_person(session, user, seen, now=now)
        if unchanged and read_at is not None:
            people.confirm_goals(session, user.id or 0, read_since=read_at, now=now)
    _set(user, told)
    return unchanged


def _write_person(
    session: Session, user: User, seen: clients.User, *, now: float
) -> dict[str, Any]:
    """Write down what was read of a person, who may have a new name; what their row holds then."""
    user_id, told = user.id or 0, _of_user(seen, now)
    if user.beeminder_id != seen.id:  # which is of one row only
        other = people.user_with_id(session, seen.id)
        if other is not None and other[0] != user_id:
            message = (
                f"the tokens of {user.username} and {other[1]} are of one person, "
                f"{seen.username}; take one of the two out of the file"
            )
            raise SamePersonError(message)
    if user.username.lower() != seen.username.lower():
        people.rename_user(session, user_id, seen.username)
        log.info("user.renamed", user=user_id, username=seen.username)
        told["username"] = seen.username
    people.store_user_facts(session, user_id, told)
    return told


def resting(goal: Goal) -> str | None:
    """Why a goal takes no data for now (one of `db.resting.REASONS`), None when it does.

    A goal that was lost goes on: Beeminder restarts it. Until then it is frozen as well.
    """
    if goal.archived:
        return rests.ARCHIVED
    if goal.won:
        return rests.FINISHED
    return rests.FROZEN if goal.frozen else None


def _write_goal(session: Session, goal: Goal, page: Page, *, now: float) -> dict[str, Any]:
    """Write down what was read of a goal, which may have a new slug; what its row holds then."""
    seen, archived = page
    told = _of_goal(seen, now) | {"archived": archived or seen.is_archived(now)}
    if seen.slug != goal.slug:
        people.rename_goals(session, goal.user_id, {seen.id: seen.slug})
        log.info("goal.renamed", goal=goal.id, slug=seen.slug)
    people.store_goal_facts(session, goal.id or 0, told)
    return told | {"slug": seen.slug}


def find(access: Access, goal: Goal) -> Page:
    """A goal by its slug, or by its id where the slug has gone or is another goal's now.

    Raises like `refresh`, and `NotFound`.
    """
    try:
        seen = access.call(lambda client: client.goal(goal.slug))
    except NotFound:
        if goal.beeminder_id is None:
            raise
    else:
        if goal.beeminder_id in (None, seen.id):
            return seen, False
    wanted = goal.beeminder_id or ""
    renamed = _by_id(access).get(wanted)
    if renamed is not None:
        return renamed, False
    try:
        archived = access.call(lambda client: client.archived_goals())
    except NotFound:
        archived = []
    for seen in archived:
        if seen.id == wanted:
            return seen, True
    message = f"there is no goal {goal.slug!r} any more"
    raise NotFound(message, reason="goal_not_found")


def _by_id(access: Access) -> dict[str, clients.Goal]:
    """Every goal that is not archived, in one request."""
    return {seen.id: seen for seen in access.call(lambda client: client.goals())}


def is_stale(read_at: float | None, now: float, seconds: float) -> bool:
    """Are facts that were read then too old, if they are believed for so many seconds?"""
    # What was read in the future was read by a clock that was wrong.
    return read_at is None or not 0.0 <= now - read_at <= seconds


def _to_read(goal: Goal, user: User, now: float) -> bool:
    if goal.facts_at is None or user.facts_at is None:
        return True
    return not user.facts_at <= goal.facts_at <= now or resting(goal) is not None


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
        "curval": seen.curval,
        "autodata": seen.autodata,
        "losedate": seen.losedate,
        "safebuf": seen.safebuf,
        "frozen": seen.frozen,
        "won": seen.won,
        "lost": seen.lost,
        "beeminder_updated_at": seen.updated_at,
        "facts_at": now,
    }


def _set(row: User | Goal, facts: dict[str, Any]) -> None:
    for name, value in facts.items():
        setattr(row, name, value)
