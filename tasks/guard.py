"""The deadline guard: when a feed is synced next, so that no deadline passes over stale data. Pure.

On a day when a goal is red its feeds are synced 60, 15 and 3 minutes before the deadline and one
minute after it, urgently, whether or not anybody calls. Red or not, each day gets a last look in
the minutes before it ends, since what a level was then counts for that day, and another soon after
it, which completes it: later it would be a correction. The rest is the feed's own schedule.

Everything is worked out anew at each sync, from the facts that it read: nothing is remembered.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from db.states import Lane
from tasks.days import Window

BEFORE = (3600.0, 900.0, 180.0)
AFTER = 60.0
LAST_LOOK = (60.0, 240.0)  # seconds before the end of a day that is not red
FIRST_LOOK = (60.0, 600.0)  # seconds after it, within `tasks.corrections.COMPLETED_SECONDS`
# From so long before a red deadline nothing of the feed stands behind scheduled work of others.
HURRY = 7200.0
# A scheduled sync so shortly before a guarded instant would only read the same twice.
NEAR = 60.0
SLACK = 60.0  # a losedate so far after the end of a day still means that day


@dataclass(frozen=True, slots=True)
class Next:
    """When a feed is due again (UTC seconds), and in which lane it waits."""

    at: float
    lane: Lane


def next_sync(
    now: float,
    *,
    scheduled: float,
    today: Window,
    following: Window,
    losedate: int | None,
    safebuf: int | None,
    rng: random.Random,
) -> Next:
    """The next sync of a feed that has just been synced.

    `scheduled` is what its own schedule says. `losedate` (UTC seconds) and `safebuf` (days) are
    the goal's: https://api.beeminder.com/#goal. Days beyond `following` are seen in time, because
    every day gets at least its last look.
    """
    red = _red_ends(today, following, losedate=losedate, safebuf=safebuf)
    looks = [
        _last_look(day, rng)
        for day in (today, following)
        if day.ends_at not in red
        and now < day.ends_at - LAST_LOOK[1]
        and scheduled > day.ends_at - LAST_LOOK[0]
    ]
    if today.ends_at not in red:
        looks.append(today.ends_at + rng.uniform(*FIRST_LOOK))
    at = min([scheduled, *looks])
    guarded = min((guard for end in red for guard in instants(end) if guard > now), default=None)
    if guarded is not None and at >= guarded - NEAR:
        return Next(guarded, Lane.URGENT)
    hurry = any(end - HURRY <= at <= end + AFTER for end in red)
    return Next(at, Lane.URGENT if hurry else Lane.BULK)


def instants(end: float) -> Iterator[float]:
    """The instants at which a red day that ends then is guarded, in order."""
    yield from (end - seconds for seconds in BEFORE)
    yield end + AFTER


def is_red(day: Window, *, losedate: int | None) -> bool:
    """Does the goal derail at the end of this day? `losedate` is its last second or its end."""
    return losedate is not None and day.starts_at <= losedate - SLACK < day.ends_at


def _red_ends(
    today: Window, following: Window, *, losedate: int | None, safebuf: int | None
) -> set[float]:
    """The ends of the red days that may still be guarded; the last minute of one is over."""
    ends = {day.ends_at for day in (today, following) if is_red(day, losedate=losedate)}
    if safebuf is not None and safebuf <= 0:
        ends.add(today.ends_at)
    if losedate is not None and today.starts_at - 1 <= losedate < today.starts_at + SLACK:
        ends.add(today.starts_at)
    return ends


def _last_look(day: Window, rng: random.Random) -> float:
    return day.ends_at - rng.uniform(*LAST_LOOK)
