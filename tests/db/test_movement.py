"""Does work move? Each way of standing still is seen, and quiet times are none of them."""

import pytest
from sqlalchemy import text
from sqlmodel import Session

from db import movement, schema, tallies
from db.engine import Ledger
from db.models import Event, Feed, Worker
from db.models_points import Datapoint
from db.models_runs import Run
from db.states import Lane
from db.tallies import Key, Seen

NOW = 1_795_000_000.0
ALL = "urgent,default,bulk"
QUIET = {"due_at": NOW + 600, "last_synced_at": NOW - 900}


def staff(
    ledger: Ledger, name: str = "w", *, queues: str = ALL, started: float = 9e3, seen: float = 1.0
) -> None:
    """A worker, and how long ago it was started and heard of last."""
    with ledger.write() as session:
        session.add(
            Worker(name=name, queues=queues, slots=1, started_at=NOW - started, seen_at=NOW - seen)
        )


def swept(ledger: Ledger, ago: float = 1.0) -> None:
    """Somebody looked for due work so long ago."""
    with ledger.write() as session:
        tallies.mark(session, {Key(tallies.SWEEP): Seen(NOW - ago)})


def change(ledger: Ledger, *feed_ids: int, **values: object) -> None:
    """Set columns of feeds."""
    with ledger.write() as session:
        for feed_id in feed_ids:
            session.get_one(Feed, feed_id).sqlmodel_update(values)


def stuck(ledger: Ledger) -> str:
    """Why work does not move, in one line; "" while it does."""
    with ledger.read() as session:
        return "; ".join(movement.look(session, NOW).stuck)


@pytest.fixture(autouse=True)
def _quiet(ledger: Ledger, linked: None) -> None:
    """Nothing is due."""
    change(ledger, 1, 2, **QUIET)


def test_quiet_times_are_well(ledger: Ledger) -> None:
    """Nothing is due and somebody looks: that is all that can be asked for."""
    staff(ledger)
    swept(ledger)
    assert stuck(ledger) == ""


@pytest.mark.parametrize(
    ("queues", "told"),
    [
        ("progress", "no worker serves urgent, default, bulk"),
        ("urgent", "no worker serves default, bulk"),
        ("urgent,default", "no worker serves bulk"),
        (ALL, ""),
    ],
)
def test_a_queue_that_nobody_serves_stands_still(ledger: Ledger, queues: str, told: str) -> None:
    """A worker that lives says nothing of the others: what it does not hear, nobody does."""
    staff(ledger, queues=queues)
    swept(ledger)
    assert stuck(ledger) == told


def test_workers_share_the_queues(ledger: Ledger) -> None:
    """One for callbacks and one for the rest are enough; the dead serve nothing."""
    staff(ledger, "a", queues="urgent")
    staff(ledger, "b", queues="default,bulk")
    swept(ledger)
    assert stuck(ledger) == ""
    with ledger.write() as session:
        session.get_one(Worker, "b").seen_at = NOW - 16
    assert stuck(ledger) == "no worker serves default, bulk"


@pytest.mark.parametrize(
    ("ago", "started", "well"),
    [(59, 9e3, True), (61, 9e3, False), (61, 59, True), (None, 9e3, False), (None, 59, True)],
)
def test_that_nobody_sweeps_is_seen_with_nothing_due(
    ledger: Ledger, ago: float | None, started: float, *, well: bool
) -> None:
    """Beat is dead, or bells are lost on their way: both before anybody waits for it."""
    staff(ledger, started=started)
    if ago is not None:
        swept(ledger, ago)
    assert (stuck(ledger) == "") == well
    assert well or "beat" in stuck(ledger)


def test_work_that_is_due_and_not_done_stands_still(ledger: Ledger) -> None:
    """Workers live, and sweep, and finish nothing: they hang."""
    staff(ledger)
    swept(ledger)
    change(ledger, 1, due_at=NOW - 61)
    assert "due for 61 s" in stuck(ledger)
    change(ledger, 2, last_synced_at=NOW - 5)
    assert stuck(ledger) == ""


def test_a_start_gets_its_time_and_a_row_of_crashes_does_not(ledger: Ledger) -> None:
    """A worker that dies of its work every half a minute is always young."""
    staff(ledger, "third", started=5)
    swept(ledger)
    change(ledger, 1, due_at=NOW - 600)
    assert stuck(ledger) == ""
    staff(ledger, "first", started=80, seen=45)
    assert stuck(ledger) == ""
    staff(ledger, "second", started=40, seen=20)
    assert "nothing is done" in stuck(ledger)


def test_a_callback_does_not_wait_behind_whatever_else_is_done(ledger: Ledger) -> None:
    """Schedules are worked off, and a callback is passed over again and again."""
    staff(ledger)
    swept(ledger)
    change(ledger, 1, due_at=NOW - 301, lane=Lane.URGENT.value)
    change(ledger, 2, last_synced_at=NOW - 1)
    assert "callback has been due for 301 s" in stuck(ledger)
    change(ledger, 1, lane=Lane.DEFAULT.value)
    assert stuck(ledger) == ""
    with ledger.write() as session:
        session.add(Event(id="e", kind="autofetch", due_at=NOW - 302, received_at=NOW - 302))
    assert "callback has been due for 302 s" in stuck(ledger)


@pytest.mark.parametrize(("waited", "well"), [(299, True), (301, False)])
def test_datapoints_that_nobody_sends_stand_still(
    ledger: Ledger, waited: int, *, well: bool
) -> None:
    """Feeds are synced, and what was put off to be sent later is not."""
    staff(ledger)
    swept(ledger)
    with ledger.write() as session:
        session.add(
            Datapoint(
                goal_id=1, feed_id=1, requestid="r", value=1, content_hash="h", due_at=NOW - waited
            )
        )
    assert (stuck(ledger) == "") == well
    assert well or "datapoints" in stuck(ledger)


def test_runs_that_nobody_follows_any_more_stand_still(ledger: Ledger) -> None:
    """The follower died, or hangs; where there never was one, runs count when they are over."""
    staff(ledger)
    swept(ledger)
    with ledger.write() as session:
        session.add(Run(source_id=1, run_id="r", due_at=NOW - 61))
    assert stuck(ledger) == ""
    staff(ledger, "p", queues="progress", seen=100)
    assert "runs" in stuck(ledger)
    with ledger.write() as session:
        worker = session.get_one(Worker, "p")
        worker.seen_at, worker.started_at = NOW, NOW - 30
    assert stuck(ledger) == ""


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.services
def test_a_server_that_takes_no_writes_is_found(ledger: Ledger) -> None:
    """A standby answers every question, and no callback can be stored there."""
    with ledger.engine.connect() as connection, Session(connection) as session:
        schema.writable(session)
        session.connection().execute(text("SET TRANSACTION READ ONLY"))
        with pytest.raises(schema.ReadOnlyError, match="standby"):
            schema.writable(session)
