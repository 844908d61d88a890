"""The rows of `pages_world`, table by table, as so many feeds have them.

Each function gives what belongs to the feeds of these numbers, so that more can be added.
"""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from db.inbox import ALPHABET, new_id
from db.states import (
    DatapointState,
    ErrandKind,
    ErrandState,
    EventKind,
    EventState,
    FeedState,
    MessageState,
    RunState,
    Stream,
    UserState,
)

ALICE = 1
EVENTS_PER_FEED = 100
DAYS_PER_FEED = 40
FEEDS_PER_SOURCE = 25
NOTED_EVERY, PINNED_AGE = 6, 9
LABELS = ("", "roof", "workshop")  # three feeds on each goal
WHY = "the source of this feed has answered 500 for two hours; it is asked again in a while"


def users(made: range, now: float) -> Iterator[dict[str, Any]]:
    """Other people who have nothing yet, one for every five feeds."""
    states = itertools.cycle((UserState.ACTIVE, UserState.REAUTHORIZE, UserState.DEAUTHORIZED))
    for number in made:
        if number % 5 == 0:
            yield {
                "id": ALICE + number,
                "username": f"somebody-{number}",
                "beeminder_id": f"u-{number}",
                "state": next(states),
                "created_at": now - number,
            }


def sources(made: range, now: float) -> Iterator[dict[str, Any]]:
    """One for every 25 feeds, of every provider."""
    for number in sorted({source_of(feed) for feed in made}):
        if (number - 1) * FEEDS_PER_SOURCE + 1 in made:
            yield {
                "id": number,
                "user_id": ALICE,
                "name": source_name(number),
                "provider": ("bemserver", "rime", "bmparts", "bime")[(number - 1) % 4],
                "settings": {"url": f"https://plant-{number}.example.org/api/v0"},
                "quota_key": f"bemserver:plant-{number}",
                "last_error": WHY if number % 3 == 0 else None,
                "created_at": now - 86400.0,
            }


def goals(made: range, now: float) -> Iterator[dict[str, Any]]:
    """One for every three feeds."""
    for number in sorted({goal_of(feed) for feed in made}):
        if (number - 1) * len(LABELS) + 1 in made:
            yield {
                "id": number,
                "user_id": ALICE,
                "beeminder_id": f"g-{number}",
                "slug": slug(number),
                "declared_slug": slug(number),
                "kyoom": True,
                "aggday": "sum",
                "gunits": "kWh",
                "autodata": "waggle",
                "losedate": int(now) + 86400 * (number % 9),
                "safebuf": number % 9,
                "facts_at": now - 60,
                "created_at": now - 86400.0,
            }


def feeds(made: range, now: float) -> Iterator[dict[str, Any]]:
    """Of every state."""
    kinds = (FeedState.ACTIVE, FeedState.FAILING, FeedState.PAUSED, FeedState.ACTIVE)
    for number in made:
        state = kinds[number % len(kinds)]
        yield {
            "id": number,
            "goal_id": goal_of(number),
            "source_id": source_of(number),
            "label": LABELS[(number - 1) % len(LABELS)],
            "metric": "timeseries_aggregate",
            "params": {"timeseries": number, "aggregation": "sum"},
            "options": {},
            "cursor": {},
            "state": state,
            "last_error": WHY if state is FeedState.FAILING else None,
            "failing_since": now - 7200 if state is FeedState.FAILING else None,
            "last_synced_at": now - 60.0 - number,
            "due_at": now + number % 3600,
            "created_at": now - 86400.0,
        }


def events(made: range, now: float) -> Iterator[dict[str, Any]]:
    """A hundred for each feed, half of which have failed."""
    kinds = (EventKind.AUTOFETCH, EventKind.REMINDER, EventKind.SYNC)
    states = (EventState.DONE, EventState.DONE, EventState.FAILED, EventState.DEAD)
    for number, place in itertools.product(made, range(EVENTS_PER_FEED)):
        count = (number - 1) * EVENTS_PER_FEED + place + 1
        state = states[count % len(states)]
        ok = state is EventState.DONE
        yield {
            "id": event_id(now, count),
            "kind": kinds[count % len(kinds)],
            "user_id": ALICE,
            "goal_id": goal_of(number),
            "payload": {"username": "alice", "slug": slug(goal_of(number))},
            "state": state,
            "attempts": 1 if ok else 7,
            "datapoints": 2 if ok else 0,
            "error": None if ok else {"code": "unavailable", "message": WHY},
            "received_at": came_in(now, count),
            "finished_at": came_in(now, count) + 2,
        }


