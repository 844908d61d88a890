"""A ledger with data that an earlier version made: nothing of it is lost, or claimed too much."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import MetaData, insert
from sqlmodel import select

from db import schema
from db.engine import Ledger
from db.models import Feed, Goal, User
from db.models_points import Datapoint, Day
from simulators import postgres
from tests.services import postgresql

OWED = {"attempts": 0, "due_at": 0.0, "created_at": 1.0}


@contextmanager
def empty(kind: str, home: Path) -> Iterator[Ledger]:
    """A database without any table."""
    if kind == "sqlite":
        made = Ledger(f"sqlite:///{home}/old.db")
        yield made
        made.close()
        return
    with (
        postgresql.running(home) as connection,
        postgres.database(connection, prefix="waggle_test") as name,
    ):
        made = Ledger(postgresql.url_of(connection, name))
        yield made
        made.close()


def fill(ledger: Ledger) -> None:
    """What version 0001 left: points in each state that it knew."""
    with ledger.engine.begin() as connection:
        command.upgrade(schema.configuration(connection), "0001")
        old = MetaData()
        old.reflect(connection)

        def add(table: str, **columns: object) -> None:
            asked = {
                column.name: 0
                for column in old.tables[table].columns
                if not column.nullable and column.name not in columns
            }
            connection.execute(insert(old.tables[table]).values(asked | columns))

        add("user", id=1, username="alice", token_kind="personal", state="active")
        add("source", id=1, user_id=1, name="s", provider="p", settings={}, state="active")
        flags = dict.fromkeys(("frozen", "won", "lost"), False)
        add("goal", id=1, user_id=1, slug="g", declared_slug="g", **flags)
        some = {"label": "", "metric": "m", "params": {}, "options": {}, "cursor": {}}
        add("feed", id=1, goal_id=1, source_id=1, state="active", doubtful=False, **some)
        states = {
            "landed": ("a", "a"),
            "pending": ("b", "a"),
            "unanswered": ("b", None),
            "rejected": ("b", None),
            "withdrawn": ("", "a"),
        }
        for number, (name, (content, landed)) in enumerate(states.items(), start=1):
            add(
                "datapoint",
                id=number,
                goal_id=1,
                feed_id=1,
                requestid=name,
                daystamp=f"2026110{number}",
                value=float(number),
                comment="c",
                content_hash=content,
                landed_hash=landed,
                state="pending" if name == "unanswered" else name,
            )
        add("day", feed_id=1, daystamp="20261101", starts_at=1.0, ends_at=2.0, seen_at=3.0)


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def test_a_ledger_of_the_first_version_goes_on(kind: str, tmp_path: Path) -> None:
    """Only of what landed a value is known to be there; nothing is pinned, frozen or put away."""
    with empty(kind, tmp_path) as ledger:
        fill(ledger)
        assert schema.migrate(ledger)
        with ledger.read() as session:
            points = {row.requestid: row for row in session.exec(select(Datapoint))}
            known = {name: (row.landed_value, row.sent_value) for name, row in points.items()}
            assert known == {
                "landed": (1.0, 1.0),
                "pending": (None, None),
                "unanswered": (None, None),
                "rejected": (None, None),
                "withdrawn": (None, None),
            }
            assert {row.frozen for row in points.values()} == {None}
            assert [day.pinned for day in session.exec(select(Day))] == [False]
            goal = session.exec(select(Goal)).one()
            assert (goal.archived, goal.datasource_due_at) == (False, 0.0)
            assert session.exec(select(User)).one().declared_username == "alice"
            assert session.exec(select(Feed)).one().reconciled_at is None
