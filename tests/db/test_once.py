"""Straight to the driver: the same questions, answers and errors as through SQLAlchemy."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import JSON, Integer, bindparam, event, func, insert, literal, select, text, update
from sqlalchemy.exc import IntegrityError, InvalidRequestError, OperationalError
from sqlmodel import Session, col

from db.engine import AWAY, Ledger
from db.models import Cover, Event, Feed, User
from db.once import Once
from tests.db.counting import statements
from tests.services.postgresql import OTHERS

NAMED = select(col(User.username), col(User.token_version)).where(
    col(User.username) == bindparam("name")
)
RENAMING = (
    update(User)
    .where(col(User.username) == bindparam("name"))
    .values(username=bindparam("becomes"), token_version=col(User.token_version) + 1)
    .returning(col(User.id), col(User.username))
)
KINDS = select(
    col(Feed.label), col(Feed.params), col(Feed.every), col(Feed.doubtful), col(Feed.last_error)
).where(col(Feed.id) == bindparam("of_feed"))
SETTING = (
    update(Feed)
    .where(col(Feed.id) == bindparam("of_feed"))
    .values(params=bindparam("to", type_=JSON()), doubtful=bindparam("doubted"))
)


@contextmanager
def heard(ledger: Ledger) -> Iterator[list[Any]]:
    """What SQLAlchemy is asked to execute in the block."""
    asked: list[Any] = []

    def note(_connection: Any, statement: Any, *_: Any) -> None:
        asked.append(statement)

    engines = (*ledger.writing_engines, ledger.reading_engine)
    for engine in engines:
        event.listen(engine, "before_execute", note)
    yield asked
    for engine in engines:
        event.remove(engine, "before_execute", note)


def add(ledger: Ledger, *names: str) -> None:
    """People."""
    with ledger.write() as session:
        session.add_all([User(username=name) for name in names])


def names(session: Session) -> list[str]:
    """Who is there, as SQLAlchemy has it."""
    return sorted(session.connection().execute(select(col(User.username))).scalars())


def test_it_goes_past_sqlalchemy_and_is_heard_all_the_same(ledger: Ledger) -> None:
    """Nothing is executed by SQLAlchemy, and whoever counts statements counts it."""
    asked = Once(NAMED)
    with ledger.read() as session, heard(ledger) as executed, statements(ledger) as sent:
        for _ in range(3):
            asked.ask(session, {"name": "alice"})

    assert executed == []
    assert len(sent) == 3
    assert len(set(sent)) == 1


@pytest.mark.usefixtures("linked")
def test_values_come_as_they_would_from_sqlalchemy(ledger: Ledger) -> None:
    """JSON, numbers, truth and nothing: the same values of the same types, and by name."""
    asked, setting = Once(KINDS), Once(SETTING)
    with ledger.write() as session:
        to = {"of_feed": 1, "to": {"a": [1, None, "ä"]}, "doubted": True}
        assert setting.ask(session, to).rowcount == 1
    with ledger.read() as session:
        for number in (1, 2):
            expected = session.connection().execute(KINDS, {"of_feed": number}).one()
            found = asked.ask(session, {"of_feed": number}).one()

            assert tuple(found) == tuple(expected)
            assert [type(each) for each in found] == [type(each) for each in expected]
            assert found.params == expected.params
            assert found._asdict() == expected._asdict()


def test_what_is_changed_is_returned(ledger: Ledger) -> None:
    """An UPDATE with RETURNING, also of nobody."""
    add(ledger, "alice", "bob")
    renaming = Once(RENAMING)
    with ledger.write() as session:
        (row,) = renaming.ask(session, {"name": "bob", "becomes": "carol"})
        assert row.username == "carol"
        assert renaming.ask(session, {"name": "dave", "becomes": "erin"}).one_or_none() is None
        assert names(session) == ["alice", "carol"]


@pytest.mark.usefixtures("linked")
def test_what_is_not_given_is_what_it_is_by_default(ledger: Ledger) -> None:
    """An INSERT of a row, and of several, fills in what the table has for the others."""
    covering = Once(insert(Cover))
    with ledger.write() as session:
        session.add(Event(id="e", kind="autofetch"))
        session.flush()
        covering.ask(session, [{"event_id": "e", "feed_id": 1}])
        covering.ask(session, {"event_id": "e", "feed_id": 2})
    with ledger.read() as session:
        rows = session.connection().execute(select(Cover.__table__)).all()  # type: ignore[attr-defined]

    assert [tuple(row) for row in rows] == [
        ("e", number, None, 0, 0, 0, False) for number in (1, 2)
    ]


def test_several_rows_and_lists_are_right_too(ledger: Ledger) -> None:
    """Both go through SQLAlchemy, which writes them out anew."""
    add(ledger, "alice", "bob", "carol")
    among = Once(
        select(col(User.username)).where(col(User.username).in_(bindparam("these", expanding=True)))
    )
    renaming = Once(
        update(User)
        .where(col(User.username) == bindparam("name"))
        .values(username=bindparam("becomes"))
    )
    with ledger.write() as session:
        for these in (["alice"], ["bob", "carol", "nobody"], []):
            found = among.ask(session, {"these": these}).scalars().all()
            assert sorted(found) == [name for name in these if name != "nobody"]
        renaming.ask(session, [{"name": "alice", "becomes": "a"}, {"name": "bob", "becomes": "b"}])
        assert names(session) == ["a", "b", "carol"]


@pytest.mark.parametrize("given", [{}, {"name": "alice", "more": 1}, {"nam": "alice"}])
def test_exactly_what_it_asks_for_is_given(ledger: Ledger, given: dict[str, object]) -> None:
    """A value too few or too many is an error that names it, and nothing is sent."""
    wrong = given.keys() ^ {"name"}
    with ledger.read() as session, statements(ledger) as sent:
        with pytest.raises(InvalidRequestError) as caught:
            Once(NAMED).ask(session, given)
        assert all(name in str(caught.value) for name in wrong)

    assert sent == []


def test_a_reader_can_not_write_this_way_either(ledger: Ledger) -> None:
    """An UPDATE through the reading way in is refused."""
    add(ledger, "alice")
    with ledger.read() as session, pytest.raises((InvalidRequestError, OperationalError)):
        Once(RENAMING).ask(session, {"name": "alice", "becomes": "mallory"})
    with ledger.read() as session:
        assert names(session) == ["alice"]


def test_it_is_part_of_its_block(ledger: Ledger) -> None:
    """What a block wrote this way is undone with the block."""
    add(ledger, "alice")

    def rename_and_fail() -> None:
        with ledger.write() as session:
            Once(RENAMING).ask(session, {"name": "alice", "becomes": "mallory"})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        rename_and_fail()
    with ledger.read() as session:
        assert names(session) == ["alice"]


def test_a_read_sees_one_state_of_the_ledger(ledger: Ledger) -> None:
    """In SQLite what is asked first begins the view that the whole block has."""
    counting = Once(select(func.count(col(User.id))))
    with ledger.read() as session:
        assert counting.ask(session).scalar_one() == 0
        add(ledger, "alice")
        assert counting.ask(session).scalar_one() == (0 if ledger.is_sqlite else 1)
    with ledger.read() as session:
        assert counting.ask(session).scalar_one() == 1


def test_its_errors_are_those_of_sqlalchemy_and_repeat_no_value(ledger: Ledger) -> None:
    """A row that may not be is an `IntegrityError`, and the block is undone."""
    add(ledger, "alice", "bob-whose-name-is-secret")
    given = {"name": "alice", "becomes": "bob-whose-name-is-secret"}
    with pytest.raises(IntegrityError) as caught, ledger.write() as session:
        Once(RENAMING).ask(session, given)

    assert caught.value.params is None
    assert "secret" not in str(caught.value).partition("DETAIL")[0]
    with ledger.read() as session:
        assert "alice" in names(session)


def test_a_server_that_goes_away_meanwhile_is_away(postgresql_url: str) -> None:
    """The error is one of those that say so, and the next block has another connection."""
    ledger, other = Ledger(postgresql_url, pool=1), Ledger(postgresql_url)
    add(ledger, "alice")
    with ledger.read() as session:
        Once(NAMED).ask(session, {"name": "alice"})
        with other.write() as killing:
            assert killing.connection().execute(text(OTHERS)).all()
        with pytest.raises(AWAY) as caught:
            Once(NAMED).ask(session, {"name": "alice"})
    assert caught.value.connection_invalidated
    with ledger.read() as session:
        assert Once(NAMED).ask(session, {"name": "alice"}).one().username == "alice"
    ledger.close()
    other.close()


def test_a_server_plans_it_once(postgresql_url: str) -> None:
    """What is asked for as long as the process lives is prepared when it is asked first."""
    ledger = Ledger(postgresql_url, pool=1)
    asked = Once(NAMED)
    prepared = text("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE :like")
    with ledger.read() as session:
        for _ in range(2):
            asked.ask(session, {"name": "alice"})
        found = session.connection().execute(prepared, {"like": "%token_version%"}).scalar_one()

    assert found == 1
    ledger.close()


def test_what_has_failed_is_asked_anew(ledger: Ledger) -> None:
    """Over the connection that has met the error, with the statement that has."""
    add(ledger, "alice", "bob")
    taken, free = {"name": "alice", "becomes": "bob"}, {"name": "alice", "becomes": "carol"}
    asked = Once(RENAMING)
    with pytest.raises(IntegrityError), ledger.write() as session:
        asked.ask(session, taken)

    for _ in range(2):
        with ledger.write() as session:
            found = asked.ask(session, free).all()
        assert [row.username for row in found] == ["carol"]
        free = {"name": "carol", "becomes": "carol"}


ODD = ["it's 100 %, %(name)s, %s", "back\\slash", "", -7, 2**40, 0.1, -2.5e-30, True, False, None]


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_a_value_that_never_changes_is_what_it_is(ledger: Ledger, odd: object) -> None:
    """Written out in the statement or given with it: the same value, of the same type."""
    asked = Once(select(literal(odd), literal(1) + bindparam("one", type_=Integer)))
    with ledger.read() as session:
        found, two = asked.ask(session, {"one": 1}).one()

    assert (found, type(found), two) == (odd, type(odd), 2)
