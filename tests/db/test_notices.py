"""Notices: each reason is news once, until it is gone and comes back."""

import pytest
from sqlmodel import col, select

from db import notices
from db.engine import Ledger
from db.models import Feed, Goal, Notice, Source, User
from tests.db import effort
from tests.tasks.scenes import at_once

NOW = 1_800_000_000.0
MANY = 5_000


@pytest.fixture(autouse=True)
def _people(ledger: Ledger) -> None:
    with ledger.write() as session:
        session.add_all([User(id=1, username="alice"), User(id=2, username="bob")])


def say(ledger: Ledger, *, now: float = NOW, user_id: int = 1, **more: str) -> bool:
    """Raise a notice in a transaction of its own; is it news?"""
    said = {"subject": "feed:1", "kind": "held", "message": "one day is held"} | more
    with ledger.write() as session:
        return notices.raise_(session, user_id=user_id, now=now, **said)


def clear(ledger: Ledger, *, now: float = NOW, **more: str) -> int:
    """Clear in a transaction of its own; how many were open?"""
    named = {"subject": "feed:1", "kind": "held"} | more
    with ledger.write() as session:
        return notices.clear(session, now=now, **named)


def shown(ledger: Ledger, user_id: int | None = None) -> list[Notice]:
    """What is open."""
    with ledger.read() as session:
        return notices.open_for(session, user_id=user_id)


def test_a_reason_is_news_once(ledger: Ledger) -> None:
    """Raised again while it is open it says nothing new, and keeps its first time."""
    assert say(ledger)
    assert not say(ledger, now=NOW + 5)
    assert [(row.message, row.created_at) for row in shown(ledger)] == [("one day is held", NOW)]


def test_the_last_message_stands(ledger: Ledger) -> None:
    """What is known by now is told, without announcing it again."""
    say(ledger)
    assert not say(ledger, message="two days are held")
    assert [row.message for row in shown(ledger)] == ["two days are held"]


def test_what_comes_back_is_news_again(ledger: Ledger) -> None:
    """A cleared notice opens anew: a new time, and nobody was told of it yet."""
    say(ledger)
    with ledger.write() as session:
        session.get_one(Notice, shown(ledger)[0].id).told_at = NOW + 1
    assert clear(ledger) == 1
    assert shown(ledger) == []

    assert say(ledger, now=NOW + 9, message="again")
    (row,) = shown(ledger)
    assert (row.created_at, row.told_at, row.message) == (NOW + 9, None, "again")


@pytest.mark.parametrize("other", [{"subject": "feed:2"}, {"kind": "edited"}, {"key": "20261120"}])
def test_different_reasons_stand_beside_each_other(ledger: Ledger, other: dict[str, str]) -> None:
    """Another subject, kind or key is another notice, cleared by itself."""
    assert say(ledger)
    assert say(ledger, **other)
    assert clear(ledger, **other) == 1
    assert len(shown(ledger)) == 1


def test_clearing_without_a_key_clears_all_of_a_kind(ledger: Ledger) -> None:
    """And clearing what is cleared already is nothing."""
    for key in ("20261119", "20261120"):
        say(ledger, kind="edited", key=key)
    say(ledger)
    assert clear(ledger, kind="edited") == 2
    assert clear(ledger, kind="edited") == 0
    assert [row.kind for row in shown(ledger)] == ["held"]


def test_people_see_their_own_oldest_first(ledger: Ledger) -> None:
    """None is for an operator: everybody's."""
    say(ledger, subject="feed:9", now=NOW + 2)
    say(ledger, subject="feed:8", now=NOW + 1)
    say(ledger, subject="feed:7", user_id=2)
    assert [row.subject for row in shown(ledger, 1)] == ["feed:8", "feed:9"]
    assert [row.subject for row in shown(ledger)] == ["feed:7", "feed:8", "feed:9"]


@pytest.mark.parametrize("cleared", [False, True])
def test_of_several_workers_one_is_the_first(ledger: Ledger, *, cleared: bool) -> None:
    """All find the reason in the same moment, and exactly one of them announces it."""
    if cleared:
        say(ledger)
        clear(ledger)
    assert sorted(at_once(6, lambda _number: say(ledger))) == [False] * 5 + [True]
    assert len(shown(ledger)) == 1


def test_what_was_raised_is_seen_in_the_same_transaction(ledger: Ledger) -> None:
    """A session that looked before shows what has changed since."""
    with ledger.write() as session:
        said = {"user_id": 1, "subject": "feed:1", "kind": "held"}
        notices.raise_(session, **said, message="a", now=NOW)
        assert [row.message for row in notices.open_for(session)] == ["a"]
        notices.raise_(session, **said, message="b", now=NOW)
        assert [row.message for row in notices.open_for(session)] == ["b"]


def test_only_what_was_cleared_is_forgotten(ledger: Ledger) -> None:
    """An open notice stays for as long as its reason does."""
    for subject in ("feed:1", "feed:2", "feed:3"):
        say(ledger, subject=subject)
    clear(ledger, now=NOW + 1)
    clear(ledger, subject="feed:2", now=NOW + 3)
    with ledger.write() as session:
        assert notices.forget(session, NOW + 2) == 1
    assert [row.subject for row in shown(ledger)] == ["feed:3"]
    assert say(ledger)


def test_news_expire_by_their_kind(ledger: Ledger) -> None:
    """What was raised before then is cleared, of that kind only, whoever it is about."""
    say(ledger, kind="recovered", subject="source:1")
    say(ledger, kind="recovered", subject="user:1", now=NOW + 10)
    say(ledger)
    with ledger.write() as session:
        assert notices.expire(session, kind="recovered", raised_before=NOW + 5, now=NOW + 9) == 1
        assert notices.expire(session, kind="recovered", raised_before=NOW + 5, now=NOW + 9) == 0

    assert [row.subject for row in shown(ledger)] == ["feed:1", "user:1"]


def test_feeds_with_open_notices_are_found_among_many(ledger: Ledger) -> None:
    """Each sync asks: of its own feeds alone, along an index, however much was ever told."""
    with ledger.write() as session:
        session.add(Source(id=1, user_id=1, name="plant", provider="bemserver"))
        session.add(Goal(id=1, user_id=1, slug="energy", declared_slug="energy"))
        session.flush()
        for number in range(1, 21):
            session.add(Feed(id=number, goal_id=1, source_id=1, label=f"{number}", metric="m"))
    first, *others = range(1, 21)
    say(ledger, subject=f"feed:{first}")
    for other, subject in ((others[0], "feed"), (others[1], "goal")):
        say(ledger, subject=f"{subject}:{other}")
    clear(ledger, subject=f"feed:{others[0]}")
    with ledger.write() as session:
        session.add_all(
            Notice(user_id=1, subject=f"feed:{10_000 + number}", kind="held", message="")
            for number in range(MANY)
        )
        session.flush()
        session.connection().exec_driver_sql("ANALYZE")

    with ledger.read() as session, effort.questions(ledger) as asked:
        of_these = select(Feed.id, notices.about_feed()).where(col(Feed.id).in_([first, *others]))
        told = dict(session.exec(of_these).all())

    assert {feed_id for feed_id, open_now in told.items() if open_now} == {first}
    assert len(told) == 20
    assert max(effort.of(ledger, asked).values()) < MANY
