"""Figures: what was received, what is in the ledger, and what holds work up."""

import pytest
from sqlmodel import select

from db.models import Event, Feed, Source
from db.models_limits import Breaker, Quota
from db.models_runs import Run
from tests.webhooks.test_health import add_feed, add_worker
from webhooks import probe


@pytest.fixture(autouse=True)
def _read_anew(monkeypatch):
    """The ledger is read for each scrape: what was told a second ago hides nothing here."""
    monkeypatch.setattr(probe, "FIGURES_FRESH_SECONDS", 0.0)


@pytest.fixture
def serving(serve):
    """A receiver that holds nothing, and knows one provider."""
    return serve(vendors=frozenset({"beeminder", "p"}))


def test_metrics_tell_callbacks_and_the_ledger(serving):
    """What was answered is counted by kind and outcome; states of the ledger are gauges."""
    add_worker(serving)
    serving.autofetch()
    serving.client.post("/beeminder/autofetch/path-secret-1", json={})
    serving.client.post("/beeminder/deauthorized/path-secret-1", json={"access_token": "t"})
    response = serving.client.get("/metrics")

    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    for line in (
        'waggle_callbacks_total{kind="autofetch",outcome="late"} 1.0',
        'waggle_callbacks_total{kind="autofetch",outcome="malformed"} 1.0',
        'waggle_callbacks_total{kind="deauthorized",outcome="accepted"} 1.0',
        'waggle_inbox_events{state="received"} 2.0',
        'waggle_inbox_events{state="dead"} 0.0',
        'waggle_outbox_datapoints{state="pending"} 0.0',
        "waggle_workers 1.0",
        "waggle_held 0.0",
    ):
        assert line in response.text


def test_metrics_tell_what_holds_work_up(serving):
    """Gates by vendor with zeros, breakers, waits of the last day, and feeds that are dangerous."""
    now = serving.clock.now()
    add_feed(serving, due_at=now - 5, suspect=True)
    with serving.ledger.write() as session:
        session.get_one(Source, 1).quota_key = "p:stranger"
        session.add(Quota(key="p:stranger", vendor="p", closed_until=now + 40, title="stranger"))
        session.add(Quota(key="p:2", vendor="p", closed_until=now + 90, endpoint="GET stranger"))
        session.add(Quota(key="beeminder:1", vendor="beeminder", title="stranger"))
        session.add(Quota(key="look-up:1", vendor="waggle", title="stranger"))
        session.add(Breaker(subject="source:1", opened_at=now, reason="stranger"))
        session.add(Breaker(subject="user:1", reason="stranger"))
        session.add(Feed(id=2, goal_id=1, source_id=1, label="b", metric="m", state="failing",
                         reason="set_aside"))  # fmt: skip
        for event, ago, deferrals in (("a", 100, 3), ("b", 90000, 5)):
            session.add(Event(id=event, kind="sync", received_at=now - ago, deferrals=deferrals))
    text = serving.client.get("/metrics").text

    for line in (
        'waggle_gates_closed{vendor="p"} 2.0',
        'waggle_gates_closed{vendor="beeminder"} 0.0',
        'waggle_gates_open_in_seconds{vendor="p"} 90.0',
        'waggle_gates_open_in_seconds{vendor="beeminder"} 0.0',
        'waggle_gates_feeds_waiting{vendor="p"} 1.0',
        'waggle_breakers_open{of="source"} 1.0',
        'waggle_breakers_open{of="link"} 0.0',
        "waggle_deferrals_last_day 3.0",
        "waggle_feeds_suspect 1.0",
        "waggle_feeds_set_aside 1.0",
    ):
        assert line in text
    assert "stranger" not in text
    assert 'vendor="waggle"' not in text


