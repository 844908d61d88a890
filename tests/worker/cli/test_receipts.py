"""Promises of `waggle explain`: the whole story of one day, as text to paste and as JSON."""

import pytest
from sqlmodel import select

from db.models import Cover, Event, Feed, Goal, User
from db.models_points import Datapoint, Day, Sending

STARTS = 1_795_042_800.0  # 2026-11-19 00:00 in Paris
ENDS = STARTS + 86400
NOON = STARTS + 12 * 3600
DAY = "2026-11-19"
EVENT = "01kaf0w5m2v6x3c8d9e7g4h1jk"


def change(ledger, table, label="", **values):
    """Set columns of a goal, a user, or a feed by its label."""
    with ledger.write() as session:
        asked = select(table).where(Feed.label == label) if table is Feed else select(table)
        row = session.exec(asked).one()
        for name, value in values.items():
            setattr(row, name, value)


@pytest.fixture
def paris(applied, ledger):
    """Alice lives in Paris, her day ends at midnight there; commands for her goal."""
    change(ledger, User, timezone="Europe/Paris")
    return applied


def read(ledger, **more):
    """The first feed's day was read at noon, by claim 7, for a callback."""
    values = {
        "starts_at": STARTS,
        "ends_at": ENDS,
        "value": 2.5,
        "unit": "kWh",
        "epoch": 7,
        "seen_at": NOON,
    }
    with ledger.write() as session:
        feed = session.exec(select(Feed).where(Feed.label == "")).one()
        session.add(Day(feed_id=feed.id, daystamp="20261119", **(values | more)))
        session.add(
            Event(
                id=EVENT,
                kind="autofetch",
                state="done",
                received_at=NOON - 0.25,
                finished_at=NOON + 1.0,
            )
        )
        session.flush()
        session.add(Cover(event_id=EVENT, feed_id=feed.id, epoch=7))


def send(ledger, *sendings, **more):
    """The day's datapoint, with these tries to send it."""
    values = {
        "requestid": "wg-abc-20261119",
        "daystamp": "20261119",
        "value": 2.5,
        "content_hash": "h",
        "landed_hash": "h",
        "landed_value": 2.5,
        "landed_at": NOON + 1,
        "sent_at": NOON,
        "sent_value": 2.5,
        "state": "landed",
        "beeminder_id": "5f3",
    }
    with ledger.write() as session:
        feed = session.exec(select(Feed).where(Feed.label == "")).one()
        point = Datapoint(goal_id=feed.goal_id, feed_id=feed.id, **(values | more))
        session.add(point)
        session.flush()
        for sending in sendings:
            session.add(Sending(datapoint_id=point.id, comment="from plant", **sending))


CREATED = {
    "epoch": 7,
    "value": 2.5,
    "sent_at": NOON,
    "answered_at": NOON + 0.5,
    "status": "created",
    "request_id": "req-1",
}

RECEIPT = f"""\
alice/energy on 2026-11-19

starts      2026-11-18 23:00:00 UTC (2026-11-19 00:00:00 +0100)
ends        2026-11-19 23:00:00 UTC (2026-11-20 00:00:00 +0100)
zone        Europe/Paris
deadline    00:00 of the next day (0 s)
counted     timeseries_aggregate of plant (bemserver): data_state=Clean, timeseries=1
source said 2.5 kWh, read 2026-11-19 11:00:00 UTC (2026-11-19 12:00:00 +0100)
asked by    autofetch {EVENT}, received 2026-11-19 10:59:59 UTC (2026-11-19 11:59:59 +0100)
            done 2026-11-19 11:00:01 UTC (2026-11-19 12:00:01 +0100), after 1.25 s

datapoint   requestid wg-abc-20261119: landed
  there     2.5, landed 2026-11-19 11:00:01 UTC (2026-11-19 12:00:01 +0100), Beeminder's id 5f3
  sent      2.5 2026-11-19 11:00:00 UTC (2026-11-19 12:00:00 +0100), 'from plant'
            created, request id req-1, after 0.5 s
"""


def test_the_receipt_of_a_day_that_went_well(paris, ledger):
    """Word for word: bounds, what was read, who asked, what was sent and answered."""
    change(ledger, Feed, params={"timeseries": 1, "data_state": "Clean"})
    read(ledger)
    send(ledger, CREATED)
    assert paris("explain", "alice/energy", DAY).stdout == RECEIPT


def test_the_same_as_json(paris, ledger):
    """Stable keys, times in UTC; a feed of which nothing is known is left out."""
    read(ledger)
    send(ledger, CREATED)
    (found,) = paris.json("explain", "alice/energy", DAY)
    assert (found["feed"], found["daystamp"], found["value"]) == ("alice/energy", "20261119", 2.5)
    assert (found["starts_at"], found["timezone"]) == ("2026-11-18T23:00:00Z", "Europe/Paris")
    assert found["events"] == [
        {
            "id": EVENT,
            "kind": "autofetch",
            "state": "done",
            "received_at": "2026-11-19T10:59:59Z",
            "finished_at": "2026-11-19T11:00:01Z",
            "waited_seconds": 1.25,
        }
    ]
    (point,) = found["datapoints"]
    assert (point["requestid"], point["landed_value"]) == ("wg-abc-20261119", 2.5)
    assert point["sendings"] == [
        {
            "value": 2.5,
            "comment": "from plant",
            "sent_at": "2026-11-19T11:00:00Z",
            "answered_at": "2026-11-19T11:00:00Z",
            "status": "created",
            "request_id": "req-1",
            "error": None,
        }
    ]


