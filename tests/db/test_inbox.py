"""The inbox: ids that sort by time, groups in one statement, and where each event stands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from db import inbox
from db.engine import Ledger
from db.models import Event, User
from db.states import EventKind, EventState

NOW = 1_800_000_000.0


def event(**more: object) -> inbox.NewEvent:
    """A callback."""
    facts = {"kind": EventKind.AUTOFETCH, "payload": {"slug": "x"}, "received_at": NOW}
    return inbox.NewEvent(**(facts | more))


@given(st.lists(st.floats(0, 2**40), min_size=2, max_size=2, unique=True), st.data())
def test_ids_sort_by_time(times: list[float], data: st.DataObject) -> None:
    """Of two ids the earlier one sorts first, whatever the random part is."""
    bits = st.integers(0, 2**80 - 1)
    made = [inbox.new_id(at, random_bits=lambda _n: data.draw(bits)) for at in times]

    assert all(len(one) == 26 and set(one) <= set(inbox.ALPHABET) for one in made)
    if int(times[0] * 1000) != int(times[1] * 1000):
        assert (made[0] < made[1]) is (times[0] < times[1])


def test_ids_of_one_moment_differ() -> None:
    """A thousand callbacks in one millisecond have a thousand ids."""
    assert len({inbox.new_id(NOW) for _ in range(1000)}) == 1000


def test_a_group_is_stored_and_stands_as_received(ledger: Ledger) -> None:
    """Everything of the group is there; unknown ids are left out of the answer."""
    group = [event(), event(replay_of="old")]
    with ledger.write() as session:
        inbox.store(session, group)

    ids = [new.id for new in group]
    with ledger.read() as session:
        found = inbox.outcomes(session, [*ids, "unknown"], NOW)
        assert inbox.ended(session, ids) == set()
    assert found == dict.fromkeys(ids, inbox.Outcome(EventState.RECEIVED, 0, None))


AWKWARD = "\u00e9\u4e2d\U0001f41d'\"\\\\{}%s:x$.id\u2028"


@given(st.integers(0, 2**48 - 1), st.integers(0, 2**80 - 1))
def test_an_id_says_all_its_bits(milliseconds: int, bits: int) -> None:
    """What went into an id can be read from it."""
    made = inbox.new_id(milliseconds / 1000, random_bits=lambda _n: bits)

    assert inbox.number_of(made) == int(milliseconds / 1000 * 1000) << 80 | bits


def test_what_was_stored_is_what_came(ledger: Ledger) -> None:
    """Text in any script, numbers to the last bit, and nothing where nothing was."""
    with ledger.write() as session:
        session.add(User(id=2**31 - 1, username="u"))
    hashes = {"token_hashes": ["a", "b"], AWKWARD: {"deep": [1.5, None, True, AWKWARD]}}
    group = [
        event(payload={"slug": AWKWARD}, request_id="r-1", received_at=NOW + 1 / 3),
        event(kind=EventKind.DEAUTHORIZED, payload=hashes, received_at=NOW + 1 / 3),
        event(payload={}, user_id=2**31 - 1, goal_id=7, replay_of=AWKWARD, received_at=0.1 + 0.2),
    ]
    with ledger.write() as session:
        inbox.store(session, group)

    with ledger.read() as session:
        rows = {row.id: row for row in session.exec(select(Event)).scalars()}
    for new in group:
        row = rows[new.id]
        assert {name: getattr(row, name) for name in inbox.GIVEN} == {
            name: getattr(new, name) for name in inbox.GIVEN
        }
        assert row.received_at == row.due_at == new.received_at
        assert (row.state, row.attempts, row.suspect, row.error) == ("received", 0, False, None)
        assert (row.lease_owner, row.finished_at, row.datapoints) == (None, None, 0)


def test_a_group_is_one_statement(ledger: Ledger) -> None:
    """However many there are: a receiver's commits would wait for their turn at each."""
    asked: list[str] = []

    def note(*args: object) -> None:
        asked.append(str(args[2]))

    sqlalchemy_event.listen(ledger.engine, "before_cursor_execute", note)
    with ledger.write() as session:
        inbox.store(session, [event() for _ in range(500)])

    assert [statement.split()[0] for statement in asked] == ["INSERT"]
    with ledger.read() as session:
        assert len(session.exec(select(Event)).all()) == 500


