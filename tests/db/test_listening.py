"""Ends are heard at once, and nobody believes to hear who does not."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from db import endings, inbox, listening
from db.engine import Ledger
from db.listening import Commits, Heard, Notifications, Watch
from db.states import EventKind

BOUND_SECONDS = 10.0
NOTHING = Heard()
LOOK = Heard(anything=True)


@pytest.fixture
def held() -> list[str]:
    """The events that are waited for."""
    return []


@pytest.fixture
def watch(ledger: Ledger, held: list[str]) -> Iterator[Watch]:
    """A watch of this ledger."""
    made = listening.watch(ledger, lambda: held)
    yield made
    made.close()
    made.let_go()


@pytest.fixture
def events(ledger: Ledger, held: list[str]) -> list[str]:
    """Three events; the first two are waited for."""
    new = [inbox.NewEvent(kind=EventKind.AUTOFETCH, payload={}, received_at=1.0) for _ in range(3)]
    with ledger.write() as session:
        inbox.store(session, new)
    held.extend(event.id for event in new[:2])
    return [event.id for event in new]


def end(ledger: Ledger, event_id: str) -> None:
    """Have an event end, and commit that."""
    with ledger.write() as session:
        inbox.finish(session, [event_id], 2.0)


def quiet(watch: Watch) -> None:
    """Wait until it is sure, and there is nothing more to hear."""
    for _ in range(100):
        if watch.wait(0.1) == NOTHING and watch.sure:
            return
    raise AssertionError("it is never sure")


def test_an_end_is_heard_while_one_waits(ledger: Ledger, watch: Watch, events: list[str]) -> None:
    """Somebody else ends an event: the wait is over then, not at its own end."""
    quiet(watch)
    thread = threading.Timer(0.05, lambda: end(ledger, events[1]))
    thread.start()
    heard = watch.wait(600)  # the test is stopped long before
    thread.join()

    assert heard == Heard(frozenset({events[1]}))


def test_what_ended_between_two_waits_is_heard(
    ledger: Ledger, watch: Watch, events: list[str]
) -> None:
    """Nobody has to be waiting at that very moment."""
    quiet(watch)
    end(ledger, events[0])

    assert watch.wait(BOUND_SECONDS) == Heard(frozenset({events[0]}))


def test_a_file_tells_only_of_those_that_are_held(sqlite_url: str) -> None:
    """Commits that end nobody who waits wake nobody, and without one the watch is over."""
    held: list[str] = []
    with contextlib.closing(Ledger(sqlite_url)) as ledger:
        new = [
            inbox.NewEvent(kind=EventKind.AUTOFETCH, payload={}, received_at=1.0) for _ in range(3)
        ]
        with ledger.write() as session:
            inbox.store(session, new)
        watch = listening.watch(ledger, lambda: held)
        assert watch.wait(0.0) == LOOK
        first, other, last = sorted(event.id for event in new)
        held += [first, last]
        end(ledger, other)
        assert watch.wait(0.02) == NOTHING
        end(ledger, last)
        assert watch.wait(BOUND_SECONDS) == Heard(frozenset({last}))
        held.clear()
        assert watch.wait(600) == NOTHING  # the test is stopped long before
        watch.let_go()


def test_a_wait_ends(ledger: Ledger, watch: Watch, events: list[str]) -> None:
    """Without an end nothing was heard; one's own look is no news."""
    quiet(watch)
    with ledger.read() as session:
        inbox.ended(session, events)

    assert watch.wait(0.02) == NOTHING


def test_the_first_wait_looks_at_everybody(watch: Watch) -> None:
    """What ended before anybody listened is lost: it has to be looked for."""
    assert watch.wait(BOUND_SECONDS) == LOOK


def test_a_server_that_is_gone_is_waited_for() -> None:
    """No error comes out, nothing is sure, and it is not knocked at again and again."""
    with contextlib.closing(Ledger("postgresql://x@127.0.0.1:1/x")) as nowhere:
        lost = listening.watch(nowhere, list)
        assert lost.wait(0.01) == LOOK
        assert not lost.sure
        assert [lost.wait(0.01) for _ in range(3)] == [NOTHING] * 3


