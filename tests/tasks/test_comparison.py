"""What counts as a difference, point by point."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import clients
from db.models_points import Datapoint
from tasks.comparison import DIFFERENT, Kind, Span, compare

DAY = "20261119"
NOW = 2000.0
SPANS = {(1, DAY): Span(0.0, 1000.0), (1, "20261120"): Span(1000.0, 3000.0)}


def row(**more: Any) -> Datapoint:
    """A row that has landed with the value 7."""
    columns: dict[str, Any] = {
        "id": 1,
        "goal_id": 1,
        "feed_id": 1,
        "requestid": "wg-a",
        "daystamp": DAY,
        "value": 7.0,
        "content_hash": "h",
        "landed_hash": "h",
        "landed_value": 7.0,
        "sent_value": 7.0,
        "state": "landed",
        "beeminder_id": "b1",
    }
    return Datapoint(**columns | more)


def there(value: float = 7.0, *, daystamp: str = DAY, timestamp: int = 999) -> clients.Datapoint:
    """Our point at Beeminder."""
    return clients.Datapoint("b1", value, daystamp, timestamp, requestid="wg-a")


def kind(
    found: Datapoint, point: clients.Datapoint | None, unanswered: tuple[float, ...] = ()
) -> Kind | None:
    """How this one row stands."""
    held = {} if point is None else {"wg-a": point}
    told = compare([found], held, spans=SPANS, now=NOW, unanswered={1: unanswered})
    return told[0].kind if told else None


PENDING = {"state": "pending", "value": 8.0, "content_hash": "new"}
UNANSWERED = {**PENDING, "landed_hash": None, "sent_value": 8.0}
NEVER_SENT = {**PENDING, "landed_hash": None, "landed_value": None, "sent_value": None}
EDITED = {"state": "withdrawn", "frozen": "edited", "landed_hash": None, "landed_value": 9.0}
DELETED = {"state": "withdrawn", "frozen": "deleted", "landed_hash": None, "landed_value": None}


@pytest.mark.parametrize(
    ("columns", "point", "expected"),
    [
        ({}, there(), Kind.LANDED),
        ({}, there(7.0000000001), Kind.LANDED),
        ({}, there(9.0), Kind.EDITED),
        ({}, None, Kind.DELETED),
        ({"beeminder_id": None}, None, Kind.MISSING),
        ({}, there(daystamp="20261118", timestamp=-5), Kind.EDITED),
        ({}, there(daystamp="20261120"), Kind.MOVED),
        ({}, there(9.0, daystamp="20261120"), Kind.EDITED),
        ({"timestamp": 500}, there(daystamp="20261120", timestamp=500), Kind.MOVED),
        ({"timestamp": 500}, there(daystamp="20261120", timestamp=501), Kind.EDITED),
        ({"daystamp": "20251231"}, there(daystamp="20260101"), Kind.EDITED),
        (PENDING, there(7.0), Kind.PENDING),
        (PENDING, there(8.0), Kind.EDITED),
        (PENDING, None, Kind.DELETED),
        (UNANSWERED, there(7.0), Kind.PENDING),
        (UNANSWERED, there(8.0), Kind.PENDING),
        (UNANSWERED, there(9.0), Kind.EDITED),
        ({**UNANSWERED, "beeminder_id": None, "landed_value": None}, None, Kind.PENDING),
        ({**NEVER_SENT, "beeminder_id": None}, None, Kind.PENDING),
        ({**NEVER_SENT, "beeminder_id": None}, there(3.0), Kind.PENDING),
        ({"state": "held", "value": 0.0}, there(7.0), Kind.HELD),
        ({"state": "held", "value": 0.0}, there(9.0), Kind.EDITED),
        ({"state": "held", "value": 0.0}, None, Kind.DELETED),
        ({**UNANSWERED, "state": "rejected"}, there(7.0), Kind.REJECTED),
        ({**UNANSWERED, "state": "rejected"}, there(9.0), Kind.EDITED),
        (EDITED, there(9.0), Kind.EDITED),
        (EDITED, there(7.0), Kind.LANDED),
        (EDITED, None, Kind.DELETED),
        (DELETED, None, Kind.DELETED),
        (DELETED, there(7.0), Kind.LANDED),
        (DELETED, there(9.0), Kind.EDITED),
        ({"state": "withdrawn"}, None, None),
        ({"state": "withdrawn"}, there(9.0), None),
    ],
)
def test_each_row_against_what_is_there(
    columns: dict[str, Any], point: clients.Datapoint | None, expected: Kind | None
) -> None:
    """Every state of a row, with its value there, with another one, and with none."""
    assert kind(row(**columns), point) == expected


def test_a_late_push_of_ours_is_no_edit() -> None:
    """A value that one of our own sendings may have left is never taken for a person's."""
    assert kind(row(), there(6.0), (5.0, 6.0)) == Kind.LATE
    assert kind(row(), there(6.5), (5.0, 6.0)) == Kind.EDITED
    assert kind(row(**EDITED), there(6.0), (6.0,)) == Kind.EDITED


def test_only_what_is_not_in_the_ledger_is_foreign() -> None:
    """A withdrawn row is known all the same."""
    points = {"wg-a": there(), "wg-b": there()}
    told = compare([row(state="withdrawn")], points, spans=SPANS, now=NOW)
    assert [(one.requestid, one.kind) for one in told] == [("wg-b", Kind.FOREIGN)]


@pytest.mark.parametrize(
    ("daystamp", "now", "finished"),
    [(DAY, 999.0, False), (DAY, 1000.0, True), ("20200101", 0.0, True)],
)
def test_a_day_is_over_when_its_bounds_say_so(daystamp: str, now: float, *, finished: bool) -> None:
    """To the second, by the bounds it had; a day without bounds is long over."""
    (one,) = compare([row(daystamp=daystamp)], {}, spans=SPANS, now=now)
    assert one.finished is finished


VALUES = st.sampled_from([5.0, 6.0, 7.0, 8.0, 9.0])
MAYBE = st.one_of(st.none(), VALUES)


@given(
    state=st.sampled_from(["pending", "held", "landed", "rejected"]),
    value=VALUES,
    landed=MAYBE,
    sent=MAYBE,
    answered=st.booleans(),
    at_beeminder=VALUES,
    unanswered=st.lists(VALUES, max_size=2),
)
def test_what_we_may_have_written_is_never_called_an_edit(
    *,
    state: str,
    value: float,
    landed: float | None,
    sent: float | None,
    answered: bool,
    at_beeminder: float,
    unanswered: list[float],
) -> None:
    """For every row and every value there: "edited" only for a value that none of ours can be."""
    found = row(
        state=state,
        value=value,
        landed_value=landed,
        sent_value=sent,
        landed_hash="h" if answered else None,
    )
    told = kind(found, there(at_beeminder), tuple(unanswered))
    possible = {landed, *unanswered} | (set() if answered else {sent})
    if told == Kind.EDITED:
        assert at_beeminder not in possible
    if told not in DIFFERENT:
        assert landed is None or at_beeminder in {landed, sent}
