"""Tying callbacks to feeds: whatever runs at the same time, each event finds its feeds once."""

import random

from sqlmodel import Session, select

from db import feeds, inbox, opening
from db.engine import Ledger
from db.models import Cover, Event, Feed, Goal, Source, User
from db.states import EventKind, EventState, FeedState
from tests.db.counting import statements
from tests.db.test_feeds import NOW, claim, fill, finish, state
from tests.tasks.scenes import at_once


def stored(ledger: Ledger, *payloads: dict[str, str], **more: object) -> list[str]:
    """Callbacks with these payloads, stored and not yet looked at."""
    new = [
        inbox.NewEvent(kind=EventKind.AUTOFETCH, payload=payload, received_at=NOW, **more)
        for payload in payloads
    ]
    with ledger.write() as session:
        inbox.store(session, new)
    return [event.id for event in new]


def opened(ledger: Ledger, **more: int) -> opening.Opened:
    """One pass over the new callbacks."""
    with ledger.write() as session:
        return opening.open_callbacks(session, NOW, **more)


def covers(ledger: Ledger) -> set[tuple[str, int]]:
    """Which event waits for which feed."""
    with ledger.read() as session:
        return {(cover.event_id, cover.feed_id) for cover in session.exec(select(Cover))}


def test_an_event_waits_for_all_feeds_of_its_goal_that_are_awake(ledger: Ledger) -> None:
    """One cover per active or failing feed; paused and stopped ones are not waited for."""
    ids = fill(ledger, feeds_each=4)
    with ledger.write() as session:
        for feed_id, feed_state in zip(ids, FeedState, strict=True):
            feed = session.get_one(Feed, feed_id)
            feed.state = feed_state
            session.add(feed)
    (event_id,) = stored(ledger, {"username": "alice", "slug": "g0"})

    opened(ledger)

    assert covers(ledger) == {(event_id, ids[0]), (event_id, ids[2])}
    with ledger.read() as session:
        asked = [session.get_one(Feed, feed_id).asked for feed_id in ids]
    assert asked == [1, 0, 1, 0]


def test_an_event_waits_for_a_feed_whose_goal_rests(ledger: Ledger) -> None:
    """Waggle paused it itself: the callback is what finds out that the goal is back."""
    ids = fill(ledger, feeds_each=2)
    with ledger.write() as session:
        for feed_id, reason in zip(ids, ("goal_frozen", "paused by a person"), strict=True):
            feed = session.get_one(Feed, feed_id)
            feed.state, feed.reason = FeedState.PAUSED, reason
            session.add(feed)
    (event_id,) = stored(ledger, {"username": "alice", "slug": "g0"})

    opened(ledger)

    assert covers(ledger) == {(event_id, ids[0])}


def test_a_new_name_may_be_of_whoever_has_such_a_goal(ledger: Ledger) -> None:
    """Not looked at within a minute: left for a look-up; else, and for other slugs, refused."""
    fill(ledger)
    wanted = {"username": "alicia", "slug": "g0"}
    (other,) = stored(ledger, {"username": "alicia", "slug": "g7"})
    (event_id,) = stored(ledger, wanted)
    assert opened(ledger).unknown == 1
    assert [state(ledger, found) for found in (other, event_id)] == ["failed", "received"]
    with ledger.write() as session:
        user = session.exec(select(User)).one()
        user.facts_at = NOW - 60
        session.add(user)
    (again,) = stored(ledger, wanted)

    assert opened(ledger).unknown == 0
    assert state(ledger, again) == "failed"


def test_the_id_of_a_goal_counts_for_more_than_its_name(ledger: Ledger) -> None:
    """A reminder names Beeminder's id: it is found whatever the slug says."""
    (feed_id, _) = fill(ledger, feeds_each=2, goals=2)
    with ledger.write() as session:
        goal = session.get_one(Goal, session.get_one(Feed, feed_id).goal_id)
        goal.beeminder_id = "b1"
        session.add(goal)
    (event_id,) = stored(
        ledger, {"username": "alice", "slug": "renamed", "goal_beeminder_id": "b1"}
    )

    opened(ledger)

    assert covers(ledger) == {(event_id, feed_id)}


def test_a_pass_takes_so_many_and_says_that_there_are_more(ledger: Ledger) -> None:
    """The limit bounds a transaction; what is left is opened by the next pass."""
    fill(ledger)
    stored(ledger, *[{"username": "alice", "slug": "g0"}] * 5)

    assert [opened(ledger, limit=2).more for _ in range(3)] == [True, True, False]
    with ledger.read() as session:
        assert not opening.any_new(session, NOW)
        assert {event.state for event in session.exec(select(Event))} == {"working"}


def test_what_others_have_opened_since_a_look_is_theirs(ledger: Ledger) -> None:
    """Two workers hear one bell and look at once: what is tied twice would be asked for twice."""
    (feed_id,) = fill(ledger)
    known, unknown = stored(ledger, *({"username": "alice", "slug": slug} for slug in ("g0", "gx")))
    with ledger.read() as session:
        found = opening.look(session, NOW)
    assert opened(ledger).unknown == 1
    (late,) = stored(ledger, {"username": "alice", "slug": "g0"})

    with ledger.write() as session:
        again = opening.open_callbacks(session, NOW, found=found)

    assert again == opening.Opened()
    assert state(ledger, known) == "working"
    assert [state(ledger, each) for each in (unknown, late)] == ["received", "received"]
    with ledger.read() as session:
        assert session.get_one(Feed, feed_id).asked == 1


