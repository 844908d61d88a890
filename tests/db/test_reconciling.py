"""Whose turn it is to be reconciled, and that only what was compared is written."""

import pytest
from sqlmodel import select

from db import deaths, reconciling
from db.engine import Ledger
from db.feeds import Claim
from db.models import Feed, Goal, Source, User
from db.models_points import Datapoint
from db.states import FeedState

NOW = 1_800_000_000.0
DAY = 86400.0
HOURS_2 = 7200.0  # the latest that an id makes a goal


@pytest.fixture
def feed_ids(ledger: Ledger) -> list[int]:
    """Two feeds of the goal `g0` and one of `g1`, all synced, linked long ago, not due."""
    with ledger.write() as session:
        user = User(username="alice")
        session.add(user)
        session.flush()
        goals = [Goal(user_id=user.id, slug=f"g{n}", declared_slug=f"g{n}") for n in range(2)]
        source = Source(user_id=user.id, name="s", provider="bemserver")
        session.add_all([*goals, source])
        session.flush()
        made = [
            Feed(
                goal_id=goals[number // 2].id,
                source_id=source.id,
                label=str(number),
                metric="m",
                due_at=NOW + 60,
                last_synced_at=NOW - 60,
                created_at=NOW - 10 * DAY,
                reconciled_at=NOW - 5 * DAY if number < 2 else NOW - 6 * DAY,
            )
            for number in range(3)
        ]
        session.add_all(made)
        session.flush()
        return [feed.id or 0 for feed in made]


def change(ledger: Ledger, feed_id: int, **columns: object) -> None:
    """Set columns of a feed."""
    with ledger.write() as session:
        feed = session.get_one(Feed, feed_id)
        for name, value in columns.items():
            setattr(feed, name, value)
        session.add(feed)


def claim(ledger: Ledger, now: float = NOW) -> list[int]:
    """The feeds that a worker gets."""
    with ledger.write() as session:
        claims = reconciling.claim_overdue(session, owner="w", now=now)
    with ledger.read() as session:
        assert claims or not reconciling.any_overdue(session, now)
    return sorted(held.feed_id for held in claims)


def test_one_goal_at_a_time_longest_waiting_first(ledger: Ledger, feed_ids: list[int]) -> None:
    """All its feeds together, so that the goal is read once; then the next goal."""
    assert [claim(ledger), claim(ledger), claim(ledger)] == [feed_ids[2:], feed_ids[:2], []]


@pytest.mark.parametrize(
    "columns",
    [
        {"state": FeedState.PAUSED, "reason": "paused by a person"},
        {"state": FeedState.PAUSED, "reason": "goal_frozen"},
        {"state": FeedState.STOPPED},
        {"lease_until": NOW + 1},
        {"due_at": NOW - 1},
        {"last_synced_at": None},
        {"reconciled_at": NOW - DAY + 1},
        {"reconciled_at": None, "created_at": NOW - DAY + 1},
    ],
)
def test_what_is_not_its_turn(
    ledger: Ledger, feed_ids: list[int], columns: dict[str, object]
) -> None:
    """Paused, stopped, busy, about to be synced, never synced, or compared within the day."""
    change(ledger, feed_ids[2], **columns)
    assert claim(ledger) == feed_ids[:2]


def test_a_failing_feed_has_its_turn_too(ledger: Ledger, feed_ids: list[int]) -> None:
    """Its source is in trouble, its points at Beeminder are as good as ever."""
    change(ledger, feed_ids[2], state=FeedState.FAILING)
    assert claim(ledger) == feed_ids[2:]


def test_a_day_later_it_is_due_again(ledger: Ledger, feed_ids: list[int]) -> None:
    """Not before a day has passed, and at most two hours after it."""
    with ledger.write() as session:
        reconciling.compared(session, feed_ids, NOW)
    assert claim(ledger, NOW + DAY - 1) == []
    later = NOW + DAY + HOURS_2
    for feed_id in feed_ids:
        change(ledger, feed_id, due_at=later + 60)
    assert claim(ledger, later) != []


@pytest.mark.parametrize("compared", [False, True])
def test_goals_of_one_moment_do_not_fall_due_together(ledger: Ledger, *, compared: bool) -> None:
    """Linked and compared in the same second, they are spread over two hours."""
    with ledger.write() as session:
        user = User(username="alice")
        session.add(user)
        session.flush()
        source = Source(user_id=user.id, name="s", provider="bemserver")
        goals = [Goal(user_id=user.id, slug=f"g{n}", declared_slug=f"g{n}") for n in range(120)]
        session.add_all([source, *goals])
        session.flush()
        session.add_all(
            Feed(
                goal_id=goal.id,
                source_id=source.id,
                metric="m",
                due_at=NOW + 9 * DAY,
                last_synced_at=NOW,
                created_at=NOW,
            )
            for goal in goals
        )
    if compared:
        with ledger.write() as session:
            reconciling.compared(session, session.exec(select(Feed.id)).all(), NOW)
    due = []
    for minute in range(0, 130, 10):
        due.append(0)
        while taken := claim(ledger, NOW + DAY + minute * 60):
            due[-1] += len(taken)
            with ledger.write() as session:
                reconciling.compared(session, taken, NOW + DAY)
    assert sum(due) == 120
    assert max(due) <= 12


def test_a_goal_is_claimed_whole_or_not(ledger: Ledger, feed_ids: list[int]) -> None:
    """For a person: paused and stopped feeds as well; one busy feed leaves all of them free."""
    with ledger.read() as session:
        goal_id = session.get_one(Feed, feed_ids[0]).goal_id
    change(ledger, feed_ids[0], state=FeedState.STOPPED, due_at=NOW - 1)
    change(ledger, feed_ids[1], lease_owner="other", lease_until=NOW + 5)
    with ledger.write() as session:
        assert reconciling.claim_goal(session, goal_id, owner="w", now=NOW) == []
    with ledger.read() as session:
        assert session.get_one(Feed, feed_ids[0]).lease_until == 0.0
    with ledger.write() as session:
        deaths.bury(session, NOW + 6)
        claims: list[Claim] = reconciling.claim_goal(session, goal_id, owner="w", now=NOW + 6)
    assert sorted(held.feed_id for held in claims) == feed_ids[:2]


def stored(ledger: Ledger, feed_id: int, **more: object) -> Datapoint:
    """A row of this feed."""
    with ledger.write() as session:
        row = Datapoint(
            goal_id=session.get_one(Feed, feed_id).goal_id,
            feed_id=feed_id,
            requestid="wg-a",
            daystamp="20261119",
            value=7.0,
            content_hash="h",
            **more,
        )
        session.add(row)
    return row


def as_it_is(ledger: Ledger, row: Datapoint) -> Datapoint:
    """The row as it stands now."""
    with ledger.read() as session:
        return session.get_one(Datapoint, row.id)


def test_a_row_that_was_decided_about_since_is_told_apart(
    ledger: Ledger, feed_ids: list[int]
) -> None:
    """Whatever of it moved: state, content, what is there, or a push."""
    row = stored(ledger, feed_ids[0], state="held", landed_hash="h0", landed_value=6.0)
    with ledger.write() as session:
        assert reconciling.unchanged(session, [row]) == {row.id}
        assert reconciling.unchanged(session, []) == set()
    for name, value in (("state", "pending"), ("content_hash", "x"), ("frozen", "edited")):
        before = as_it_is(ledger, row)
        with ledger.write() as session:
            found = session.get_one(Datapoint, row.id)
            setattr(found, name, value)
            session.add(found)
        with ledger.write() as session:
            assert reconciling.unchanged(session, [before]) == set(), name


def test_a_row_is_written_again_as_what_it_is(ledger: Ledger, feed_ids: list[int]) -> None:
    """Pending, due, a person's no more; what was seen is what is known to be there."""
    row = stored(ledger, feed_ids[0], state="withdrawn", frozen="edited", attempts=3, error="e")
    with ledger.write() as session:
        reconciling.write_again(session, row, 6.0, there=9.0, now=NOW)
    found = as_it_is(ledger, row)
    assert (found.state, found.frozen, found.value) == ("pending", None, 6.0)
    assert (found.landed_value, found.landed_hash) == (9.0, None)
    assert (found.due_at, found.attempts, found.error) == (NOW, 0, None)
    assert found.content_hash not in ("h", "")


def test_what_came_back_has_landed(ledger: Ledger, feed_ids: list[int]) -> None:
    """A later sync with the same value sends nothing."""
    row = stored(ledger, feed_ids[0], state="withdrawn", frozen="deleted")
    with ledger.write() as session:
        reconciling.thaw(session, row)
    found = as_it_is(ledger, row)
    assert (found.state, found.frozen, found.landed_value) == ("landed", None, 7.0)
    assert found.landed_hash == found.content_hash


def test_goals_of_stopped_feeds_are_not_listed(ledger: Ledger, feed_ids: list[int]) -> None:
    """Without a name, every goal that is linked: by name, each once."""
    with ledger.read() as session:
        assert [goal.slug for _, goal in reconciling.goals(session)] == ["g0", "g1"]
    change(ledger, feed_ids[2], state=FeedState.STOPPED)
    change(ledger, feed_ids[0], state=FeedState.PAUSED)
    with ledger.read() as session:
        assert [goal.slug for _, goal in reconciling.goals(session)] == ["g0"]
