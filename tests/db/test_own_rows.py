"""Rows without a session: the same values, of nobody else."""

from sqlalchemy import inspect, literal, select
from sqlmodel import col

from db.engine import Ledger
from db.models import Feed, Goal, Source, User
from db.once import Once
from db.own_rows import OwnRows
from tests.db.test_feeds import fill

ROWS = OwnRows(Feed, User)
ASKING = Once(
    select(*ROWS.columns, literal(7))
    .select_from(Feed)
    .join(Source, col(Source.id) == col(Feed.source_id))
    .join(User, col(User.id) == col(Source.user_id))
)


def test_they_hold_what_a_session_would_have_read(ledger: Ledger) -> None:
    """Each column, also such as are stored as JSON; and what was asked for besides."""
    (feed_id,) = fill(ledger)
    with ledger.write() as session:
        session.get_one(Feed, feed_id).params = {"job": [1, 2]}

    with ledger.read() as session:
        feed, user, more = ROWS.made(ASKING.ask(session).one())
        assert feed.model_dump() == session.get_one(Feed, feed_id).model_dump()
        assert user.model_dump() == session.get_one(User, user.id).model_dump()

    assert (feed.params, more) == ({"job": [1, 2]}, 7)


def test_a_change_of_theirs_is_nobodys_business(ledger: Ledger) -> None:
    """They can be changed and copied like any row, and the ledger is not."""
    fill(ledger)
    with ledger.read() as session:
        feed, *_ = ROWS.made(ASKING.ask(session).one())
    feed.label = "another"

    assert Feed(**feed.model_dump()).label == "another"
    assert inspect(feed).session is None
    with ledger.read() as session:
        assert session.get_one(Feed, feed.id).label == "0-0"
        assert session.get_one(Goal, feed.goal_id).slug == "g0"