def test_none_of_a_group_is_stored_with_one_that_is_there(ledger: Ledger) -> None:
    """An id that is taken refuses all that came with it: nobody is told that it was stored."""
    first, second = event(), event()
    with ledger.write() as session:
        inbox.store(session, [first])
    with pytest.raises(IntegrityError), ledger.write() as session:
        inbox.store(session, [second, first])

    with ledger.read() as session:
        assert set(inbox.outcomes(session, [first.id, second.id], NOW)) == {first.id}


def test_an_end_is_final(ledger: Ledger) -> None:
    """Done, failed or dead: whatever ends an event first is what it stays."""
    group = [event(), event(), event()]
    with ledger.write() as session:
        inbox.store(session, group)
    ids = [new.id for new in group]
    with ledger.write() as session:
        inbox.finish(session, [ids[0]], NOW + 1)
        inbox.finish(session, [ids[1]], NOW + 1, error={"code": "x", "message": "y"})
        inbox.finish(session, [ids[2]], NOW + 1, error={"code": "x", "message": "y"}, dead=True)
    with ledger.write() as session:
        inbox.finish(session, ids, NOW + 2)

    with ledger.read() as session:
        found = inbox.outcomes(session, ids, NOW)
        assert inbox.ended(session, ids) == set(ids)
    assert [found[one].state for one in ids] == ["done", "failed", "dead"]
    assert found[ids[1]].error == {"code": "x", "message": "y"}


def test_how_some_ended_is_told_of_those_that_did(ledger: Ledger) -> None:
    """One or several: the same as where they stand, without those that go on."""
    group = [event(), event(), event()]
    ids = [new.id for new in group]
    with ledger.write() as session:
        inbox.store(session, group)
    with ledger.write() as session:
        inbox.finish(session, ids[:1], NOW + 1, error={"code": "x", "message": "y"})
        inbox.finish(session, ids[1:2], NOW + 1)

    with ledger.read() as session:
        found = inbox.outcomes(session, ids[:2], NOW)
        assert inbox.how_ended(session.connection(), ids) == found
        assert inbox.how_ended(session.connection(), ids[:1]) == {ids[0]: found[ids[0]]}
        assert inbox.how_ended(session.connection(), ids[2:]) == {}


def test_the_latest_event_of_somebody_is_theirs(ledger: Ledger) -> None:
    """Not a newer one of somebody else, nor one of another kind; None for who has none."""
    with ledger.write() as session:
        session.add_all(User(id=number, username=f"u{number}") for number in (1, 2, 3))
    old, new, other, reminder = (
        event(id=inbox.new_id(NOW + at), user_id=user, kind=kind)
        for at, (user, kind) in enumerate(
            (
                (1, EventKind.AUTOFETCH),
                (1, EventKind.AUTOFETCH),
                (2, EventKind.AUTOFETCH),
                (1, EventKind.REMINDER),
            )
        )
    )
    with ledger.write() as session:
        inbox.store(session, [old, new, other, reminder])
    with ledger.read() as session:
        asked = select(
            col(User.id),
            inbox.latest(col(Event.user_id), col(User.id)),
            inbox.latest(col(Event.user_id), col(User.id), col(Event.kind) == EventKind.AUTOFETCH),
        )
        found = {user_id: ids for user_id, *ids in session.connection().execute(asked)}
    assert found == {1: [reminder.id, new.id], 2: [other.id, other.id], 3: [None, None]}
