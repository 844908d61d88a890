"""What people are shown of gates: under names they know, since when, until when, and who waits."""

import pytest

from db import held_up
from db.engine import Ledger
from db.models import Event, Feed, Goal, Source, User
from db.models_limits import Breaker, Quota
from db.states import FeedState, Lane

NOW = 1_793_880_000.0
KEY = "bemserver:0123456789abcdef01234567"

pytestmark = pytest.mark.usefixtures("linked")


@pytest.fixture(autouse=True)
def _counted(ledger: Ledger, linked: None) -> None:
    """The plant of alice is counted under KEY; neither of its feeds is due."""
    with ledger.write() as session:
        session.get_one(Source, 1).quota_key = KEY
        for number in (1, 2):
            session.get_one(Feed, number).due_at = NOW + 3600


def add(ledger: Ledger, *rows: object) -> None:
    """Put rows into the ledger."""
    with ledger.write() as session:
        for row in rows:
            session.add(row)
            session.flush()


def change(ledger: Ledger, feed_id: int, **columns: object) -> None:
    """Another state of a feed."""
    with ledger.write() as session:
        feed = session.get_one(Feed, feed_id)
        for name, value in columns.items():
            setattr(feed, name, value)


def look(ledger: Ledger, *, notable: bool = False) -> list[held_up.Gate]:
    """The gates as they are shown."""
    with ledger.read() as session:
        return held_up.gates(session, NOW, notable=notable)


def closed(key: str = KEY, **more: object) -> Quota:
    """A gate that was closed a minute ago and opens in 43 seconds."""
    values: dict[str, object] = {
        "vendor": key.partition(":")[0],
        "closed_at": NOW - 60,
        "closed_until": NOW + 43,
        "seen_limit": "rate_limited",
    }
    return Quota(key=key, **(values | more))


def test_a_closed_gate_says_since_when_and_until_when(ledger: Ledger) -> None:
    """Under the name of its source; what stands in the key is nobody's name for it."""
    add(ledger, closed())
    (gate,) = look(ledger)
    assert (gate.name, gate.state, gate.reason) == ("bemserver:plant", "closed", "rate_limited")
    assert (gate.since, gate.until) == (NOW - 60, NOW + 43)


@pytest.mark.parametrize(
    ("columns", "state"),
    [
        ({"closed_until": NOW, "proven_at": NOW - 90}, "half open"),
        ({"closed_until": NOW, "proven_at": NOW}, "open"),
        ({"closed_until": 0.0, "next_free_at": NOW + 2, "tolerance": 1.0}, "crowded"),
        ({"closed_until": 0.0, "next_free_at": NOW + 2, "tolerance": 2.0}, "open"),
    ],
)
def test_a_gate_is_in_one_of_four_states(
    ledger: Ledger, columns: dict[str, float], state: str
) -> None:
    """Half open until something was answered; crowded while whoever comes has to wait."""
    add(ledger, closed(**columns))
    (gate,) = look(ledger)
    assert gate.state == state
    assert gate.until is None  # nobody knows, or it is over
    assert (gate.since is not None) == (state == "half open")
    assert (gate.reason is not None) == (state == "half open")


def test_who_waits_is_counted(ledger: Ledger) -> None:
    """Feeds that are due, and those put back until it opens; not those of another day."""
    add(ledger, closed())
    assert look(ledger)[0].waiting == 0
    change(ledger, 1, due_at=NOW - 5, lane=Lane.URGENT)
    assert (look(ledger)[0].waiting, look(ledger)[0].asked) == (1, 1)
    change(ledger, 2, due_at=NOW + 43.4, deferrals=1, lane=Lane.BULK)
    assert (look(ledger)[0].waiting, look(ledger)[0].asked) == (2, 1)
    change(ledger, 2, due_at=NOW + 43.4, deferrals=0)  # its own time comes then
    assert look(ledger)[0].waiting == 1


def test_who_comes_soon_after_an_opening_by_hand_waits(ledger: Ledger) -> None:
    """Its own time has passed, and what was put back comes a little apart: that still waits."""
    add(ledger, closed(closed_until=0.000001, proven_at=0.0))
    change(ledger, 1, due_at=NOW + 0.4, deferrals=1)
    change(ledger, 2, due_at=NOW + 600, deferrals=1)
    assert look(ledger)[0].waiting == 1


@pytest.mark.parametrize(
    "columns",
    [{"lease_until": NOW + 5}, {"state": FeedState.PAUSED}, {"state": FeedState.STOPPED}],
)
def test_what_is_not_waiting_is_not_counted(ledger: Ledger, columns: dict[str, object]) -> None:
    """At work, paused or stopped."""
    add(ledger, closed())
    change(ledger, 1, due_at=NOW - 5, **columns)
    assert look(ledger)[0].waiting == 0


def test_nobody_waits_at_an_open_gate(ledger: Ledger) -> None:
    """What is due and was not claimed yet is no affair of the gate's."""
    add(ledger, closed(closed_until=NOW - 1, proven_at=NOW - 1))
    change(ledger, 1, due_at=NOW - 5, deferrals=3)
    assert (look(ledger)[0].waiting, look(ledger)[0].asked) == (0, 0)


