"""What holds work up from outside, for people: gates and breakers, since when, and who waits.

Nothing here decides anything: what a worker may claim is decided in `db.claiming`. Only reads.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import String, and_, case, cast, func, literal, literal_column, or_, select
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from db import breakers, quotas, resting
from db.models import Event, Feed, Goal, Source, User
from db.models_limits import Quota
from db.names import feed_name, source_name
from db.states import Lane

OURS = "waggle"  # the vendor of quotas that we set ourselves, which nobody has to know of
AFTER_OPENING = 1.0  # seconds within which work that was put back comes again
MOST_NAMES = 3

State = Literal["open", "crowded", "closed", "half open"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One vendor quota for people. Instants are UTC seconds, `interval` and `window` seconds.

    `title` is the person at Beeminder, what the provider calls the account, or the sources that
    share it; "" when none does any more. `endpoint`: of which calls, "" for all. `waiting` feeds
    would be worked on if it were open, of which `asked` are wanted at once. `spread`: the interval
    at which what is left of a window is spread now, 0.0 for none. A gate that is half open has a
    `since`, and no `until`.
    """

    key: str
    vendor: str
    title: str
    endpoint: str
    state: State
    since: float | None
    until: float | None
    reason: str | None
    interval: float
    window: float
    learned_at: float
    spread: float = 0.0
    sources: tuple[str, ...] = ()
    waiting: int = 0
    asked: int = 0

    @property
    def name(self) -> str:
        """`bemserver:plant`, with the calls that it is about if not all of them."""
        return f"{self.account} {self.endpoint}" if self.endpoint else self.account

    @property
    def account(self) -> str:
        """`bemserver:plant`; the vendor alone when nobody uses the account any more."""
        return f"{self.vendor}:{self.title}" if self.title else self.vendor


def gates(session: Session, now: float, *, notable: bool = False) -> list[Gate]:
    """All gates by name; only those that are closed or slowed down when `notable`."""
    asked = select_rows(Quota).where(col(Quota.vendor) != OURS)
    if notable:
        slowed = or_(col(Quota.learned_interval) > 0.0, col(Quota.spread_until) > now)
        asked = asked.where(or_(_shut(now), slowed))
    rows = session.exec(asked.execution_options(populate_existing=True)).all()
    sources, people = _sources(session, rows), _people(session, rows)
    waiting = _waiting(session, now) if any(_state(row, now) != "open" for row in rows) else {}
    accounts = {(row.vendor, row.title): row.key for row in rows if row.title and not row.endpoint}
    found = []
    for row in rows:
        # What waits for some of the calls is known only as waiting for the account.
        account = accounts.get((row.vendor, row.title), row.key)
        names = sources.get(account, ())
        total, urgent = waiting.get(account, (0, 0))
        state = _state(row, now)
        shut = state in ("closed", "half open")
        found.append(
            Gate(
                key=row.key,
                vendor=row.vendor,
                title=people.get(row.key) or row.title or _together(names),
                endpoint=row.endpoint,
                state=state,
                since=row.closed_at if shut else None,
                until=row.closed_until if state == "closed" else None,
                reason=row.seen_limit if shut else None,
                interval=row.learned_interval,
                window=row.learned_window,
                learned_at=row.learned_at,
                spread=row.spread_interval if row.spread_until > now else 0.0,
                sources=names,
                waiting=0 if state == "open" else total,
                asked=0 if state == "open" else urgent,
            )
        )
    return sorted(found, key=lambda gate: gate.name)


def waiting_by_vendor(session: Session, now: float) -> dict[str, int]:
    """How many feeds wait behind gates that are closed, half open or crowded."""
    found: dict[str, int] = {}
    passable = and_(~_shut(now), col(Quota.next_free_at) <= now + col(Quota.tolerance))
    if (
        session.connection().execute(select(col(Quota.key)).where(~passable).limit(1)).first()
        is None
    ):
        return found
    rows = session.connection().execute(select(col(Quota.key), col(Quota.vendor)))
    vendors = {row.key: row.vendor for row in rows}
    for key, (total, _) in _waiting(session, now).items():
        found[vendors[key]] = found.get(vendors[key], 0) + total
    return found


def broken(session: Session) -> list[tuple[str, breakers.Open]]:
    """Open breakers under names that people know, the oldest trouble first."""
    found = breakers.open_ones(session)
    if not found:
        return []
    names = {}
    for source_id, name, user_id, username in session.connection().execute(
        select(col(Source.id), col(Source.name), col(User.id), col(User.username))
        .select_from(User)
        .outerjoin(Source, col(Source.user_id) == col(User.id))
    ):
        names[breakers.link(user_id or 0)] = f"Beeminder for {username}"
        if source_id is not None:
            names[breakers.source(source_id)] = source_name(username, name)
    return [(names.get(each.subject, each.subject), each) for each in found]


