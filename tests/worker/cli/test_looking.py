"""Promises of the commands that look: JSON as promised, tables for people, nothing changed."""

import pytest
from sqlmodel import select

from db import inbox
from db.models import Event, Feed
from db.models_points import Datapoint
from db.states import EventKind
from simulators.faults import Fault

NOW = 1_793_880_000.0


@pytest.fixture
def event_id(applied, ledger):
    """A callback that failed, with a text that would steer a terminal."""
    new = inbox.NewEvent(
        kind=EventKind.AUTOFETCH,
        payload={"username": "alice", "slug": "energy"},
        received_at=NOW,
    )
    with ledger.write() as session:
        inbox.store(session, [new])
        inbox.finish(session, [new.id], NOW, error={"code": "x", "message": "no \x1b[31mway"})
    return new.id


def record(ledger, *days, label="", **more):
    """Datapoints of alice/energy."""
    with ledger.write() as session:
        feed = session.exec(select(Feed).where(Feed.label == label)).one()
        for day in days:
            values = {"value": 1.25, "comment": "c", "content_hash": "h"} | more
            session.add(
                Datapoint(
                    goal_id=feed.goal_id,
                    feed_id=feed.id,
                    requestid=f"wg-{label}{day}",
                    daystamp=f"2026110{day}",
                    **values,
                )
            )


def test_events_are_listed_and_filtered(applied, event_id):
    """Newest first, by state, as JSON and as a table."""
    assert [event["id"] for event in applied.json("events")] == [event_id]
    assert applied.json("events", "--state", "done") == []
    assert event_id in applied("events").stdout
    assert "no event is done" in applied("events", "--state", "done").stdout
    assert "Invalid value" in applied("events", "--state", "nope", status=2).stderr


def test_an_event_that_waits_says_for_what(here, world):
    """The gate and until when, in the list, by itself and while one waits; nothing of its key."""
    world.bemserver.faults.add(Fault(status=429, headers={"Retry-After": "900"}))
    world.work()
    event_id = world.call_back()
    world.work()
    told = "waits for a limit: bemserver:plant, until 20"
    assert told in here("events").stdout
    assert f"waits_for    {told}" in here("event", event_id).stdout
    assert here.json("event", event_id)["waits_for"]["gate"] == "bemserver:plant"
    line = here.refusal("sync", "alice/energy", "--wait", "--timeout", "0.5", status=1)
    assert "so far: waits for a limit: bemserver:plant, until " in line


def test_text_of_others_cannot_steer_a_terminal(applied, event_id):
    """Escape sequences in an error are not printed."""
    assert "\x1b" not in applied("events").stdout
    assert "\x1b" not in applied("event", event_id).stdout


def test_one_event(applied, event_id):
    """With its payload; an unknown one is exit status 2."""
    assert applied.json("event", event_id.upper())["payload"]["slug"] == "energy"
    assert "no \x1b" not in applied("event", event_id).stdout
    assert "there is no event 'x'" in applied.refusal("event", "x")


def test_datapoints_of_a_goal_and_of_a_label(applied, ledger):
    """Without a label: of all feeds of the goal; by name in any case of letters."""
    record(ledger, 1, 2)
    record(ledger, 3, label="roof")
    assert [p["daystamp"] for p in applied.json("datapoints", "Alice/energy")] == [
        "20261103",
        "20261102",
        "20261101",
    ]
    assert len(applied.json("datapoints", "alice/energy:roof")) == 1
    assert len(applied.json("datapoints", "alice/energy", "--limit", "2")) == 2
    told = applied("datapoints", "alice/energy").stdout
    assert "1.25" in told
    assert "wg-roof3" in told


def test_datapoints_show_what_is_there_and_why_nothing_is_sent(applied, ledger):
    """The source's value beside that at Beeminder; held and frozen days with their reasons."""
    record(ledger, 1, state="held", landed_value=7.5, error="would empty a day")
    record(ledger, 2, state="withdrawn", frozen="deleted")
    told = applied("datapoints", "alice/energy").stdout
    for words in ("at Beeminder", "7.5", "would empty a day", "deleted by a person"):
        assert words in told
    frozen, held = applied.json("datapoints", "alice/energy")
    assert (held["value"], held["landed_value"], held["why"]) == (1.25, 7.5, "would empty a day")
    assert (frozen["landed_value"], frozen["why"]) == (None, "deleted by a person")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("energy", "is not USER/GOAL"),
        ("alise/energy", "did you mean 'alice'?"),
        ("alice/enrgy", "did you mean 'alice/energy'?"),
        ("alice/energy:rof", "did you mean 'alice/energy:roof'?"),
    ],
)
def test_an_unknown_feed_is_told_with_the_nearest(applied, name, told):
    """Exit status 2 and what was probably meant, in every command that takes a goal."""
    for command in ("datapoints", "pause", "resume", "sync"):
        assert told in applied.refusal(command, name)


def test_looking_changes_nothing(applied, ledger, event_id):
    """No row of the inbox is touched by commands that look."""
    for command in (["status"], ["events"], ["event", event_id], ["datapoints", "alice/energy"]):
        applied(*command)
    with ledger.read() as session:
        assert session.exec(select(Event)).one().finished_at == NOW


def test_metrics_lists_what_the_models_know(waggle):
    """Providers, metrics, parameters with types and defaults; as JSON too."""
    found = {provider["provider"]: provider for provider in waggle.json("metrics")}
    bemserver = found["bemserver"]
    assert [field["secret"] for field in bemserver["settings"]] == [False, False, True]
    metric = bemserver["metrics"][0]
    assert metric["metric"] == "timeseries_aggregate"
    params = {param["name"]: param for param in metric["params"]}
    assert params["timeseries"]["required"]
    assert params["data_state"]["default"] == "Clean"
    assert params["aggregation"]["type"].startswith('"sum" | "avg"')
    assert all(param["description"] for param in params.values())
    told = waggle("metrics").stdout
    assert "total" in told
    assert "default Clean" in told
