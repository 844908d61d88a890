"""Questions of pages on both databases: each finds its rows by an index, out of many."""

import pytest
from sqlalchemy import text

from db import inbox, inbox_listed, needs
from db.engine import Ledger
from db.inbox import NewEvent
from db.models import Feed, Goal, Source, User
from db.models_points import Datapoint, Day
from db.states import EventKind
from tests.webhooks.pages import scenes
from webhooks import feed_streams, shown_days, shown_feeds
from webhooks.shown_feeds import Group, Wanted

NOW = 1_795_000_000.0
FEEDS, DAYS = 60, 40
BIG = ("datapoint", "day", "event")  # what grows with time


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty ledger."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(autouse=True)
def years(ledger: Ledger) -> None:
    """Many feeds of one person, each with days, points and callbacks."""
    with ledger.write() as session:
        session.add(User(id=1, username="alice"))
        session.flush()
        session.add(Source(id=1, user_id=1, name="plant", provider="p"))
        goals = range(1, FEEDS + 1)
        session.add_all(Goal(id=n, user_id=1, slug=f"g{n:03}", declared_slug="g") for n in goals)
        session.flush()
        session.add_all(Feed(id=n, goal_id=n, source_id=1, metric="m") for n in goals)
        session.flush()
        stamps = [scenes.stamp(NOW, ago) for ago in range(DAYS)]
        session.add_all(
            Day(feed_id=n, daystamp=each, starts_at=0, ends_at=1, value=1.0, pinned=each[-1] == "7")
            for n in goals
            for each in stamps
        )
        session.add_all(
            Datapoint(goal_id=n, feed_id=n, requestid=each, daystamp=each, value=1.0,
                      content_hash="h", state="held" if each[-1] == "3" else "landed")
            for n in goals
            for each in stamps
        )  # fmt: skip
        inbox.store(
            session,
            [
                NewEvent(id=inbox.new_id(NOW + 100 * n + at), kind=EventKind.AUTOFETCH, payload={},
                         received_at=NOW, user_id=1, goal_id=n)
                for n in goals
                for at in range(20)
            ],
        )  # fmt: skip


def home(session) -> None:
    """What the front page asks."""
    feed_streams.read(session, [1])
    shown_feeds.counts(session, 1)
    wanted = Wanted(user_id=1, group=Group.ATTENTION, words="g")
    feeds = shown_feeds.page(session, NOW, wanted, limit=25)
    assert len(feeds) == 25
    assert feeds[0].value == 1.0
    assert feeds[0].call is not None
    first = scenes.stamp(NOW, 13)
    assert len(shown_feeds.values(session, [feed.id for feed in feeds], first=first)[1]) == 14
    needs.of(session, NOW, user_id=1, limit=6)
    mine = inbox_listed.Asked(user_id=1)
    assert len(inbox_listed.rows(session, NOW, mine, before=None, limit=4)) == 4


def page(session) -> None:
    """What a feed's page asks."""
    asked = {"user_id": 1, "username": "ALICE", "slug": "g007"}
    (feed,) = shown_feeds.of_goal(session, NOW, **asked)
    stamps = shown_days.stamps(scenes.stamp(NOW, 0), 30)
    assert len(shown_days.between(session, feed.id, stamps)) == 30
    assert len(shown_days.held(session, feed.id, limit=3)) == 3
    assert shown_days.left_alone(session, feed.id, limit=3)[0].how == "pinned"
    assert len(shown_days.points(session, feed.id, before=(stamps[-1], 9**9), limit=30)) == 30
    assert len(shown_days.calls(session, NOW, feed.goal_id, before=None, limit=5)) == 5
    needs.of(session, NOW, user_id=1, about=["feed:7", "goal:7"])


@pytest.mark.parametrize("asks", [home, page])
def test_no_question_goes_through_all_days_points_or_callbacks(ledger: Ledger, asks) -> None:
    """Each plan names an index for what grows with time; none of it is read from end to end."""
    if not ledger.is_sqlite:
        with ledger.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.execute(text("ANALYZE"))
    with ledger.read() as session:
        if not ledger.is_sqlite:
            session.connection().execute(text("SELECT set_config('enable_seqscan', 'off', false)"))
        with scenes.counted_with_values(ledger) as asked:
            asks(session)
        for statement, values in asked:
            explain = "EXPLAIN QUERY PLAN" if ledger.is_sqlite else "EXPLAIN"
            with ledger.engine.connect() as connection:
                if not ledger.is_sqlite:
                    connection.execute(text("SET LOCAL enable_seqscan = off"))
                plan = connection.exec_driver_sql(f"{explain} {statement}", values).fetchall()
            for step in ("\n".join(str(row[-1]) for row in plan)).splitlines():
                for table in BIG:
                    whole = {f"SCAN {table}", f"Seq Scan on {table}"}
                    assert not any(each in step and "USING" not in step for each in whole), (
                        f"{statement}\n{plan}"
                    )


def test_the_number_of_questions_is_fixed(ledger: Ledger) -> None:
    """As many for a page of 25 as for a page of one."""
    for limit in (1, 25):
        with ledger.read() as session, scenes.counted(ledger) as asked:
            shown_feeds.page(session, NOW, Wanted(user_id=1), limit=limit)
        assert len(asked) == 5