@pytest.mark.parametrize(
    ("point", "told"),
    [
        ({"state": "held", "value": 0.0, "held_at": NOON, "error": "would empty"}, "held      0,"),
        ({"state": "held", "error": "would empty a day"}, "why       would empty a day"),
        ({"landed_hash": None}, "there     not known: no answer came"),
        ({"landed_hash": None, "sent_value": None, "landed_value": None}, "nothing of ours"),
        ({"frozen": "edited", "landed_hash": None, "landed_value": 9.0}, "9, edited by a person"),
        ({"frozen": "deleted", "landed_hash": None}, "-, deleted by a person"),
        ({"sent_at": None}, "2.5, found there and not sent by this ledger"),
        ({"approved_hash": "h"}, "  approved  by a person"),
        ({"dropped_hash": "other"}, "  dropped   a correction, by a person"),
    ],
)
def test_what_is_there_is_never_guessed(paris, ledger, point, told):
    """Held, unanswered, edited, deleted, adopted, decided about: told as what it is."""
    read(ledger)
    send(ledger, **point)
    assert told in paris("explain", "alice/energy", DAY).stdout


def test_a_try_without_an_answer_and_one_that_was_refused(paris, ledger):
    """Both stand in the receipt, with the reason of Beeminder."""
    read(ledger)
    refused = CREATED | {"status": "refused", "error": "goal is frozen", "request_id": None}
    send(ledger, {"epoch": 6, "value": 2.0, "sent_at": NOON - 60}, refused)
    told = paris("explain", "alice/energy", DAY).stdout
    assert "no answer: it may have arrived" in told
    assert "refused, after 0.5 s, goal is frozen" in told
    assert told.index("no answer") < told.index("refused")


def test_a_day_without_a_point_says_why(paris, ledger):
    """What the source said, the note of the decision, and that there is no datapoint."""
    read(ledger, value=None, note="nothing was measured")
    told = paris("explain", "alice/energy", DAY).stdout
    assert "source said nothing, read 2026-11-19 11:00:00 UTC" in told
    assert "            nothing was measured\n" in told
    assert told.endswith("datapoint   none\n")


def test_bounds_are_those_that_the_day_had(paris, ledger):
    """After a deadline was moved the receipt shows the stored bounds, and says so."""
    read(ledger)
    change(ledger, Goal, deadline=-7200)
    told = paris("explain", "alice/energy", DAY).stdout
    assert "ends        2026-11-19 23:00:00 UTC" in told
    assert "deadline    22:00 (-7200 s); one of them has changed since" in told


def test_a_pinned_day_says_so(paris, ledger):
    """Also when this ledger never read it, and nobody asked."""
    paris("pin", "alice/energy:roof", DAY)
    told = paris("explain", "alice/energy", DAY).stdout
    assert told.startswith("alice/energy:roof on 2026-11-19\n")
    assert "source said nothing: this ledger has not read the day" in told
    assert "pinned      by a person" in told
    assert "no callback that is remembered" in told


def test_feeds_of_a_goal_follow_each_other(paris, ledger):
    """Each with its own receipt, and a label means one."""
    read(ledger)
    paris("pin", "alice/energy:roof", DAY)
    told = paris("explain", "alice/energy", DAY).stdout
    assert told.index("alice/energy on") < told.index("alice/energy:roof on")
    assert "alice/energy on" not in paris("explain", "alice/energy:roof", DAY).stdout


def test_many_callbacks_do_not_drown_the_receipt(paris, ledger):
    """The last ten are shown and the others counted; JSON has all."""
    read(ledger)
    with ledger.write() as session:
        feed = session.exec(select(Feed).where(Feed.label == "")).one()
        for number in range(30):
            session.add(Event(id=f"e{number:02}", kind="autofetch", received_at=NOON + number))
        session.flush()
        for number in range(30):
            session.add(Cover(event_id=f"e{number:02}", feed_id=feed.id, epoch=7))
    told = paris("explain", "alice/energy", DAY).stdout
    assert told.count("asked by") == 10
    assert "e29" in told
    assert "and 21 before these (--json has all)" in told
    assert len(paris.json("explain", "alice/energy", DAY)[0]["events"]) == 31


def test_nothing_known_is_a_failure(paris):
    """Exit status 1 and a sentence; as JSON an empty list is there as well."""
    line = paris.refusal("explain", "alice/energy", DAY, status=1)
    assert line.startswith("nothing is known of alice/energy on 2026-11-19")
    assert paris.json("explain", "alice/energy", DAY, status=1) == []


def test_a_bad_day_is_refused(paris):
    """Exit status 2."""
    assert "is no day" in paris.refusal("explain", "alice/energy", "2026-11-32")


def test_text_of_others_cannot_steer_a_terminal(paris, ledger):
    """Notes, comments and errors are printed without control characters."""
    read(ledger, note="no \x1b[31mway\nstarts      never")
    send(ledger, error="\x1b[2J")
    told = paris("explain", "alice/energy", DAY).stdout
    assert "\x1b" not in told
    assert told.count("\nstarts ") == 1
