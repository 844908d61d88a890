"""Health: alive while it serves, ready while work moves."""

import threading

import pytest

from db import tallies
from db.models import Event, Feed, Goal, Source, User, Worker
from db.models_limits import Breaker, Quota
from db.states import FeedState
from db.tallies import Key, Seen
from webhooks import probe


def add_worker(
    serving,
    *,
    seen_ago: float = 1.0,
    started_ago: float = 3600.0,
    name: str = "w",
    queues: str = "urgent,default,bulk",
    swept_ago: float = 1.0,
) -> None:
    """A worker that was heard of so long ago, where beat rings."""
    now = serving.clock.now()
    with serving.ledger.write() as session:
        tallies.mark(session, {Key(tallies.SWEEP): Seen(now - swept_ago)})
        session.add(
            Worker(
                name=name,
                queues=queues,
                slots=4,
                started_at=now - started_ago,
                seen_at=now - seen_ago,
            )
        )


def add_feed(serving, **values) -> None:
    """A feed of alice's."""
    with serving.ledger.write() as session:
        session.add(User(username="alice"))
        session.flush()
        session.add(Source(user_id=1, name="s", provider="p"))
        session.add(Goal(user_id=1, slug="g", declared_slug="g"))
        session.flush()
        session.add(Feed(goal_id=1, source_id=1, metric="m", **values))


def test_ready_while_work_moves(serving):
    """Database, broker and a worker that is alive: 200."""
    add_worker(serving)
    response = serving.client.get("/readyz")

    assert response.status_code == 200
    assert response.json() == {
        "database": "ok",
        "broker": "ok",
        "workers": 1,
        "oldest_due_seconds": 0.0,
        "last_sweep_seconds": 1.0,
        "why": [],
    }


@pytest.mark.parametrize("seen_ago", [None, 16.0])
def test_not_ready_without_a_living_worker(serving, seen_ago):
    """A worker that has not been heard of for a while does no work."""
    if seen_ago is not None:
        add_worker(serving, seen_ago=seen_ago)
    response = serving.client.get("/readyz")

    assert (response.status_code, response.json()["workers"]) == (503, 0)


@pytest.mark.parametrize(("waited", "status"), [(59.0, 200), (61.0, 503)])
def test_not_ready_when_a_callback_waits_too_long(serving, waited, status):
    """Due work that nobody takes for a minute is work that does not move."""
    add_worker(serving)
    now = serving.clock.now()
    with serving.ledger.write() as session:
        session.add(Event(id="e", kind="autofetch", received_at=now, due_at=now - waited))
    response = serving.client.get("/readyz")

    assert (response.status_code, response.json()["oldest_due_seconds"]) == (status, waited)


@pytest.mark.parametrize(("synced_ago", "status"), [(5.0, 200), (61.0, 503)])
def test_a_backlog_that_is_worked_off_is_moving(serving, synced_ago, status):
    """Overdue schedules do not make Waggle unready while feed after feed is synced."""
    add_worker(serving)
    now = serving.clock.now()
    add_feed(serving, due_at=now - 7200, last_synced_at=now - synced_ago)

    assert serving.client.get("/readyz").status_code == status


def test_a_worker_that_has_just_started_gets_a_minute(serving):
    """After a long stop everything is overdue, and that is no reason to stop again."""
    add_worker(serving, started_ago=1.0)
    add_feed(serving, due_at=serving.clock.now() - 7200)

    assert serving.client.get("/readyz").status_code == 200


def test_a_feed_that_is_due_counts(serving):
    """Schedules that nobody serves are work that does not move."""
    now = serving.clock.now()
    add_feed(serving, due_at=now - 100)

    assert serving.client.get("/readyz").json()["oldest_due_seconds"] == 100


@pytest.mark.parametrize(
    ("opens_in", "status"), [(3600.0, 200), (1.0, 200), (-59.0, 200), (-61.0, 503)]
)
def test_a_closed_gate_is_no_standstill(serving, opens_in, status):
    """A vendor that asks for an hour makes nothing red; that nobody goes on after it does."""
    add_worker(serving)
    now = serving.clock.now()
    add_feed(serving, due_at=now - 7200)
    with serving.ledger.write() as session:
        session.get_one(Source, 1).quota_key = "p:s"
        session.add(Quota(key="p:s", vendor="p", closed_at=now - 7200, closed_until=now + opens_in))

    assert serving.client.get("/readyz").status_code == status


def test_an_open_breaker_is_no_standstill(serving):
    """A source that has been dead for a day makes nothing red: its probe is not due yet."""
    add_worker(serving)
    now = serving.clock.now()
    add_feed(serving, due_at=now - 86400)
    with serving.ledger.write() as session:
        session.add(Breaker(subject="source:1", opened_at=now - 86400, probe_at=now + 600))

    assert serving.client.get("/readyz").json()["oldest_due_seconds"] == 0.0
    assert serving.client.get("/readyz").status_code == 200


@pytest.mark.parametrize(
    "values",
    [
        {"due_at": 0.0, "state": FeedState.PAUSED},
        {"due_at": 0.0, "state": FeedState.STOPPED},
        {"due_at": 0.0, "lease_until": 9e12},
        {"due_at": 9e12},
    ],
)
def test_what_need_not_be_done_now_does_not_count(serving, values):
    """Stopped, running and later feeds do not make Waggle look stuck."""
    add_feed(serving, **values)

    assert serving.client.get("/readyz").json()["oldest_due_seconds"] == 0.0


def test_a_broker_that_is_gone_is_told(serve):
    """The bells do not ring: 503, and which part it is."""
    serving = serve(broker_ok=lambda: False)
    add_worker(serving)
    response = serving.client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["broker"] == "not reachable"


def test_a_broker_that_hangs_is_told(serve, monkeypatch):
    """A frozen broker delays the answer by the patience, not for ever, and healthz not at all."""
    monkeypatch.setattr(probe, "PATIENCE_SECONDS", 0.1)
    let = threading.Event()
    serving = serve(broker_ok=lambda: let.wait(10))
    response = serving.client.get("/readyz")
    alive = serving.client.get("/healthz")
    let.set()

    assert response.status_code == 503
    assert response.json()["broker"] == "no answer within 0.1 s"
    assert (alive.status_code, alive.text) == (200, "ok")


def test_the_broker_is_not_asked_at_every_look(serve):
    """Load balancers look often; an answer is good for some seconds."""
    asked = []
    serving = serve(broker_ok=lambda: not asked.append(True))
    for _ in range(10):
        serving.client.get("/readyz")

    assert len(asked) == 1


def test_a_database_that_fails_is_told_and_healthz_stays(serving):
    """Alive but not ready: restarting the receiver would not help."""
    with serving.ledger.write() as session:
        session.connection().exec_driver_sql("DROP TABLE worker")
    response = serving.client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["database"].startswith("failed")
    assert serving.client.get("/healthz").status_code == 200
