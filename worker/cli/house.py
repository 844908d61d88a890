"""What most commands need: settings, an open ledger that is up to date, the vault, the time."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import click
from sqlmodel import Session, col, select

from db import deeds, schema
from db.clock import LedgerClock
from db.engine import Ledger
from db.models import Feed, Goal, User
from db.names import feed_name
from db.names_of_feeds import Named
from db.vault import Vault
from tasks.declared import split_name
from worker import lines, logs, settings
from worker.cli import failures
from worker.settings import Settings

COMMAND_LINE = "command line"  # who does what commands do: nobody is signed in there


@dataclass(slots=True)
class House:
    """An open ledger with everything around it."""

    settings: Settings
    ledger: Ledger
    vault: Vault
    clock: LedgerClock = field(repr=False)

    def now(self) -> float:
        """UTC seconds by the database's clock."""
        return self.clock.now()

    def did(
        self,
        session: Session,
        action: str,
        subject: str,
        *,
        user_id: int | None = None,
        **details: object,
    ) -> None:
        """Keep what a command does, in the transaction that does it; no secret goes in."""
        deeds.record(
            session,
            at=self.now(),
            actor=COMMAND_LINE,
            as_operator=True,
            user_id=user_id,
            action=action,
            subject=subject,
            details=dict(details),
        )


def read_settings(*, host: str | None = None, port: int | None = None) -> Settings:
    """Settings of the environment, with what the command line says on top; oddities to stderr."""
    given = {"HOST": host, "PORT": None if port is None else str(port)}
    env = {**os.environ, **{name: value for name, value in given.items() if value is not None}}
    found = settings.load(env)
    for line in found.warnings:
        lines.warn(f"waggle: warning: {line}", form=found.log_format, process="command")
    return found


@contextlib.contextmanager
def opened(*, copy: bool = True) -> Iterator[House]:
    """The house for the block; an empty home is set up first.

    `copy`: a database of an earlier version is copied before it is migrated.
    """
    found = read_settings()
    # A command says in its own words what went wrong; its log would say it again.
    level = "debug" if found.log_level == "debug" else "error"
    logs.configure(found.log_format, level, cache=False)
    logs.hide(*found.secrets())
    vault = Vault(found.secret_keys)
    try:
        ledger = Ledger(found.database_url)
    except OSError as exc:
        raise failures.Failed(f"DATABASE_URL: {exc.strerror}: {exc.filename}") from exc
    with contextlib.closing(ledger):
        done = schema.migrate(ledger, copies_in=found.backup_folder if copy else None)
        if done is not None and done.before is not None:
            _tell(done)
        yield House(found, ledger, vault, LedgerClock(ledger))


def _tell(done: schema.Migration) -> None:
    """What was migrated, on stderr: a command's own answer stays as it is."""
    kept = "no copy was made" if done.copy is None else f"the copy from before is {done.copy}"
    click.echo(
        f"waggle: migrated the database from {done.before} to {schema.HEAD}; {kept}", err=True
    )


def feeds_of(session: Session, name: str) -> list[Named]:
    """The feeds of USER/GOAL (all of the goal's) or USER/GOAL:LABEL, at least one.

    Person and goal are found by the names they have now, or by those in the file. Raises `Refused`.
    """
    parts = split_name(name)
    if parts is None:
        raise failures.Refused(f"{name!r} is not USER/GOAL or USER/GOAL:LABEL")
    username, slug, label = parts
    everything = _all(session)
    of_user = [found for found in everything if found.user.username.lower() == username] or [
        found for found in everything if found.user.declared_username == username
    ]
    if not of_user:
        names = {found.user.username for found in everything}
        raise failures.Refused(
            f"there is no user {username!r} with a feed{failures.nearest(username, names)}"
        )
    of_goal = [found for found in of_user if found.goal.slug == slug] or [
        found for found in of_user if found.goal.declared_slug == slug
    ]
    wanted = [found for found in of_goal if label in ("", found.feed.label)]
    if not wanted:
        names = {found.name for found in of_user}
        full = feed_name(username, slug, label)
        raise failures.Refused(f"there is no feed {full!r}{failures.nearest(full, names)}")
    return wanted


def user_named(session: Session, username: str) -> User:
    """A person the ledger knows; raises `Refused` with the nearest name."""
    users = session.exec(select(User)).all()
    for user in users:
        if user.username.lower() == username.lower():
            return user
    names = [user.username for user in users]
    raise failures.Refused(f"there is no user {username!r}{failures.nearest(username, names)}")


def _all(session: Session) -> Sequence[Named]:
    rows = session.exec(
        select(Feed, Goal, User)
        .join(Goal, col(Feed.goal_id) == col(Goal.id))
        .join(User, col(Goal.user_id) == col(User.id))
        .order_by(col(User.username), col(Goal.slug), col(Feed.label))
    )
    return [Named(feed, goal, user) for feed, goal, user in rows]