def test_many_callbacks_are_opened_with_as_few_statements_as_one(ledger: Ledger) -> None:
    """Of several people, goals and feeds, made-up names among them: each is no statement more."""

    def sent(count: int) -> int:
        made_up = [{"username": f"x{n}", "slug": f"y{n}"} for n in range(count)]
        unknown = [{"username": f"p{n}", "slug": "new"} for n in range(count)]
        wanted = [{"username": f"p{n}", "slug": "g"} for n in range(count)]
        stored(ledger, *made_up, *unknown, *wanted)
        with ledger.write() as session, statements(ledger, written=True) as asked:
            assert opening.open_callbacks(session, NOW).unknown == count
        return len(asked)

    with ledger.write() as session:
        for n in range(20):
            user = User(username=f"p{n}")
            session.add(user)
            session.flush()
            goal = Goal(user_id=user.id, slug="g", declared_slug="g")
            source = Source(user_id=user.id, name="s", provider="bemserver")
            session.add_all([goal, source])
            session.flush()
            facts = {"goal_id": goal.id, "source_id": source.id, "metric": "m"}
            session.add_all([Feed(label=label, **facts) for label in "ab"])

    assert sent(20) <= sent(1) <= 12
    with ledger.read() as session:
        asked = [feed.asked for feed in session.exec(select(Feed).order_by(Feed.id))]
    assert asked == [2, 2, *[1] * 38]


def test_an_unknown_slug_is_left_for_the_look_up(ledger: Ledger) -> None:
    """The person is known, the slug is not: received still, but not looked at by a pass again."""
    fill(ledger)
    (event_id,) = stored(ledger, {"username": "alice", "slug": "other"})

    assert opened(ledger).unknown == 1

    assert state(ledger, event_id) == EventState.RECEIVED
    with ledger.read() as session:
        assert not opening.any_new(session, NOW)


def test_opening_and_claiming_never_wait_in_a_circle(ledger: Ledger) -> None:
    """Eight workers open, claim, renew and finish events of overlapping feeds: no deadlock."""
    fill(ledger, sources=4, feeds_each=6, goals=8)

    def work(worker: int) -> None:
        rng = random.Random(worker)  # noqa: S311 -- a repeatable order
        for turn in range(6):
            slugs = [f"g{rng.randrange(8)}" for _ in range(4)]
            stored(ledger, *[{"username": "alice", "slug": slug} for slug in slugs])
            opened(ledger, limit=8)
            for held in claim(ledger, f"w{worker}", now=NOW + turn, limit=6):
                with ledger.write() as session:
                    feeds.renew(session, owner=held.owner, feed_ids=[held.feed_id], now=NOW)
                finish(ledger, held, now=NOW + turn)

    at_once(8, work)

    while opened(ledger, limit=8).more:  # what two passes at once found, one of them opened
        pass
    while found := [held for held in claim(ledger, now=NOW + 50) if held.lane == 0]:
        for held in found:
            finish(ledger, held, now=NOW + 50)
    with ledger.read() as session:
        states = [event.state for event in session.exec(select(Event))]
    assert (len(states), set(states)) == (8 * 6 * 4, {"done"})


def test_names_of_people_may_hold_wildcards(ledger: Ledger) -> None:
    """`a_ice` is not alice, and `%` is nobody."""
    fill(ledger)
    ids = stored(ledger, {"username": "a_ice", "slug": "g9"}, {"username": "%", "slug": "g9"})

    opened(ledger)

    assert {state(ledger, event_id) for event_id in ids} == {"failed"}


def test_a_known_person_is_found_by_our_id(ledger: Ledger) -> None:
    """A reminder hook names the person by row: the payload's username is not believed."""
    fill(ledger)
    with ledger.write() as session:
        user_id = _only_user(session)
    (event_id,) = stored(ledger, {"username": "mallory", "slug": "g0"}, user_id=user_id)

    opened(ledger)

    assert state(ledger, event_id) == "working"


def _only_user(session: Session) -> int:
    return session.exec(select(User)).one().id or 0


def test_a_callback_of_a_clock_that_is_ahead_is_opened_all_the_same(ledger: Ledger) -> None:
    """By a moment: the bell that was rung for it finds it. One of a clock that jumped waits."""
    fill(ledger)
    called = {"username": "alice", "slug": "g0"}
    for ahead in (-0.01, 0.01):
        at = NOW + opening.CLOCKS_APART + ahead
        new = inbox.NewEvent(kind=EventKind.AUTOFETCH, payload=called, received_at=at)
        with ledger.write() as session:
            inbox.store(session, [new])

    opened(ledger)

    assert len(covers(ledger)) == 1
    with ledger.read() as session:
        assert not opening.any_new(session, NOW)
        assert opening.any_new(session, NOW + 1)
