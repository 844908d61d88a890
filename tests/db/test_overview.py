"""Promises about what people are shown: the keys of the contract, counted right, newest first."""

import pytest

from db import inbox, opening, overview
from db.models import Event, Feed, Goal, Source, User
from db.models_limits import Quota
from db.models_points import Datapoint, Sending
from db.models_runs import Run
from db.states import EventKind, EventState, FeedState

NOW = 1_793_880_000.0  # 2026-11-05T12:00:00Z
DAY = 86400.0


@pytest.fixture
def filled(ledger):
    """Alice with two feeds on one goal; returns the ids of the feeds."""
    with ledger.write() as session:
        session.add(User(id=1, username="alice"))
        session.flush()
        session.add(Source(id=1, user_id=1, name="plant", provider="bemserver"))
        session.add(Goal(id=1, user_id=1, slug="energy", declared_slug="energy"))
        session.flush()
        for number, label in ((1, ""), (2, "roof")):
            session.add(
                Feed(
                    id=number,
                    goal_id=1,
                    source_id=1,
                    label=label,
                    metric="m",
                    due_at=NOW + number,
                    last_synced_at=NOW - number,
                )
            )
    return 1, 2


def add(ledger, *rows):
    """Put rows into the ledger."""
    with ledger.write() as session:
        session.add_all(rows)


def point(number, state, **more):
    """A datapoint of the first feed."""
    values = {"goal_id": 1, "feed_id": 1, "value": 1.5, "content_hash": "x"} | more
    return Datapoint(requestid=f"wg-{number}", state=state, **values)


def tried(point_id, at, status):
    """A try to write that datapoint, and what was answered."""
    return Sending(datapoint_id=point_id, epoch=1, value=1.5, sent_at=at, status=status)


def store(ledger, **more):
    """An event that came in; returns its id."""
    new = inbox.NewEvent(
        **(
            {
                "kind": EventKind.AUTOFETCH,
                "payload": {"username": "alice", "slug": "energy"},
                "received_at": NOW,
            }
            | more
        )
    )
    with ledger.write() as session:
        inbox.store(session, [new])
    return new.id


def test_an_empty_ledger_has_a_status(ledger):
    """Nothing there is zeros and empty lists, with every key in place."""
    with ledger.read() as session:
        assert overview.status(session, NOW) == {
            "users": [],
            "sources": [],
            "feeds": [],
            "inbox": {
                "received": 0,
                "working": 0,
                "done": 0,
                "failed": 0,
                "dead": 0,
                "oldest_due_seconds": 0.0,
            },
            "outbox": {"pending": 0, "held": 0, "landed": 0, "rejected": 0},
        }


def test_feeds_are_shown_with_times_and_what_waits(ledger, filled):
    """Names, states, ISO times in UTC, and how many datapoints wait."""
    add(ledger, point(1, "pending"), point(2, "held"), point(3, "landed"))
    with ledger.read() as session:
        status = overview.status(session, NOW)
    assert status["users"] == [{"username": "alice", "state": "active"}]
    assert status["sources"] == [{"name": "plant", "provider": "bemserver", "state": "active"}]
    assert status["feeds"][0] == {
        "feed": "alice/energy",
        "state": "active",
        "last_synced_at": "2026-11-05T11:59:59Z",
        "next_sync_at": "2026-11-05T12:00:01Z",
        "pending": 2,
        "last_error": None,
        "waits_for": None,
    }
    assert status["feeds"][1]["feed"] == "alice/energy:roof"
    assert status["feeds"][1]["pending"] == 0