def covers(made: range, now: float) -> Iterator[dict[str, Any]]:
    """Which feed the first events of each feed were answered by."""
    for number in made:
        for place in range(2):
            count = (number - 1) * EVENTS_PER_FEED + place + 1
            yield {"event_id": event_id(now, count), "feed_id": number, "epoch": 1, "done": True}


def days(made: range, now: float) -> Iterator[dict[str, Any]]:
    """Forty for each feed; some say why there is no point, one is pinned."""
    for number, age in itertools.product(made, range(DAYS_PER_FEED)):
        ends_at = now - 86400.0 * (age - 1)
        yield {
            "feed_id": number,
            "daystamp": daystamp(now, age),
            "starts_at": ends_at - 86400.0,
            "ends_at": ends_at,
            "value": 1.25 * (number % 7) + age,
            "unit": "kWh",
            "note": "nothing was measured between 02:00 and 03:00"
            if age % NOTED_EVERY == 0
            else None,
            "epoch": 1,
            "pinned": age == PINNED_AGE,
            "seen_at": now - 60,
        }


def datapoints(made: range, now: float) -> Iterator[dict[str, Any]]:
    """One for each day; a few are held or to be sent."""
    for number, age in itertools.product(made, range(DAYS_PER_FEED)):
        state = DatapointState.LANDED
        if age == 0 and number % 3 == 0:
            state = DatapointState.PENDING
        if age in (1, 2) and number % 5 == 1:
            state = DatapointState.HELD
        there = None if state is DatapointState.PENDING else 1.25 * (number % 7) + age
        yield {
            "id": point_of(number, age),
            "goal_id": goal_of(number),
            "feed_id": number,
            "requestid": f"waggle-{number}-{daystamp(now, age)}",
            "daystamp": daystamp(now, age),
            "value": 1.25 * (number % 7) + age + (state is DatapointState.HELD),
            "comment": f"timeseries {number} of the main building, 24 hours, read by Waggle",
            "content_hash": "new",
            "landed_hash": "old",
            "landed_value": there,
            "sent_value": there,
            "state": state,
            "held_at": now - 60 if state is DatapointState.HELD else None,
            "error": "3 more than before, on a day that is over: it could derail you"
            if state is DatapointState.HELD
            else None,
            "beeminder_id": f"b-{number}-{age}",
            "sent_at": now - 60,
            "landed_at": now - 59,
        }


def sendings(made: range, now: float) -> Iterator[dict[str, Any]]:
    """One try for each datapoint."""
    for number, age in itertools.product(made, range(DAYS_PER_FEED)):
        yield {
            "datapoint_id": point_of(number, age),
            "epoch": 1,
            "value": 1.0 + age,
            "sent_at": now - 21_600.0 * age,
            "answered_at": now - 21_600.0 * age + 1,
            "status": "updated",
        }


def runs(made: range, now: float) -> Iterator[dict[str, Any]]:
    """One for each feed, of which a quarter goes on."""
    for number in made:
        goes_on = number % 4 == 0
        yield {
            "id": number,
            "source_id": source_of(number),
            "run_id": f"run-{number:08d}",
            "connector": f"orders-{number}",
            "state": RunState.RUNNING if goes_on else RunState.COMPLETED,
            "stream": Stream.OPEN if goes_on else Stream.NONE,
            "progress": 0.25 if goes_on else 1.0,
            "rows": 1000.0 * number,
            "counters": {"steps_done": 2, "steps_total": 5, "step": "load"},
            "found_at": now - 500 - number,
            "started_at": now - 500 - number,
            "seen_at": now - 2,
            "finished_at": None if goes_on else now - number,
        }


def notices(made: range, now: float) -> Iterator[dict[str, Any]]:
    """What is held is said."""
    for number in made:
        if number % 5 == 1:
            yield {
                "user_id": ALICE,
                "subject": f"feed:{number}",
                "kind": "held",
                "message": "2 days wait for your decision, the oldest since an hour ago",
                "created_at": now - number,
            }


