"""Which day a person means: Beeminder days of the goal, in the person's time zone."""

import re
from datetime import timedelta

from db.models import Goal, User
from tasks import days
from tasks.days import Window
from worker.cli import failures

WRITTEN = re.compile(r"(\d{4})(-?)(\d{2})\2(\d{2})")
RELATIVE = {"today": 0, "yesterday": 1}


def chosen(text: str, *, user: User, goal: Goal, now: float) -> Window:
    """The day that was typed, with the bounds that zone and deadline of now give it.

    YYYY-MM-DD, YYYYMMDD, `today` or `yesterday`; raises `Refused` for anything else.
    """
    try:
        tz = days.zone(user.timezone or "UTC")
    except days.UnknownZoneError as exc:
        raise failures.Failed(str(exc)) from exc
    word = text.strip().lower()
    if word in RELATIVE:
        today = days.parse(days.day_of(now, tz, goal.deadline))
        return days.window(today - timedelta(days=RELATIVE[word]), tz, goal.deadline)
    found = WRITTEN.fullmatch(word)
    try:
        if found is not None:
            date = days.parse("".join(found.group(1, 3, 4)))
            return days.window(date, tz, goal.deadline)
    except (ValueError, OverflowError):
        pass  # no such date
    raise failures.Refused(
        f"{text!r} is no day: write it as 2026-11-20 or 20261120, or `today` or `yesterday`"
    )