def test_a_feed_that_waits_for_a_limit_says_so(ledger, filled):
    """Its next sync is at the opening, not in the past; one that is due later waits for nothing."""
    with ledger.write() as session:
        session.get_one(Source, 1).quota_key = "bemserver:canary"
        session.add(Quota(key="bemserver:canary", vendor="bemserver", closed_until=NOW + 59.2))
        session.get_one(Feed, 1).due_at = NOW - 5
        session.get_one(Feed, 2).due_at = NOW + 3600
    with ledger.read() as session:
        first, second = overview.status(session, NOW)["feeds"]
    assert first["waits_for"] == {"gate": "bemserver:plant", "until": "2026-11-05T12:01:00Z"}
    assert first["next_sync_at"] == "2026-11-05T12:01:00Z"
    assert (second["waits_for"], second["next_sync_at"]) == (None, "2026-11-05T13:00:00Z")


@pytest.mark.parametrize("state", [FeedState.PAUSED, FeedState.STOPPED])
def test_a_feed_that_is_not_scheduled_has_no_next_sync(ledger, filled, state):
    """A time that nothing will happen at is not shown."""
    with ledger.write() as session:
        session.get_one(Feed, 1).state = state
    with ledger.read() as session:
        assert overview.status(session, NOW)["feeds"][0]["next_sync_at"] is None


def test_limits_bound_every_list(ledger, filled):
    """`--limit 1` shows one feed."""
    with ledger.read() as session:
        assert len(overview.status(session, NOW, limit=1)["feeds"]) == 1


def test_done_and_landed_are_of_the_last_day(ledger, filled):
    """What came or was sent two days ago is history; what failed is shown until it is forgotten."""
    for state, ago in (("done", 10), ("done", 2 * DAY), ("failed", 2 * DAY), ("dead", 2 * DAY)):
        event_id = store(ledger, id=inbox.new_id(NOW - ago), received_at=NOW - ago)
        with ledger.write() as session:
            session.get_one(Event, event_id).state = state
    add(
        ledger,
        point(1, "landed", id=1),
        point(2, "landed", id=2),
        point(3, "rejected", id=3),
        point(4, "withdrawn", id=4),
    )
    add(
        ledger,
        tried(1, NOW - 30, "created"),
        tried(1, NOW - 10, "updated"),
        tried(2, NOW - 2 * DAY, "created"),
        tried(3, NOW - 10, "refused"),
        tried(4, NOW - 10, None),
    )
    with ledger.read() as session:
        counted = overview.inbox(session, NOW)
        assert overview.outbox(session, NOW) == {
            "pending": 0,
            "held": 0,
            "landed": 1,
            "rejected": 1,
        }
    assert (counted["done"], counted["failed"], counted["dead"]) == (1, 1, 1)


def test_events_are_listed_newest_first(ledger, filled):
    """The keys of the contract; names from the payload until the goal is known."""
    old = store(ledger, received_at=NOW - 60, goal_id=1, user_id=1, payload={})
    new = store(ledger, payload={"username": "bob", "slug": "x"})
    with ledger.read() as session:
        found = overview.events(session, NOW)
    assert [event["id"] for event in found] == [new, old]
    assert [event["feed"] for event in found] == ["bob/x", "alice/energy"]
    assert found[1] == {
        "id": old,
        "kind": "autofetch",
        "feed": "alice/energy",
        "state": "received",
        "attempts": 0,
        "deferrals": 0,
        "received_at": "2026-11-05T11:59:00Z",
        "finished_at": None,
        "error": None,
        "waits_for": None,
    }


def test_an_event_that_waits_for_a_limit_says_so(ledger, filled):
    """Which gate and when it opens, in the list and by itself; a wait is no error."""
    event_id = store(ledger)
    with ledger.write() as session:
        opening.open_callbacks(session, NOW)
        session.get_one(Source, 1).quota_key = "bemserver:canary"
        session.add(Quota(key="bemserver:canary", vendor="bemserver", closed_until=NOW + 59.2))
    with ledger.read() as session:
        (listed,) = overview.events(session, NOW)
        shown = overview.event(session, NOW, event_id)
        later = overview.event(session, NOW + 60, event_id)
    assert listed["waits_for"] == {"gate": "bemserver:plant", "until": "2026-11-05T12:01:00Z"}
    assert (listed["error"], shown["waits_for"]) == (None, listed["waits_for"])
    assert later["waits_for"] is None