def test_the_gate_of_a_person_has_their_name(ledger: Ledger) -> None:
    """The one they have now; all their feeds wait there, of whatever source, and nobody else's."""
    add(ledger, closed("beeminder:1", title="alice-as-she-was-called"))
    add(ledger, User(id=2, username="bob"))
    add(ledger, Source(id=2, user_id=2, name="plant", provider="bemserver"))
    add(ledger, Goal(id=2, user_id=2, slug="energy", declared_slug="energy"))
    add(ledger, Feed(id=3, goal_id=2, source_id=2, metric="m", due_at=NOW - 5))
    change(ledger, 1, due_at=NOW - 5)
    (gate,) = look(ledger)
    assert (gate.name, gate.waiting) == ("beeminder:alice", 1)
    with ledger.read() as session:
        assert held_up.waiting_by_vendor(session, NOW) == {"beeminder": 1}


def test_sources_that_share_a_quota_are_named_together(ledger: Ledger) -> None:
    """At most three of them, each name once; a title of the provider's goes before."""
    names = ("plant", "barn", "roof", "shed", "well")
    for number, name in enumerate(names, start=2):
        add(ledger, User(id=number, username=f"u{number}"))
        add(
            ledger,
            Source(id=number, user_id=number, name=name, provider="bemserver", quota_key=KEY),
        )
    add(ledger, closed())
    assert look(ledger)[0].name == "bemserver:barn,plant,roof,+2"
    with ledger.write() as session:
        session.get_one(Quota, KEY).title = "acme"
    assert look(ledger)[0].name == "bemserver:acme"
    assert look(ledger)[0].sources == ("barn", "plant", "roof", "shed", "well")


def test_a_gate_that_nobody_uses_is_called_by_its_vendor(ledger: Ledger) -> None:
    """No key stands in for a name."""
    add(ledger, closed("bemserver:gone"))
    assert look(ledger)[0].name == "bemserver"


def test_calls_that_are_counted_apart_are_named(ledger: Ledger) -> None:
    """The gate of some calls of an account says which, and who waits for the account."""
    add(ledger, closed(title="acme"))
    add(ledger, closed("bemserver:x", title="acme", endpoint="GET projects/*/runs"))
    change(ledger, 1, due_at=NOW - 5)
    account, calls = look(ledger)
    assert (account.name, account.waiting) == ("bemserver:acme", 1)
    assert (calls.name, calls.waiting) == ("bemserver:acme GET projects/*/runs", 1)
    assert calls.sources == ("plant",)


def test_what_is_notable_is_closed_or_slowed(ledger: Ledger) -> None:
    """Gates that stand open at full speed are left out; our own bookkeeping is never shown."""
    add(
        ledger,
        closed("a:1"),
        closed("b:1", closed_until=0.0, learned_interval=0.02, learned_window=1.0),
        closed("c:1", closed_until=0.0),
        closed("look-up:1", vendor=held_up.OURS),
    )
    assert [gate.vendor for gate in look(ledger, notable=True)] == ["a", "b"]
    assert [gate.vendor for gate in look(ledger)] == ["a", "b", "c"]


def test_open_breakers_have_names(ledger: Ledger) -> None:
    """A source is told with its owner, a link with the person; mere trouble is not told."""
    with ledger.read() as session:
        assert held_up.broken(session) == []
    add(
        ledger,
        Breaker(subject="user:1", opened_at=NOW - 1, troubled_since=NOW - 900, reason="x"),
        Breaker(subject="source:1", opened_at=NOW - 5, troubled_since=NOW - 800, reason="y"),
        Breaker(subject="source:2", troubled_since=NOW - 800, reason="z"),
    )
    with ledger.read() as session:
        found = held_up.broken(session)
    assert [(name, each.reason) for name, each in found] == [
        ("Beeminder for alice", "x"),
        ("source plant of alice", "y"),
    ]


def test_dangerous_feeds_have_names(ledger: Ledger) -> None:
    """Those that run alone, and those that are set aside; whoever is stopped is neither."""
    change(ledger, 1, suspect=True)
    change(ledger, 2, state=FeedState.FAILING, reason="set_aside", suspect=True)
    with ledger.read() as session:
        assert held_up.dangerous(session) == (["alice/energy"], ["alice/energy:roof"])
    change(ledger, 1, state=FeedState.STOPPED)
    change(ledger, 2, reason="not_found", suspect=False)
    with ledger.read() as session:
        assert held_up.dangerous(session) == ([], [])


def test_waits_of_callbacks_are_added_up(ledger: Ledger) -> None:
    """Of those that came since; whoever never waited is not counted."""
    with ledger.read() as session:
        assert held_up.deferred(session, NOW) == (0, 0)
    for number, (ago, deferrals) in enumerate(((5, 3), (10, 0), (20, 4), (90, 8))):
        add(ledger, Event(id=f"{number}", kind="sync", received_at=NOW - ago, deferrals=deferrals))
    with ledger.read() as session:
        assert held_up.deferred(session, NOW - 60) == (7, 2)
