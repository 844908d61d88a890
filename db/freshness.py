"""How old the data of the feeds is, in figures. Only reads."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from sqlalchemy import Row, case, func, select
from sqlmodel import Session, col

from db.models import Feed
from db.states import FeedState

# Upper bounds of the classes, in seconds: a minute to a week. What is older has no bound.
BOUNDS = (60.0, 300.0, 900.0, 3600.0, 7200.0, 21600.0, 86400.0, 172800.0, 604800.0)


@dataclass(frozen=True, slots=True)
class Freshness:
    """The feeds of one state. Ages are in seconds since a feed was synced, or made if it never was.

    `within` counts those that are no older than each of `BOUNDS`; `oldest` is 0.0 without any.
    """

    feeds: int = 0
    within: tuple[int, ...] = (0,) * len(BOUNDS)
    sum: float = 0.0
    oldest: float = 0.0


def by_state(session: Session, now: float) -> Mapping[str, Freshness]:
    """Every state with its feeds."""
    counts = {state.value: [0] * (len(BOUNDS) + 1) for state in FeedState}
    sums = dict.fromkeys(counts, 0.0)
    oldest = dict.fromkeys(counts, 0.0)
    for row in _rows(session, now):
        if row.state in counts:
            counts[row.state][row.place] += row.feeds
            sums[row.state] += max(0.0, row.total)
            oldest[row.state] = max(oldest[row.state], row.eldest)
    return {
        state: Freshness(sum(found), tuple(accumulate(found[:-1])), sums[state], oldest[state])
        for state, found in counts.items()
    }


def _rows(session: Session, now: float) -> Iterator[Row[Any]]:
    """By state and class: how many, the sum of their ages, and the highest.

    In two questions: what was synced is read from an index alone.
    """
    for at, fit in (
        (col(Feed.last_synced_at), col(Feed.last_synced_at).is_not(None)),
        (col(Feed.created_at), col(Feed.last_synced_at).is_(None)),
    ):
        place = case(
            *((at >= now - bound, number) for number, bound in enumerate(BOUNDS)),
            else_=len(BOUNDS),
        ).label("place")
        yield from session.connection().execute(
            select(
                col(Feed.state),
                place,
                func.count().label("feeds"),
                func.sum(now - at).label("total"),
                (now - func.min(at)).label("eldest"),
            )
            .where(fit)
            .group_by(col(Feed.state), place)
        )