def test_events_are_filtered_and_paged(ledger, filled):
    """By state, by limit, by offset."""
    ids = [store(ledger, received_at=NOW + number) for number in range(4)]
    with ledger.write() as session:
        session.get_one(Event, ids[0]).state = EventState.DEAD
    with ledger.read() as session:
        assert [e["id"] for e in overview.events(session, NOW, state="dead")] == [ids[0]]
        paged = overview.events(session, NOW, limit=2, offset=1)
    assert [e["id"] for e in paged] == [ids[2], ids[1]]


def test_one_event_is_shown_whole(ledger, filled):
    """With its payload and what it replays; an unknown id is None."""
    event_id = store(ledger, replay_of="0" * 26)
    with ledger.read() as session:
        found = overview.event(session, NOW, event_id)
        assert overview.event(session, NOW, "nope") is None
    assert found["payload"] == {"username": "alice", "slug": "energy"}
    assert found["replay_of"] == "0" * 26


def test_an_event_without_a_feed_is_listed(ledger):
    """A de-authorization speaks of no feed."""
    store(ledger, kind=EventKind.DEAUTHORIZED, payload={"token_hashes": ["x"]})
    with ledger.read() as session:
        assert overview.events(session, NOW)[0]["feed"] is None


def test_datapoints_are_listed_newest_day_first(ledger, filled):
    """What was sent and when, with the keys of the contract."""
    for day in (1, 3, 2):
        add(ledger, point(day, "pending", value=day, comment="c", daystamp=f"2026110{day}"))
    add(ledger, point("x", "pending", feed_id=2, value=9, timestamp=5))
    with ledger.read() as session:
        found = overview.datapoints(session, {1: "alice/energy"})
        both = overview.datapoints(session, {1: "alice/energy", 2: "alice/energy:roof"}, limit=4)
    assert [row["daystamp"] for row in found] == ["20261103", "20261102", "20261101"]
    assert found[0] == {
        "feed": "alice/energy",
        "requestid": "wg-3",
        "daystamp": "20261103",
        "value": 3.0,
        "comment": "c",
        "state": "pending",
        "beeminder_id": None,
        "sent_at": None,
        "landed_value": None,
        "why": None,
    }
    assert (both[-1]["requestid"], both[-1]["feed"]) == ("wg-x", "alice/energy:roof")


def test_runs_are_listed_latest_first(ledger, filled):
    """The keys of the contract; progress stays null where nobody told it."""
    add(
        ledger,
        Run(source_id=1, run_id="r1", started_at=NOW - 60, state="completed", progress=1.0),
        Run(
            source_id=1,
            run_id="r2",
            connector="c1",
            started_at=NOW,
            seen_at=NOW + 1,
            rows=5,
            counters={"steps_done": 1, "step": "load"},
            stream="retrying",
            stream_error="closed with code 1006",
            reconnects=2,
        ),
        Run(source_id=1, run_id="r0"),
    )
    with ledger.read() as session:
        found = overview.runs(session)
        assert len(overview.runs(session, limit=1)) == 1
    assert [run["run"] for run in found] == ["r2", "r1", "r0"]
    assert found[0] == {
        "run": "r2",
        "source": "plant",
        "project": None,
        "connector": "c1",
        "pipeline": None,
        "state": "running",
        "progress": None,
        "attempt": 1,
        "rows": 5,
        "steps_done": 1,
        "steps_total": None,
        "step": "load",
        "stream": "retrying",
        "stream_error": "closed with code 1006",
        "reconnects": 2,
        "error": None,
        "seen_at": "2026-11-05T12:00:01Z",
        "started_at": "2026-11-05T12:00:00Z",
        "finished_at": None,
    }
