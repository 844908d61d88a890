"""What the ledger remembers decides what a day is compared with, and where a count goes on."""

import pytest
from sqlmodel import Session

from db.engine import Ledger
from db.models import Feed
from db.models_points import Datapoint, Day
from db.outbox import Action, Judged, Point
from db.states import DatapointState
from tasks import memory
from tasks.days import Window
from tasks.decide import Past, Rules, Verdict
from tasks.fit import Shape
from tasks.memory import Memory
from tasks.providers import Reading
from tests.db.test_feeds import fill

WINDOWS = tuple(
    Window(f"202611{day}", (day - 18) * 86400.0, (day - 17) * 86400.0) for day in (18, 19, 20)
)
FIRST = WINDOWS[0].daystamp
HELD, LANDED, PENDING, WITHDRAWN = (
    DatapointState.HELD,
    DatapointState.LANDED,
    DatapointState.PENDING,
    DatapointState.WITHDRAWN,
)


@pytest.fixture
def feed(ledger: Ledger) -> Feed:
    """A feed on a goal; its count began on the tenth."""
    (feed_id,) = fill(ledger)
    with ledger.write() as session:
        made = session.get_one(Feed, feed_id)
        made.cursor = {"running_from": "20261110", "base": 100.0}
        session.add(made)
        session.flush()
        session.refresh(made)
        session.expunge(made)
        return made


def row(
    feed: Feed, day: int | None, value: float, state: DatapointState = LANDED, **more: object
) -> Datapoint:
    """A point of that day; a landed one is at Beeminder with its value."""
    there = value if state == LANDED else None
    name = day or more["timestamp"]
    facts = {
        "goal_id": feed.goal_id,
        "feed_id": feed.id,
        "requestid": f"wg-{name}",
        "daystamp": None if day is None else f"202611{day:02}",
        "value": value,
        "content_hash": f"h{value}",
        "state": state,
        "landed_value": there,
        "sent_value": there,
    }
    return Datapoint(**(facts | more))


def read(feed: Feed, day: int, value: float | None, **more: object) -> Day:
    """What the source said of that day."""
    return Day(
        feed_id=feed.id,
        daystamp=f"202611{day}",
        starts_at=(day - 18) * 86400.0,
        ends_at=(day - 17) * 86400.0,
        value=value,
        **more,
    )


def remember(ledger: Ledger, feed: Feed, *rows: Datapoint | Day) -> Memory:
    """What is remembered of these rows for a decision about the windows."""
    with ledger.write() as session:
        session.add_all(rows)

    def load(session: Session) -> Memory:
        known = memory.load_days(session, feed.id or 0, since="20261101")
        memory.load_points(session, known, feed.id or 0, FIRST)
        return known

    with ledger.read() as session:
        return load(session)


def past(known: Memory, feed: Feed, shape: Shape = Shape.AS_IS) -> Past:
    """The past of the windows."""
    return memory.past_of(known, shape, feed, WINDOWS)


def test_what_is_there_and_what_is_pinned(ledger: Ledger, feed: Feed) -> None:
    """Only what landed is there; days know their readings, pins and bounds."""
    known = remember(
        ledger,
        feed,
        row(feed, 18, 1.0),
        row(feed, 19, 2.0, PENDING),
        read(feed, 18, 1.0, unit="kWh"),
        read(feed, 19, None, pinned=True, seen_at=5.0),
    )
    found = past(known, feed)
    assert found.there == {"20261118"}
    assert found.pinned == {"20261119"}
    assert found.read == {"20261118": Reading(1.0, "kWh")}
    assert known.bounds()["20261119"].seen_at == 5.0


def test_a_day_keeps_its_id_when_something_was_sent_under_it(ledger: Ledger, feed: Feed) -> None:
    """Landed or perhaps landed; not what only waits, and not single events."""
    known = remember(
        ledger,
        feed,
        row(feed, 18, 1.0),
        row(feed, 19, 2.0, PENDING, sent_value=2.0),
        row(feed, 20, 3.0, PENDING),
        row(feed, 20, 4.0, requestid="wg-event", timestamp=7),
    )
    assert past(known, feed).ids == {"20261118": "wg-18", "20261119": "wg-19"}


def test_earlier_points_are_not_part_of_a_decision(ledger: Ledger, feed: Feed) -> None:
    """But the last one before is known, whatever was never sent or given up."""
    known = remember(
        ledger,
        feed,
        row(feed, 12, 5.0),
        row(feed, 15, 6.0),
        row(feed, 16, 7.0, WITHDRAWN, content_hash=""),
        row(feed, 17, 8.0, WITHDRAWN, frozen="deleted"),
        row(feed, 18, 9.0),
    )
    assert set(known.by_requestid()) == {"wg-18"}
    assert [found.requestid for found in known.before] == ["wg-15"]