def test_metrics_go_back_when_a_gate_opens(serving, until):
    """A gauge of something that is over says so at the next look."""
    now = serving.clock.now()
    with serving.ledger.write() as session:
        session.add(Quota(key="p:1", vendor="p", closed_until=now + 40))
    assert 'waggle_gates_closed{vendor="p"} 1.0' in serving.client.get("/metrics").text
    with serving.ledger.write() as session:
        session.get_one(Quota, "p:1").proven_at = now + 41
    serving.clock.at = now + 41

    def reset() -> bool:
        text = serving.client.get("/metrics").text
        return 'waggle_gates_closed{vendor="p"} 0.0' in text

    until(reset)


def test_metrics_forget_a_vendor_that_is_gone(serving, until):
    """A source that was unlinked and its gates that were forgotten leave no last figure behind."""
    now = serving.clock.now()
    with serving.ledger.write() as session:
        session.add(Quota(key="p:1", vendor="p", closed_until=now + 40))
    assert 'waggle_gates_closed{vendor="p"} 1.0' in serving.client.get("/metrics").text
    with serving.ledger.write() as session:
        session.delete(session.get_one(Quota, "p:1"))

    until(lambda: 'waggle_gates_closed{vendor="p"}' not in serving.client.get("/metrics").text)


def test_metrics_have_no_label_of_others_making(serving):
    """Names, slugs and paths never become labels, however many come in."""
    serving.autofetch("stranger-name", "stranger-slug")
    serving.client.post("/beeminder/autofetch/stranger-secret")
    serving.client.get("/stranger-path")

    assert "stranger" not in serving.client.get("/metrics").text


def test_metrics_outlive_the_database(serving):
    """Its own figures are told, and old ones of the ledger do not go on as if all were well."""
    add_worker(serving)
    assert "waggle_workers 1.0" in serving.client.get("/metrics").text
    with serving.ledger.write() as session:
        session.connection().exec_driver_sql("DROP TABLE worker")

    text = serving.client.get("/metrics").text
    assert "waggle_callbacks_total" in text
    assert "waggle_ledger_up 0.0" in text
    assert "waggle_workers 1.0" not in text


def test_held_callbacks_are_counted_while_they_are_held(serve, until):
    """The gauge goes up with a hold and down with its end."""
    serving = serve(hold_seconds=20)
    answer = serving.later(serving.autofetch)
    event = serving.stored()[0]
    until(lambda: "waggle_held 1.0" in serving.client.get("/metrics").text)
    serving.finish(event.id)
    answer.result()

    text = serving.client.get("/metrics").text
    assert "waggle_held 0.0" in text
    assert "waggle_hold_seconds_count 1.0" in text


def test_metrics_tell_how_runs_are_followed(serving, until):
    """By stream with zeros, reconnects, silence and lag; back to zero at the end."""
    now = serving.clock.now()
    add_feed(serving)
    with serving.ledger.write() as session:
        for run, values in (
            ("stranger-1", {"stream": "open", "seen_at": now - 4, "reconnects": 2}),
            ("stranger-2", {"stream": "open", "seen_at": now - 9}),
            ("stranger-3", {"stream": "given_up", "seen_at": now - 301, "reconnects": 1}),
            ("stranger-4", {"seen_at": now - 900, "reconnects": 7, "finished_at": now - 800}),
        ):
            session.add(Run(source_id=1, run_id=run, **values))
    text = serving.client.get("/metrics").text
    for line in (
        'waggle_runs{stream="open"} 2.0',
        'waggle_runs{stream="given_up"} 1.0',
        'waggle_runs{stream="none"} 0.0',
        "waggle_runs_reconnects 3.0",
        "waggle_runs_stale 1.0",
        "waggle_runs_lag_seconds 9.0",
    ):
        assert line in text
    assert "# TYPE waggle_runs_reconnects gauge" in text
    assert "stranger" not in text

    with serving.ledger.write() as session:
        for run in session.exec(select(Run)):
            run.finished_at = now

    def over() -> bool:
        text = serving.client.get("/metrics").text
        return 'waggle_runs{stream="open"} 0.0' in text and "waggle_runs_lag_seconds 0.0" in text

    until(over)
