"""Who is told what: once, of what lasts, and of its end where they heard of its beginning."""

import pytest
from sqlmodel import select

from db import channels, messages, notices
from db.models import Feed, Notice, User
from db.models_pages import Alert, Channel, Message
from db.states import FeedState, UserState
from tasks import outages, telling_news
from tasks.runtime import Options
from tests.world import CrashError, World

OPS = "json://ops.test/canary-operator"
MINUTE = 61.0


def add(world: World, path: str = "one") -> None:
    """A channel of alice's."""
    with world.ledger.write() as session:
        channels.add(
            session,
            world.vault,
            user_id=world.user_id,
            name="JSON",
            url=f"json://x.test/{path}",
            now=world.clock.at,
        )


def say(world: World, kind: str = "late", subject: str | None = None, text: str = "why") -> None:
    """Something is the matter."""
    with world.ledger.write() as session:
        notices.raise_(
            session,
            user_id=world.user_id,
            subject=subject or f"feed:{world.feed_id}",
            kind=kind,
            message=text,
            now=world.clock.at,
        )


def over(world: World, kind: str = "late", subject: str | None = None) -> None:
    """It is over."""
    with world.ledger.write() as session:
        notices.clear(
            session, subject=subject or f"feed:{world.feed_id}", kind=kind, now=world.clock.at
        )


def find(world: World, seconds: float = MINUTE, *, notify: tuple[str, ...] = ()) -> list[str]:
    """Look after so many seconds; the topics of the messages that were made."""
    world.clock.advance(seconds)
    before = {row.id for row in rows(world)}
    telling_news.find(world.runtime(options=Options(notify=notify)))
    return [row.topic for row in rows(world) if row.id not in before]


def rows(world: World) -> list[Message]:
    """All messages."""
    with world.ledger.read() as session:
        return list(session.exec(select(Message).order_by(Message.id)))


def test_what_lasts_a_minute_is_told_once(world: World) -> None:
    """Not before, and not again while it is open or raised once more."""
    add(world)
    say(world)
    assert find(world, 30) == []
    assert find(world, 31) == ["late"]
    say(world, text="another reason")
    assert find(world) == []


def test_what_is_over_within_a_minute_is_not_told(world: World) -> None:
    """Neither that it began nor that it ended; if it comes back, it is told anew."""
    add(world)
    say(world)
    world.clock.advance(30)
    over(world)
    assert find(world) == []
    say(world)
    assert find(world) == ["late"]


def test_a_red_day_is_told_at_once(world: World) -> None:
    """There is no minute to lose."""
    add(world)
    say(world, "failing_red")
    assert find(world, 0) == ["failing_red"]


def test_the_end_is_told_to_whoever_heard_of_the_beginning(world: World) -> None:
    """Once, where it is good news; not at a channel that was added meanwhile."""
    add(world)
    say(world)
    assert find(world) == ["late"]
    add(world, "two")
    with world.ledger.write() as session:
        feed = session.get_one(Feed, world.feed_id)
        feed.last_synced_at = world.clock.at
        session.add(feed)
    over(world)
    assert find(world) == ["late.over"]
    assert find(world) == []
    assert {row.audience for row in rows(world)} == {"channel:1"}


def test_an_end_that_is_no_good_news_is_not_told(world: World) -> None:
    """A person paused the feed: it has no data, and nobody wants to hear that all is well."""
    add(world)
    say(world)
    find(world)
    with world.ledger.write() as session:
        session.get_one(Feed, world.feed_id).state = FeedState.PAUSED
    over(world)
    assert find(world) == []


def test_what_comes_back_is_told_again(world: World) -> None:
    """Each opening is one message, and so is each end."""
    add(world)
    for _ in range(3):
        say(world)
        assert find(world) == ["late"]
        with world.ledger.write() as session:
            session.get_one(Feed, world.feed_id).last_synced_at = world.clock.at
        over(world)
        assert find(world) == ["late.over"]


def test_a_new_channel_is_told_no_old_news(world: World) -> None:
    """What was there before it is on the pages."""
    say(world)
    world.clock.advance(5)
    add(world)
    assert find(world) == []
    say(world, "units")
    assert find(world) == ["units"]


def test_an_outage_is_told_when_it_begins_and_when_it_ends(world: World) -> None:
    """The news that it is over is its end, not another message."""
    add(world)
    subject = f"source:{world.source_id}"
    say(world, outages.OPENED, subject, "plant has not answered")
    assert find(world) == ["breaker"]
    over(world, outages.OPENED, subject)
    say(world, outages.CLOSED, subject, "plant answers again, after 43 minutes")
    assert find(world) == ["breaker.over"]
    assert find(world) == []
    assert rows(world)[-1].body == "plant answers again, after 43 minutes"
    assert rows(world)[-1].title == "source plant of alice"


def test_a_link_that_works_again_is_told(world: World) -> None:
    """Its end as well as its beginning, to the person and to the operator."""
    add(world)
    subject = f"user:{world.user_id}"
    say(world, "link", subject)
    assert find(world, notify=(OPS,)) == ["link", "link"]
    over(world, "link", subject)
    assert find(world, notify=(OPS,)) == ["link.over", "link.over"]
    with world.ledger.write() as session:
        session.get_one(User, world.user_id).state = UserState.REAUTHORIZE
    say(world, "link", subject)
    assert find(world) == ["link"]
    over(world, "link", subject)
    assert find(world) == []


def test_the_operator_is_told_of_the_house_only(world: World) -> None:
    """Not of each person's days; of each matter once, under a name that is no secret."""
    for kind in ("late", "held", "edited", "failing_red"):
        say(world, kind)
    assert find(world, notify=(OPS,)) == []
    say(world, "set_aside")
    with world.ledger.write() as session:
        session.add(Alert(key="moving", message="work stands still", created_at=world.clock.at))
    assert find(world, notify=(OPS,)) == ["set_aside", "house"]
    with world.ledger.write() as session:
        session.get_one(Alert, "moving").cleared_at = world.clock.at
    assert find(world, notify=(OPS,)) == ["house.over"]
    assert find(world, notify=(OPS,)) == []
    assert all("canary" not in row.audience for row in rows(world))


def test_found_and_written_down_together(world: World) -> None:
    """Killed before the commit nothing was told; after it everything was: never twice, or not."""
    add(world)
    say(world)
    world.clock.advance(MINUTE)
    rt = world.runtime()

    def die(_text: str) -> str:
        raise CrashError

    rt.clean = die
    with pytest.raises(CrashError):
        telling_news.find(rt)
    assert rows(world) == []
    with world.ledger.read() as session:
        assert session.exec(select(Notice)).one().told_at is None
    assert find(world) == ["late"]


def test_a_removed_channel_takes_its_messages_along(world: World) -> None:
    """Nothing is left that nobody could be told."""
    add(world)
    say(world)
    find(world)
    with world.ledger.write() as session:
        channels.remove(session, session.exec(select(Channel)).one().id or 0)
    assert rows(world) == []
    with world.ledger.read() as session:
        assert not messages.any_due(session, world.clock.at)
