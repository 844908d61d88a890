"""Whoever ends an event says so, in the same transaction, and nobody else does."""

import ast
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlmodel import Session

from db import endings, events, feeds, inbox, opening, set_aside
from db.engine import Ledger
from db.metadata import METADATA
from db.models import User
from db.states import EventKind
from tests.db.test_feeds import NOW, call_back, claim, fill

DB = Path(__file__).parents[2] / "db"
ERROR = {"code": "x", "message": "y"}
KINDS = (EventKind.AUTOFETCH,)


@pytest.fixture
def heard(postgresql_url: str) -> Iterator[Callable[[], list[str]]]:
    """What was told since it was last asked; for tests on PostgreSQL."""
    with psycopg.connect(postgresql_url, autocommit=True) as listener:
        listener.execute(f"LISTEN {endings.CHANNEL}")

        def ask() -> list[str]:
            listener.execute("SELECT 1")  # whatever was told before is here when this is answered
            return [one for said in listener.notifies(timeout=0) for one in said.payload.split(",")]

        yield ask


@pytest.fixture
def on_postgresql(postgresql_url: str) -> Iterator[Ledger]:
    """An empty ledger there."""
    with contextlib.closing(Ledger(postgresql_url)) as ledger:
        yield ledger


def unknown(ledger: Ledger) -> str:
    """A callback of somebody we know for a goal we don't, which `events.claim` takes."""
    with ledger.write() as session:
        session.add(User(username="alice"))
        new = inbox.NewEvent(
            kind=EventKind.AUTOFETCH,
            payload={"username": "alice", "slug": "other"},
            received_at=NOW,
        )
        inbox.store(session, [new])
    with ledger.write() as session:
        opening.open_callbacks(session, NOW)
    return new.id


def of_a_feed(ledger: Ledger, end: Callable[[Session, feeds.Claim], object]) -> str:
    """An event that a claim of its feed ends."""
    fill(ledger)
    event_id = call_back(ledger)
    (held,) = claim(ledger)
    with ledger.write() as session:
        end(session, held)
    return event_id


def taken(ledger: Ledger, *, dead: bool) -> str:
    """An event that is claimed itself and ended."""
    event_id = unknown(ledger)
    with ledger.write() as session:
        held = events.claim(session, kinds=KINDS, owner="a", now=NOW)
        assert held is not None
        assert events.finish_claimed(session, held, NOW, error=ERROR if dead else None, dead=dead)
    return event_id


def given_up(ledger: Ledger) -> str:
    """An event that is too old."""
    event_id = unknown(ledger)
    with ledger.write() as session:
        assert events.give_up(session, NOW + 1, NOW + 2, kinds=KINDS) == 1
    return event_id


def killer(ledger: Ledger) -> str:
    """An event at which workers die."""
    event_id = unknown(ledger)
    with ledger.write() as session:
        set_aside.event(session, event_id, 5, NOW)
    return event_id


def nobodys(ledger: Ledger) -> str:
    """A callback of a person whom nobody knows ends while it is opened."""
    fill(ledger)
    with ledger.write() as session:
        new = inbox.NewEvent(
            kind=EventKind.AUTOFETCH,
            payload={"username": "nobody", "slug": "x"},
            received_at=NOW,
        )
        inbox.store(session, [new])
    with ledger.write() as session:
        opening.open_callbacks(session, NOW)
    return new.id


ENDS = {
    "fresh": lambda ledger: of_a_feed(
        ledger, lambda s, held: feeds.finish(s, held, now=NOW, next_at=NOW + 60, written=1)
    ),
    "failed": lambda ledger: of_a_feed(
        ledger, lambda s, held: feeds.fail(s, held, now=NOW, next_at=NOW + 60, error=ERROR)
    ),
    "rests": lambda ledger: of_a_feed(
        ledger, lambda s, held: feeds.rest(s, held, now=NOW, next_at=NOW + 60, error=ERROR)
    ),
    "the feed is set aside": lambda ledger: of_a_feed(
        ledger, lambda s, held: set_aside.feed(s, held.feed_id, 5, NOW)
    ),
    "looked up": lambda ledger: taken(ledger, dead=False),
    "dead": lambda ledger: taken(ledger, dead=True),
    "too old": given_up,
    "kills its worker": killer,
    "nobody's": nobodys,
}


@pytest.mark.services
@pytest.mark.parametrize("how", ENDS)
def test_every_end_is_told(how: str, on_postgresql: Ledger, heard: Callable[[], list[str]]) -> None:
    """However an event ends, whoever waits for it hears its id, and no other."""
    event_id = ENDS[how](on_postgresql)

    assert heard() == [event_id]


@pytest.mark.services
def test_what_is_not_over_is_not_told(
    on_postgresql: Ledger, heard: Callable[[], list[str]]
) -> None:
    """Put back, half of its feeds, or a transaction that is undone: nobody is woken for that."""
    fill(on_postgresql, feeds_each=2)
    call_back(on_postgresql)
    first, second = claim(on_postgresql)
    with on_postgresql.write() as session:
        feeds.finish(session, first, now=NOW, next_at=NOW + 60, written=1)
        feeds.put_back(session, second, due_at=NOW, error=ERROR, deferred=False, now=NOW)
    (again,) = claim(on_postgresql)
    with contextlib.suppress(ZeroDivisionError), on_postgresql.write() as session:
        feeds.finish(session, again, now=NOW, next_at=NOW + 60, written=1)
        raise ZeroDivisionError

    assert heard() == []


@pytest.mark.services
def test_a_thousand_at_once_fit(on_postgresql: Ledger, heard: Callable[[], list[str]]) -> None:
    """A notification holds 8,000 bytes: many ends take several."""
    ids = [inbox.new_id(NOW + number) for number in range(1000)]
    with on_postgresql.write() as session:
        endings.tell(session, ids)

    assert heard() == ids


def test_nothing_is_told_in_sqlite(sqlite_url: str) -> None:
    """There is no such statement: the same code ends events on the embedded ledger."""
    with contextlib.closing(Ledger(sqlite_url)) as ledger:
        for end in ENDS.values():
            with ledger.write() as session:
                for table in reversed(METADATA.sorted_tables):
                    session.connection().execute(table.delete())
            end(ledger)


def test_whoever_ends_events_tells() -> None:
    """A new way to end one is a function that sets its state, or asks what does, and says so.

    A statement may say so itself.
    """
    silent = []
    for path in sorted(DB.glob("*.py")):
        module = ast.parse(path.read_text())
        made = [
            node
            for node in module.body
            if isinstance(node, ast.Assign)
            and _ends(node)
            and "endings.told" not in ast.unparse(node)
        ]
        names = {name.id for node in made for name in node.targets if isinstance(name, ast.Name)}
        for node in ast.walk(module):
            if isinstance(node, ast.FunctionDef):
                asks = {name.id for name in ast.walk(node) if isinstance(name, ast.Name)} & names
                if (asks or _ends(node)) and "endings.tell" not in ast.unparse(node):
                    silent.append(f"{path.name}: {node.name}")

    assert silent == []


def _ends(node: ast.stmt) -> bool:
    code = ast.unparse(node)
    return ("update(Event)" in code or "_fenced(" in code) and "finished_at" in code
