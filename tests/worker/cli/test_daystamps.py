"""Days as people type them: Beeminder days of their goal, or a refusal that says how to write."""

from datetime import UTC, datetime

import pytest

from db.models import Goal, User
from worker.cli import daystamps, failures

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC).timestamp()


def chosen(text, *, zone="UTC", deadline=0, now=NOON):
    """The day, for a goal with this deadline."""
    user = User(username="alice", timezone=zone)
    goal = Goal(user_id=1, slug="energy", declared_slug="energy", deadline=deadline)
    return daystamps.chosen(text, user=user, goal=goal, now=now)


@pytest.mark.parametrize(
    ("text", "daystamp"),
    [
        ("2026-11-19", "20261119"),
        ("20261119", "20261119"),
        (" Today ", "20261120"),
        ("yesterday", "20261119"),
    ],
)
def test_a_day_may_be_written_in_four_ways(text, daystamp):
    """All of them name a Beeminder day."""
    assert chosen(text).daystamp == daystamp


@pytest.mark.parametrize(
    ("zone", "deadline", "daystamp"),
    [
        ("Pacific/Kiritimati", 0, "20261121"),
        ("UTC", -13 * 3600, "20261121"),
        ("Asia/Kathmandu", 0, "20261120"),
        ("America/Los_Angeles", 6 * 3600, "20261119"),
        (None, 0, "20261120"),
    ],
)
def test_today_is_a_day_of_the_goal(zone, deadline, daystamp):
    """The person's zone and the goal's deadline decide, not this machine's calendar."""
    assert chosen("today", zone=zone, deadline=deadline).daystamp == daystamp


def test_a_day_has_the_bounds_of_its_goal():
    """Its deadline moves them."""
    day = chosen("2026-11-20", deadline=-7200)
    assert (NOON - day.starts_at, day.ends_at - NOON) == (14 * 3600, 10 * 3600)


@pytest.mark.parametrize(
    "text",
    ["", "tomorrow", "2026-1-2", "2026111", "2026-1120", "20261301", "2026-02-30", "1/2/2026", "٢"],
)
def test_anything_else_is_refused(text):
    """With how to write it, and exit status 2."""
    with pytest.raises(failures.Refused, match="write it as 2026-11-20"):
        chosen(text)


def test_a_zone_that_this_machine_does_not_know_is_told():
    """No day is guessed."""
    with pytest.raises(failures.Failed, match="unknown time zone"):
        chosen("today", zone="Mars/Olympus")
