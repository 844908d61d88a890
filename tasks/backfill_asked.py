"""Which past days a person may have read again: what is wrong with a wish, before it is made."""

from collections.abc import Mapping

from db import names
from db.models import Feed
from tasks import backfill, days
from tasks.providers import Metric, Provider

MOST_DAYS = 3660


def wrong_span(
    first: str, last: str, today: str, *, called: tuple[str, str] = ("the first day", "the last")
) -> str | None:
    """What is wrong with these days (YYYYMMDD), None for nothing. `called`: as they were asked."""
    begin, end = names.dashed(first), names.dashed(last)
    if first > last:
        return f"{called[0]} {begin} is later than {called[1]} {end}"
    if last > today:
        return f"{end} has not begun: today is {names.dashed(today)} there; choose no later day"
    if (days.parse(last) - days.parse(first)).days >= MOST_DAYS:
        return (
            f"{called[0]} {begin} is more than ten years before {end}: is the year right? Ask for "
            "ten years at a time"
        )
    return None


def metric_of(providers: Mapping[str, Provider], provider: str, feed: Feed) -> Metric | None:
    """What the feed counts; None where that is not installed here."""
    known = providers.get(provider)
    return None if known is None else known.metrics.get(feed.metric)


def objection(
    providers: Mapping[str, Provider], provider: str, feed: Feed, first: str
) -> str | None:
    """Why days of this feed from `first` on can't be read again, None when they can."""
    metric = metric_of(providers, provider, feed)
    if metric is None:
        return f"metric {feed.metric!r} is not installed"
    return backfill.objection(metric, feed, first)
