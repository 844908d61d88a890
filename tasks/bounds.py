"""Which days are read, and from when to when each of them lasts.

`tasks.days` says which instants a day has in one zone with one deadline. People travel and move
deadlines, so here the days of a feed are laid end to end around those that are stored:

- A day that has finished keeps the bounds it is stored with, for ever.
- A day that was read while it ran keeps its start: what was counted for it stays its own. It ends
  as zone and deadline of now say. Where they say that it has ended already (travel east, an
  earlier deadline), it ends then or when it was last read, whichever is later.
- All other days take their place between these. The first day after a change starts where the one
  before it ends, and so lasts longer or shorter than a day; one before a stored day ends where that
  one starts. A day for which no time is left is empty.

Days never go back. When a person travels west, today stays the day that has begun, also where
the calendar there still shows the one before: that one is over, and has kept its bounds.
"""

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from tasks import days
from tasks.days import Window

CATCH_UP_DAYS = 366


class Known(NamedTuple):
    """A day as it is stored. `seen_at`: for when the source was last asked, UTC seconds.

    That is the `now` the days to read were made with, not a later one at which the answer was
    written down: a day that ended in between has not been read to its end.
    """

    window: Window
    seen_at: float | None

    @property
    def read_to_its_end(self) -> bool:
        """Whether it was read after it had finished."""
        return self.seen_at is not None and self.seen_at >= self.window.ends_at

    @property
    def begun(self) -> bool:
        """Whether something was counted for it: it was read while, or after, it ran."""
        return self.seen_at is not None and self.seen_at >= self.window.starts_at

    def settled(self, now: float) -> bool:
        """Whether its start can't move any more."""
        return self.begun or self.window.ends_at <= now


def days_to_read(
    now: float,
    *,
    tz: ZoneInfo,
    deadline: int,
    lookback: int,
    since: str | None,
    known: Mapping[str, Known],
) -> tuple[Window, ...]:
    """Today and the `lookback` days before it, never before `since`, oldest first.

    `known` are the stored days by daystamp, at least those of the last 366 days. The oldest of
    them that was not read to its end is read too, and all after it: days are not missed because
    Waggle was down for longer than it looks back.
    """
    last = days.parse(today(now, tz=tz, deadline=deadline, known=known))
    first = last - timedelta(days=lookback)
    earliest = last - timedelta(days=CATCH_UP_DAYS)
    if since is not None:
        earliest = max(earliest, days.parse(since))
        first = max(first, days.parse(since))
    first = min(first, _left_to_read(known, earliest) or first)
    return tile(days.windows(first, last, tz, deadline), known, now)


def days_between(
    first: str,
    last: str,
    *,
    now: float,
    tz: ZoneInfo,
    deadline: int,
    known: Mapping[str, Known],
) -> tuple[Window, ...]:
    """The days from `first` to `last`, both included, oldest first; none if `first` is later.

    ValueError for what is no daystamp, and for a `last` that has not begun.
    """
    latest = today(now, tz=tz, deadline=deadline, known=known)
    if last > latest:
        raise ValueError(f"{last} has not begun: today is {latest}, choose no later day")
    return tile(days.windows(days.parse(first), days.parse(last), tz, deadline), known, now)


def today(now: float, *, tz: ZoneInfo, deadline: int, known: Mapping[str, Known]) -> str:
    """The daystamp of the day that `now` belongs to, as the days of this feed lie."""
    shown = days.day_of(now, tz, deadline)
    newest = max(
        (
            name
            for name, day in known.items()
            if name >= shown and day.settled(now) and day.window.starts_at <= now
        ),
        default=None,
    )
    if newest is None:
        return shown
    over = known[newest].window.ends_at <= now
    return days.following(newest) if over else newest


def tile(computed: Sequence[Window], known: Mapping[str, Known], now: float) -> tuple[Window, ...]:
    """Lay consecutive days, as zone and deadline of now give them, around those that are stored.

    `known` has to hold the stored days next to the range, where there are any.
    """
    if not computed:
        return ()
    edges = {day.daystamp: day.starts_at for day in computed}
    edges[days.following(computed[-1].daystamp)] = computed[-1].ends_at
    settled = _settled(_near(known, computed[0].daystamp, now), edges, now)
    places = sorted(settled)
    starts = [_start(name, at, settled, places) for name, at in edges.items()]
    return tuple(
        Window(name, starts_at, ends_at)
        for name, (starts_at, ends_at) in zip(edges, pairwise(starts), strict=False)
    )


def _near(known: Mapping[str, Known], first: str, now: float) -> Mapping[str, Known]:
    """These from the last settled one before the day `first` on: no earlier one bounds a later day.

    A feed may have hundreds of them, and each sync lays its days.
    """
    before = (
        name for name in sorted(known, reverse=True) if name < first and known[name].settled(now)
    )
    edge = next(before, "")
    return {name: day for name, day in known.items() if name >= edge}


def _settled(
    known: Mapping[str, Known], edges: Mapping[str, float], now: float
) -> dict[str, float]:
    """The starts of days, by daystamp, that can't move any more."""
    over = {name: day for name, day in known.items() if day.window.ends_at <= now}
    settled = {days.following(name): day.window.ends_at for name, day in over.items()}
    settled |= {name: day.window.starts_at for name, day in known.items() if day.settled(now)}
    places = sorted(settled)
    for name, day in known.items():
        next_name = days.following(name)
        end = edges.get(next_name, -math.inf)
        if name not in over and day.begun and end <= now:
            end = max(end, min(day.seen_at or end, now))
            settled[next_name] = _start(next_name, end, settled, places)
    return settled


def _start(name: str, at: float, settled: Mapping[str, float], places: Sequence[str]) -> float:
    """When this day starts: as settled, or `at`, but not past a settled day on either side."""
    place = bisect_left(places, name)
    if place < len(places):
        if places[place] == name:
            return settled[name]
        at = min(at, settled[places[place]])
    return max(at, settled[places[place - 1]]) if place else at


def _left_to_read(known: Mapping[str, Known], earliest: date) -> date | None:
    """The oldest day, from `earliest` on, that was not read to its end; None if nothing is known.

    What lies between stored days and was never asked for (a backfill of a part) stays unread.
    """
    # A day that was only pinned was never asked for.
    read = {name: day for name, day in known.items() if day.seen_at is not None}
    if not read:
        return None
    newest, oldest = max(read), days.stamp(earliest)
    left = [
        name
        for name, day in read.items()
        if name >= oldest and (name == newest or not day.read_to_its_end)
    ]
    return days.parse(min(left)) if left else earliest