def errands(made: range, now: float) -> Iterator[dict[str, Any]]:
    """One for each feed, which is over."""
    for number in made:
        yield {
            "id": key(number, "r"),
            "kind": ErrandKind.CHECK,
            "key": key(number, "k"),
            "user_id": ALICE,
            "source_id": source_of(number),
            "goal_id": goal_of(number),
            "params": {},
            "state": ErrandState.DONE,
            "answer": {},
            "asked_at": now - number,
            "ended_at": now - number + 1,
        }


def deeds(made: range, now: float) -> Iterator[dict[str, Any]]:
    """Three for each feed."""
    for number, action in itertools.product(made, ("pause", "resume", "approve")):
        yield {
            "at": now - number,
            "actor": "alice",
            "user_id": ALICE,
            "action": action,
            "subject": f"alice/{slug(goal_of(number))}",
            "details": {"day": daystamp(now, 1)},
        }


def backfills(made: range, now: float) -> Iterator[dict[str, Any]]:
    """Days that are read again, for a fifth of the feeds."""
    for number in made:
        if number % 5 == 1:
            yield {
                "feed_id": number,
                "first_day": "20260101",
                "last_day": daystamp(now, 0),
                "next_day": "20260601",
                "asked_at": now - 300,
                "due_at": now + 300,
            }


def quotas(made: range, now: float) -> Iterator[dict[str, Any]]:
    """The gate of each source, of which a third is closed."""
    for number in sorted({source_of(feed) for feed in made}):
        if (number - 1) * FEEDS_PER_SOURCE + 1 in made:
            yield {
                "key": f"bemserver:plant-{number}",
                "vendor": "bemserver",
                "title": source_name(number),
                "trail": [],
                "closed_at": now - 10,
                "closed_until": now + 600 if number % 3 == 1 else 0.0,
            }


def breakers(made: range, now: float) -> Iterator[dict[str, Any]]:
    """What a third of the sources is in."""
    for number in sorted({source_of(feed) for feed in made}):
        if number % 3 == 1 and (number - 1) * FEEDS_PER_SOURCE + 1 in made:
            yield {
                "subject": f"source:{number}",
                "troubled_since": now - 600,
                "opened_at": now - 500,
                "reason": WHY,
                "probe_at": now + 60,
            }


def messages(made: range, now: float) -> Iterator[dict[str, Any]]:
    """One for each feed, sent."""
    for number in made:
        yield {
            "audience": "channel:1",
            "channel_id": 1,
            "key": f"held:{number}",
            "topic": f"held:{number}",
            "title": "A correction waits for you",
            "body": "2 days wait for your decision",
            "state": MessageState.SENT,
            "created_at": now - number,
            "ended_at": now - number,
        }


def slug(goal: int) -> str:
    """The name of a goal."""
    return f"electricity-{goal:08d}"  # as long as Beeminder lets it be


def source_name(number: int) -> str:
    """The name of a source."""
    return f"plant-number-{number}"


def goal_of(feed: int) -> int:
    """Whose feed it is."""
    return (feed - 1) // len(LABELS) + 1


def source_of(feed: int) -> int:
    """What it reads."""
    return (feed - 1) // FEEDS_PER_SOURCE + 1


def point_of(feed: int, age: int) -> int:
    """The id of the datapoint of a day that was so many days ago."""
    return (feed - 1) * DAYS_PER_FEED + age + 1


def daystamp(now: float, age: int) -> str:
    """The day that was so many days ago."""
    return f"{datetime.fromtimestamp(now, UTC) - timedelta(days=age):%Y%m%d}"


def came_in(now: float, count: int) -> float:
    """When an event came in: one every twenty seconds, the last of 100,000 a moment ago."""
    return now - 2_000_000 + 20.0 * count


def event_id(now: float, count: int) -> str:
    """The id of an event, by which it is found by the time at which it came in."""
    return new_id(came_in(now, count), random_bits=lambda _bits: count)


def key(count: int, kind: str) -> str:
    """26 characters that sort as they are counted."""
    digits = ""
    while count:
        count, digit = divmod(count, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return "0" + kind + digits.rjust(24, "0")