def dangerous(session: Session) -> tuple[list[str], list[str]]:
    """Names of feeds that run alone since their worker died, and of those that are set aside."""
    aside = resting.aside()
    suspects: list[str] = []
    set_aside: list[str] = []
    for username, slug, label, given_up in session.connection().execute(
        select(col(User.username), col(Goal.slug), col(Feed.label), case((aside, 1), else_=0))
        .select_from(Feed)
        .join(Goal, col(Feed.goal_id) == col(Goal.id))
        .join(User, col(Goal.user_id) == col(User.id))
        .where(or_(aside, and_(col(Feed.suspect).is_(True), resting.claimable())))
        .order_by(col(User.username), col(Goal.slug), col(Feed.label))
    ):
        (set_aside if given_up else suspects).append(feed_name(username, slug, label))
    return suspects, set_aside


def deferred(session: Session, since: float) -> tuple[int, int]:
    """How often callbacks that came `since` had to wait for a limit, and how many of them had to.

    A lower bound of all waits: those of scheduled work are forgotten when it is done.
    """
    row = (
        session.connection()
        .execute(
            select(func.coalesce(func.sum(col(Event.deferrals)), 0), func.count()).where(
                # Written out, as an index is of those that had to wait.
                col(Event.received_at) > since,
                col(Event.deferrals) > literal_column("0"),
            )
        )
        .one()
    )
    return row[0], row[1]


def _state(row: Quota, now: float) -> State:
    if row.closed_until > now:
        return "closed"
    if row.closed_until > row.proven_at:
        return "half open"
    return "crowded" if row.next_free_at - row.tolerance > now else "open"


def _shut(now: float) -> ColumnElement[bool]:
    return or_(col(Quota.closed_until) > now, ~quotas.is_proven())


def in_line(now: float) -> ColumnElement[bool]:
    """Feeds that would be worked on if the gate (`Quota`) that they need were open.

    Those that are due and are passed over, and those that were put back until it opens.
    """
    # A gate that a person opened has its time behind it: what was put back comes from now on.
    soon = or_(
        col(Feed.due_at) <= col(Quota.closed_until) + AFTER_OPENING,
        col(Feed.due_at) <= now + AFTER_OPENING,
    )
    return and_(
        resting.claimable(),
        col(Feed.lease_until) <= now,
        or_(col(Feed.due_at) <= now, and_(col(Feed.deferrals) > 0, soon)),
    )


def person_key() -> ColumnElement[str]:
    """The key of the gate at Beeminder of whoever owns a source."""
    return literal(f"{quotas.BEEMINDER}:").concat(cast(col(Source.user_id), String))


def _waiting(session: Session, now: float) -> dict[str, tuple[int, int]]:
    """By key of gates that are not simply open: feeds that wait, and how many of them urgently."""
    urgent = case((col(Feed.lane) == Lane.URGENT.value, 1), else_=0)
    found: dict[str, tuple[int, int]] = {}
    for key in (col(Source.quota_key), person_key()):
        rows = session.connection().execute(
            select(col(Quota.key), func.count(), func.sum(urgent))
            .select_from(Feed)
            .join(Source, col(Source.id) == col(Feed.source_id))
            .join(Quota, col(Quota.key) == key)
            .where(
                in_line(now),
                or_(_shut(now), col(Quota.next_free_at) > now + col(Quota.tolerance)),
            )
            .group_by(col(Quota.key))
        )
        found |= {name: (total, hurried) for name, total, hurried in rows}
    return found


def _sources(session: Session, rows: Sequence[Quota]) -> dict[str, tuple[str, ...]]:
    """The names of the sources that share a quota, by its key."""
    found: dict[str, set[str]] = {}
    asked = select(col(Source.quota_key), col(Source.name)).where(
        col(Source.quota_key).in_([row.key for row in rows])
    )
    for row in session.connection().execute(asked):
        found.setdefault(row.quota_key or "", set()).add(row.name)
    return {key: tuple(sorted(names)) for key, names in found.items()}


def _people(session: Session, rows: Sequence[Quota]) -> dict[str, str]:
    """The names of people as they are now, by the key of their gate at Beeminder."""
    numbers = [row.key.removeprefix(f"{quotas.BEEMINDER}:") for row in rows]
    people: Iterable[Any] = session.connection().execute(
        select(col(User.id), col(User.username)).where(
            col(User.id).in_([int(number) for number in numbers if number.isdecimal()])
        )
    )
    return {f"{quotas.BEEMINDER}:{user_id}": username for user_id, username in people}


def _together(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMES
    return ",".join(names[:MOST_NAMES]) + (f",+{more}" if more > 0 else "")
