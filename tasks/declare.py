"""Making the ledger say what a declaration says, in one transaction, and telling what changed.

Applying the same declaration again writes no row. Nothing is removed unless pruning is asked for,
and then feeds are stopped, not deleted: the memory of what was sent stays.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sqlalchemy import true
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from db import datasources, feeds, outbox, pauses, resting
from db.engine import Ledger
from db.models import Feed, Goal, Source, User
from db.names import feed_name
from db.states import FeedState, Lane
from db.vault import Vault
from tasks import declare_goals, declare_people
from tasks.declare_people import Fresh
from tasks.declare_problems import DeclarationError
from tasks.declared import Declaration, DeclaredFeed

Action = Literal["created", "changed", "unchanged", "removed"]


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one thing; `details` names what changed, never a value."""

    kind: Literal["user", "source", "feed"]
    name: str
    action: Action
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What `apply` did: every declared thing, the reminder hook of every declared user (a secret),
    and the feeds of the ledger that the file does not name and that go on.
    """

    changes: tuple[Change, ...]
    hooks: dict[str, str]
    unlisted: tuple[str, ...]

    def as_json(self) -> list[dict[str, Any]]:
        """The changes as JSON would hold them."""
        return [{**asdict(change), "details": list(change.details)} for change in self.changes]


def apply(
    ledger: Ledger,
    vault: Vault,
    declaration: Declaration,
    *,
    now: float,
    prune: bool = False,
    dry_run: bool = False,
) -> Applied:
    """Make it so; with `dry_run` say what would be done, and keep nothing of it.

    Raises `DeclarationError` for what only the ledger can tell; then nothing is kept either.
    """
    with ledger.write() as session:
        applied = _apply(session, vault, declaration, now=now, prune=prune)
        if dry_run:
            session.rollback()
    return applied


def _apply(
    session: Session, vault: Vault, declaration: Declaration, *, now: float, prune: bool
) -> Applied:
    changes: list[Change] = []
    users: dict[str, User] = {}
    hooks: dict[str, str] = {}
    problems: list[str] = []
    known = declare_people.find(session, declaration.users, problems=problems)
    for declared in declaration.users:
        user, details, new = declare_people.user(
            session, vault, declared, row=known[declared.username], now=now
        )
        if new and user.token_cipher is None:
            problems.append(
                f"users.{declared.username}.token: is missing, and this person has not connected "
                "at /beeminder/connect either"
            )
        if "token" in details and not new:
            pauses.wake_after_token(session, user.id or 0, now)
        users[declared.username] = user
        hooks[declared.username] = declare_people.hook(user, vault)
        changes.append(_change("user", declared.username, details, new=new))
    session.flush()
    # All of them, in the order of their ids, which is not that of the file: workers hold several.
    feeds.lock(session, true())
    sources: dict[str, Source] = {}
    fresh: dict[str, Fresh] = {}
    for source in declaration.sources:
        row, fresh[source.name], new = declare_people.source(
            session, vault, source, owner=users[source.username], now=now
        )
        sources[source.name] = row
        if fresh[source.name].credentials:
            wake(session, row, now)
        changes.append(_change("source", source.name, fresh[source.name].details, new=new))
    goals = declare_goals.find(session, declaration.feeds, users, now=now, problems=problems)
    if problems:
        raise DeclarationError(problems)
    kept: set[int] = set()
    for one in declaration.feeds:
        goal = goals[one.username, one.slug]
        found, details, new = feed(
            session,
            one,
            goal=goal,
            user=users[one.username],
            source=sources[one.source],
            fresh=fresh[one.source],
            now=now,
        )
        kept.add(found)
        changes.append(_change("feed", one.name, details, new=new))
    others = _others(session, kept)
    if prune:
        changes += _stop(session, others, now)
        others = []
    return Applied(changes=tuple(changes), hooks=hooks, unlisted=tuple(name for _, name in others))


def _change(
    kind: Literal["user", "source", "feed"], name: str, details: Sequence[str], *, new: bool
) -> Change:
    if new:
        return Change(kind, name, "created")
    return Change(kind, name, "changed" if details else "unchanged", tuple(details))


def feed(
    session: Session,
    declared: DeclaredFeed,
    *,
    goal: Goal,
    user: User,
    source: Source,
    fresh: Fresh,
    now: float,
) -> tuple[int, list[str], bool]:
    """Make a feed what it is declared to be: (its id, what changed, whether it is new).

    The feeds of its goal are locked by then.
    """
    row = session.exec(
        select_rows(Feed).where(col(Feed.goal_id) == goal.id, col(Feed.label) == declared.label)
    ).first()
    wanted: dict[str, Any] = {
        "source_id": source.id,
        "metric": declared.metric,
        "params": declared.params,
        "options": declared.options,
        "since": declared.since,
        "every": declared.every,
    }
    if row is None:
        row = Feed(goal_id=goal.id or 0, label=declared.label, due_at=now, created_at=now, **wanted)
        if user.token_cipher is None:  # wakes when the person connects again
            row.state, row.reason = FeedState.STOPPED, "deauthorized"
        session.add(row)
        session.flush()
        return row.id or 0, [], True
    changed = [name for name, value in wanted.items() if getattr(row, name) != value]
    for name in changed:
        setattr(row, name, wanted[name])
    counts_anew = fresh.account or bool({"source_id", "metric", "params"} & set(changed))
    if row.state == FeedState.STOPPED and user.token_cipher is not None:
        changed.append("state")
        datasources.take_up(session, row.goal_id)
        row.state, row.reason = FeedState.ACTIVE, None
    if row.state == FeedState.FAILING and row.reason != resting.SET_ASIDE and counts_anew:
        _forgive(row)
    if counts_anew:
        row.digest, row.cursor = None, {}
    if counts_anew or fresh.credentials or set(changed) - {"every"}:
        _due_now(row, now)
    elif changed:
        row.due_at = min(row.due_at, now + row.every)
    session.add(row)
    session.flush()
    return row.id or 0, ["source" if name == "source_id" else name for name in changed], False


def wake(session: Session, source: Source, now: float) -> None:
    """Credentials were changed: what had failed with the old ones runs, also if the file that
    changed them does not name it.
    """
    failed = select_rows(Feed).where(
        col(Feed.source_id) == source.id, col(Feed.state) == FeedState.FAILING, resting.running()
    )
    for row in session.exec(failed):
        _forgive(row)
        _due_now(row, now)
        session.add(row)
    session.flush()


def _forgive(row: Feed) -> None:
    row.state, row.reason = FeedState.ACTIVE, None
    row.attempts, row.failing_since, row.last_error = 0, None, None


def _due_now(row: Feed, now: float) -> None:
    """Sync soon by the new rules; a sync that began by the old ones can't write any more."""
    row.due_at, row.deferrals = min(row.due_at, now), 0
    row.lane = min(row.lane, Lane.DEFAULT.value)
    row.epoch, row.lease_owner, row.lease_until = row.epoch + 1, None, 0.0


def _others(session: Session, kept: set[int]) -> list[tuple[int, str]]:
    rows = session.exec(
        select_rows(Feed, Goal, User)
        .join(Goal, col(Feed.goal_id) == col(Goal.id))
        .join(User, col(Goal.user_id) == col(User.id))
        .where(col(Feed.state) != FeedState.STOPPED)
        .order_by(col(User.username), col(Goal.slug), col(Feed.label))
    )
    return [
        (row.id or 0, feed_name(user.username, goal.slug, row.label))
        for row, goal, user in rows
        if row.id not in kept
    ]


def _stop(session: Session, others: Sequence[tuple[int, str]], now: float) -> list[Change]:
    ids = [feed_id for feed_id, _ in others]
    pauses.halt(session, ids, state=FeedState.STOPPED, reason="not in the file", now=now)
    outbox.withdraw(session, ids)
    datasources.give_back(session, datasources.goals_of(session, ids), now)
    return [Change("feed", name, "removed") for _, name in others]
