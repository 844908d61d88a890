"""The inbox in pages: each event once, whatever happens meanwhile, and only what was asked for."""

from db import inbox, inbox_listed
from db.inbox_listed import Asked
from db.models import User
from db.states import EventKind, EventState
from tests.db.counting import statements

NOW = 1_793_880_000.0


def event(ledger, at, **more):
    """One event of alice's goal that came in at `at` seconds; returns its id."""
    new = inbox.NewEvent(
        **{
            "id": inbox.new_id(NOW + at),
            "kind": EventKind.AUTOFETCH,
            "payload": {"username": "alice", "slug": "energy"},
            "received_at": NOW + at,
            "user_id": 1,
            "goal_id": 1,
        }
        | more
    )
    with ledger.write() as session:
        inbox.store(session, [new])
    return new.id


def found(ledger, asked=inbox_listed.EVERYTHING, **page):
    """The ids of a page."""
    with ledger.read() as session:
        rows = inbox_listed.rows(session, NOW, asked, **({"limit": 50} | page))
    return [row["id"] for row in rows]


def test_pages_leave_nothing_out_while_events_come_in(ledger, linked):
    """Forth by `before` and back by `after`; a new event moves nobody."""
    ids = [event(ledger, at) for at in range(7)][::-1]
    first = found(ledger, limit=3)
    event(ledger, 100)
    second = found(ledger, before=first[-1], limit=3)
    third = found(ledger, before=second[-1], limit=3)

    assert first + second + third == ids
    assert found(ledger, after=third[0], limit=3) == second
    assert found(ledger, after=second[0], limit=3) == first


def test_filters_narrow_the_list(ledger, linked):
    """By state, kind, person and age; the ends of an age are exact."""
    with ledger.write() as session:
        session.add(User(id=2, username="bob"))
    old, mid, new = event(ledger, -7200), event(ledger, -3600), event(ledger, -60)
    bobs = event(ledger, -30, user_id=2, goal_id=None, kind=EventKind.REMINDER)
    with ledger.write() as session:
        inbox.finish(session, [mid], NOW, error={"code": "x", "message": "y"})

    assert found(ledger, Asked(states=(EventState.FAILED, EventState.DEAD))) == [mid]
    assert found(ledger, Asked(kind=EventKind.REMINDER)) == [bobs]
    assert found(ledger, Asked(user_id=1)) == [new, mid, old]
    assert found(ledger, Asked(since=NOW - 3600)) == [bobs, new, mid]
    assert found(ledger, Asked(until=NOW - 3600)) == [old]


def test_a_search_finds_goals_ids_and_requests(ledger, linked):
    """A part of a slug, user/goal, an id or its beginning, the id of a request."""
    tied = event(ledger, 0)
    loose = event(ledger, 1, goal_id=None, payload={"username": "al", "slug": "nobodys"})
    asked = event(ledger, 2, goal_id=None, payload={}, request_id="ab12-7f")

    for text, ids in {
        "ener": [tied],
        "Alice/ENERGY": [tied],
        "nobodys": [loose],
        "al/nobodys": [loose],
        "nobody": [],
        tied.upper(): [tied],
        tied[:20]: [tied],
        "ab12-7f": [asked],
        "ab12": [],
        "%": [],
        "' OR 1=1 --": [],
    }.items():
        assert found(ledger, Asked(text=text)) == ids, text
    assert found(ledger, Asked(text="energy", user_id=2)) == []


def test_a_list_asks_as_often_however_long_it_is(ledger, linked):
    """Names and waits are not looked up row by row."""
    event(ledger, 0)
    with statements(ledger) as few:
        found(ledger, Asked(text="energy"))
    for at in range(30):
        event(ledger, at + 1)
    with statements(ledger) as many:
        found(ledger, Asked(text="energy"))

    assert len(many) == len(few)


def test_the_oldest_that_are_worth_a_replay_are_chosen_first(ledger, linked):
    """Who replays a part of what failed begins at its beginning, and comes on to the rest."""
    ids = [event(ledger, at) for at in range(6)]
    asked = Asked(to_replay=True)
    with ledger.write() as session:
        inbox.finish(session, ids[:5], NOW, error={"code": "x", "message": "y"})
    with ledger.read() as session:
        assert inbox_listed.ids(session, asked, limit=3) == ids[:3]
    event(ledger, 9, replay_of=ids[0])
    with ledger.read() as session:
        assert inbox_listed.ids(session, asked, limit=3) == ids[1:4]
        rows = inbox_listed.chosen(session, [ids[0], ids[4], ids[1], ids[5], "nobodys"])
    assert [(row["id"], row["username"], row["slug"]) for row in rows] == [
        (ids[1], "alice", "energy"),
        (ids[4], "alice", "energy"),
    ]