@pytest.mark.parametrize(
    ("last", "before"),
    [
        ([], 100.0),
        ([(15, 130.0, {})], 130.0),
        ([(15, 130.0, {"state": PENDING})], 130.0),
        ([(15, 130.0, {"state": HELD, "landed_value": 120.0})], 120.0),
        ([(15, 130.0, {"state": WITHDRAWN, "landed_value": 90.0, "frozen": "edited"})], 90.0),
        ([(14, 125.0, {}), (15, 130.0, {"state": WITHDRAWN, "frozen": "deleted"})], 125.0),
        ([(9, 70.0, {})], 100.0),
    ],
)
def test_where_a_running_total_goes_on(
    ledger: Ledger, feed: Feed, last: list[tuple[int, float, dict]], before: float
) -> None:
    """From the last day of this count as it is at Beeminder, or from where the goal stood."""
    rows = [row(feed, day, value, **more) for day, value, more in last]
    assert past(remember(ledger, feed, *rows), feed, Shape.RUNNING).before == before


@pytest.mark.parametrize(
    ("readings", "before"),
    [
        ({}, None),
        ({15: 40.0, 17: 42.0}, 42.0),
        ({15: 40.0, 17: None}, 40.0),
        ({18: 44.0}, None),
    ],
)
def test_what_a_difference_is_taken_from(
    ledger: Ledger, feed: Feed, readings: dict[int, float | None], before: float | None
) -> None:
    """The last reading before the first day, however long ago."""
    rows = [read(feed, day, value) for day, value in readings.items()]
    assert past(remember(ledger, feed, *rows), feed, Shape.DIFFERENCE).before == before


def test_a_difference_is_not_taken_from_another_count(ledger: Ledger, feed: Feed) -> None:
    """Readings of before the parameters changed were perhaps of another meter."""
    feed.cursor = {"running_from": "20261116"}
    known = remember(ledger, feed, read(feed, 15, 40.0))
    assert past(known, feed, Shape.DIFFERENCE).before is None


def test_a_feed_without_a_memory_has_no_past(ledger: Ledger, feed: Feed) -> None:
    """Nothing is there, nothing is pinned, and no window makes no question."""
    known = remember(ledger, feed)
    assert past(known, feed) == Past()
    assert memory.past_of(known, Shape.RUNNING, feed, ()).before is None


def rules(shape: Shape) -> Rules:
    """Rules of a count whose points are `wg-0-…`."""
    return Rules(
        digest="0", kind="level", history=True, source="s", goal="g", metric="m", shape=shape
    )


@pytest.mark.parametrize(
    ("action", "more", "stands"),
    [
        (Action.SEND, {}, 108.0),
        (Action.HOLD, {}, 105.0),
        (Action.LEAVE, {"frozen": "edited", "landed_value": 90.0}, 90.0),
        (Action.LEAVE, {"frozen": "deleted", "landed_value": None}, 103.0),
        (Action.HOLD, {"landed_value": None, "sent_value": 104.0}, 104.0),
        (None, {}, 105.0),
    ],
)
def test_where_a_total_stands_once_the_days_are_judged(
    feed: Feed, action: Action | None, more: dict, stands: float
) -> None:
    """At what is sent, else at what is there; a day that a person deleted is passed over."""
    point = Point(requestid="wg-19", value=108.0, comment="", daystamp="20261119")
    known = Memory(points=[row(feed, 18, 103.0), row(feed, 19, 105.0, **more)])
    verdicts = [
        Verdict(WINDOWS[0], Reading(None), (), ""),
        Verdict(WINDOWS[1], Reading(8.0), (point,) if action else (), ""),
    ]
    judged = [Judged(point, action)] if action else []
    before = Past(ids={"20261118": "wg-18", "20261119": "wg-19"}, before=100.0)
    assert memory.stands(known, rules(Shape.RUNNING), before, verdicts, judged) == stands
    nothing = memory.stands(Memory(), rules(Shape.RUNNING), Past(before=100.0), verdicts[:1], [])
    assert nothing == 100.0


@pytest.mark.parametrize(
    ("action", "more", "stands"),
    [
        (Action.SEND, {}, 108.0),
        (Action.HOLD, {}, 105.0),
        (Action.HOLD, {"landed_value": None, "sent_value": 4.0}, 104.0),
        (Action.LEAVE, {}, 105.0),
        (Action.LEAVE, {"frozen": "edited", "landed_value": 90.0}, 108.0),
        (Action.HOLD, {"requestid": "wg-1-20261119"}, 108.0),
        (None, {}, 108.0),
    ],
)
def test_what_the_next_difference_is_taken_from_once_the_days_are_judged(
    feed: Feed, action: Action | None, more: dict, stands: float
) -> None:
    """From the reading that is counted: one kept back is not, what a person said is none."""
    name = str(more.get("requestid", "wg-0-20261119"))
    point = Point(requestid=name, value=8.0, comment="", daystamp="20261119")
    known = Memory(points=[row(feed, 19, 5.0, **({"requestid": name} | more))])
    verdicts = [
        Verdict(WINDOWS[0], Reading(None), (), ""),
        Verdict(WINDOWS[1], Reading(108.0), (point,) if action else (), ""),
    ]
    judged = [Judged(point, action)] if action else []
    before = Past(ids={"20261119": name}, before=100.0)
    assert memory.stands(known, rules(Shape.DIFFERENCE), before, verdicts, judged) == stands
