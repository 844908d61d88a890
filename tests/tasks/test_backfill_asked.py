"""Past days that a person may not have read again are refused before anything is stored."""

import pytest

from db.models import Feed
from tasks import backfill_asked
from tests.world import World
from webhooks.serve import VendorServices
from worker import settings


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        ("20261120", "20261119", "the first day 2026-11-20 is later than the last 2026-11-19"),
        ("20261119", "20261122", "2026-11-22 has not begun: today is 2026-11-21 there"),
        ("20061119", "20261120", "is the year right?"),
        ("20261121", "20261121", None),
        ("20161115", "20261121", None),
    ],
)
def test_days_have_to_be_in_order_begun_and_not_too_many(
    first: str, last: str, words: str | None
) -> None:
    """The last one may be today; ten years at a time are enough for anybody."""
    wrong = backfill_asked.wrong_span(first, last, "20261121")
    assert wrong is None if words is None else words in (wrong or "")


def test_the_words_are_those_in_which_it_was_asked() -> None:
    """Options of a command, where it was one."""
    wrong = backfill_asked.wrong_span("20261120", "20261119", "20261121", called=("--from", "--to"))
    assert wrong == "--from 2026-11-20 is later than --to 2026-11-19"


def test_what_is_not_installed_can_not_be_read() -> None:
    """A provider or a metric that is gone is named."""
    feed = Feed(goal_id=1, source_id=1, metric="gone")
    assert "'gone' is not installed" in (backfill_asked.objection({}, "p", feed, "20261120") or "")


def test_pages_ask_with_the_goals_own_today(world: World) -> None:
    """Days before `since` and days that have not begun there are refused; others are not."""
    services = VendorServices(world.runtime(), settings.load({}, None))
    now = world.clock.at
    with world.ledger.write() as session:
        session.get_one(Feed, world.feed_id).since = "20261101"

    def wrong(first: str, last: str) -> str | None:
        return services.objection(world.feed_id, first=first, last=last, now=now)

    today = services.day(None, timezone="UTC", deadline=0, now=now).daystamp
    assert wrong("20261102", today) is None
    assert "since is 2026-11-01" in (wrong("20261031", today) or "")
    assert "has not begun" in (wrong("20261102", "29991231") or "")