def test_a_file_that_is_gone_is_waited_for(tmp_path: Path) -> None:
    """The folder is not there: nothing is heard, nothing is sure, and no error comes out."""
    with contextlib.closing(Ledger(f"sqlite:///{tmp_path}/home/x.db")) as nowhere:
        (tmp_path / "home").rmdir()
        lost = listening.watch(nowhere, list)
        assert lost.wait(0.01) == NOTHING
        assert not lost.sure


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        """The time that was set."""
        return self.at


@pytest.fixture
def listener(postgresql_url: str) -> Iterator[tuple[Notifications, Clock, Callable[[str], None]]]:
    """One that listens on PostgreSQL, its clock, and what does something to its connections."""
    clock = Clock()
    with contextlib.closing(Ledger(postgresql_url)) as ledger:
        made = Notifications(ledger, monotonic=clock)
        quiet(made)

        def do(statement: str) -> None:
            with psycopg.connect(postgresql_url, autocommit=True) as session:
                session.execute(statement)  # type: ignore[arg-type] # a text of this module's

        yield made, clock, do
        made.let_go()


Listening = tuple[Notifications, Clock, Callable[[str], None]]


@pytest.mark.services
def test_a_connection_that_breaks_is_made_again(listener: Listening) -> None:
    """Its server ends it: not sure at once, everybody is looked at, and then it listens again."""
    watch, clock, do = listener
    do(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name = 'waggle listens'"
    )

    assert watch.wait(BOUND_SECONDS) == LOOK
    assert not watch.sure
    clock.at += listening.AGAIN_AFTER
    assert watch.wait(0.1) == LOOK
    quiet(watch)
    do(f"NOTIFY {endings.CHANNEL}, 'some,others'")
    assert set(watch.wait(BOUND_SECONDS).ids) == {"some", "others"}


@pytest.mark.services
def test_a_deaf_connection_is_found_out(listener: Listening) -> None:
    """As behind a pooler: nothing arrives any more, and after the next proof nobody is sure."""
    watch, clock, do = listener
    assert watch._connection is not None
    watch._connection.execute("UNLISTEN *")
    clock.at += listening.PROVE_EVERY
    assert watch.wait(0.01) == NOTHING  # the proof is sent
    assert watch.sure
    clock.at += listening.PROVED_WITHIN

    assert watch.wait(0.01) == LOOK
    assert not watch.sure
    clock.at += listening.AGAIN_AFTER
    quiet(watch)
    do(f"NOTIFY {endings.CHANNEL}, 'some'")
    assert watch.wait(BOUND_SECONDS).ids == {"some"}


@pytest.mark.services
def test_who_never_hears_is_never_sure(listener: Listening, monkeypatch) -> None:
    """A pooler that swallows everything: said once, tried again once a minute."""
    watch, clock, _ = listener
    monkeypatch.setattr(endings, "CHANNEL", "another_one")
    watch.let_go()
    tried = []
    for _ in range(4):
        began = clock.at
        while watch.wait(0.0) != LOOK:
            clock.at += 1.0
        tried.append(clock.at - began)
        clock.at += listening.PROVED_WITHIN
        assert watch.wait(0.0) == LOOK
        assert not watch.sure

    assert [round(pause) for pause in tried] == [0, 1, 60, 60]


def test_each_database_has_its_watch(sqlite_url: str) -> None:
    """SQLite tells nobody; a server does, and by name."""
    with contextlib.closing(Ledger(sqlite_url)) as file:
        assert isinstance(listening.watch(file, list), Commits)
        assert not listening.watch(file, list).of_all
    with contextlib.closing(Ledger("postgresql://x@127.0.0.1:1/x")) as server:
        assert listening.watch(server, list).of_all
