"""Forms of a feed: each does in the ledger what its command does, for who may, and is kept."""

import contextlib

import pytest

from db import inbox
from db.models import Backfill, Event, Feed
from db.models_pages import Deed
from db.models_points import Datapoint, Day
from tests.webhooks.pages import scenes
from tests.webhooks.pages.scenes import said, send

PAGE = "/feeds/alice/energy"
FORMS = ("sync", "pause", "resume", "approve", "drop", "pin", "unpin", "backfill",
         "backfill/cancel")  # fmt: skip
FIELDS = {"day": "20261115", "from": "2026-11-01", "to": "2026-11-02"}


@pytest.fixture
def alice(serving):
    """Alice and Bob with a feed each; Alice's browser."""
    for number, name in enumerate(("alice", "bob"), start=1):
        scenes.person(serving, number, name)
        scenes.feed(serving, number, "energy", owner=number)
    with contextlib.closing(scenes.sign_in(serving)) as client:
        yield client


def row(serving, table, key):
    """One row as it is now."""
    with serving.ledger.read() as session:
        return session.get(table, key)


def everything(serving):
    """What a form could have changed."""
    with serving.ledger.read() as session:
        return [
            session.connection().exec_driver_sql(f'SELECT * FROM "{table}"').fetchall()  # noqa: S608 -- names of ours
            for table in ("feed", "event", "datapoint", "day", "backfill", "deed", "notice")
        ]


@pytest.mark.parametrize("form", FORMS)
def test_forms_are_their_owners_and_ours(serving, alice, form):
    """Bob's feed does not exist for Alice; a form of somebody else's is none; nothing changes."""
    day = scenes.held(serving, 2, 3, there=5.0, value=3.0)
    before = everything(serving)
    fields = FIELDS | {"day": day, "seen": "x"}
    assert send(alice, f"/feeds/bob/energy/{form}", **fields).status_code == 404
    assert alice.post(f"{PAGE}/{form}", data=fields).status_code == 403
    assert alice.post(f"{PAGE}/{form}", data=fields | {"csrf": "made.up"}).status_code == 403
    assert alice.get(f"{PAGE}/{form}").status_code == 405
    assert everything(serving) == before
    assert not serving.bell.rung


def test_sync_now_is_an_event_like_that_of_the_command(serving, alice, until):
    """Urgent work rings; the page says what happens, and it is kept who asked."""
    assert "synced within seconds" in said(alice, send(alice, f"{PAGE}/sync"))
    (event,) = serving.events()
    assert (event.kind, event.user_id, event.goal_id, event.state) == ("sync", 1, 1, "received")
    until(lambda: ("sync", "urgent") in serving.bell.rung)
    (deed,) = scenes.deeds(serving)
    assert (deed.actor, deed.action, deed.subject) == ("alice", "feed.sync", "alice/energy")
    assert deed.details == {"event": event.id}


def test_sync_from_the_list_goes_back_to_it(serving, alice):
    """As it was filtered; and never to another place."""
    for home, back in (("/?q=en&page=2", "/?q=en&page=2"), ("/", "/"), ("//evil.test/", PAGE),
                       ("https://evil.test", PAGE), ("", PAGE)):  # fmt: skip
        assert send(alice, f"{PAGE}/sync", home=home).headers["Location"] == back


def test_what_sleeps_is_not_synced(serving, alice):
    """It says why; nothing is stored, rung or kept."""
    scenes.change(serving, Feed, 1, state="paused", reason="paused by a person")
    assert "resume it first" in said(alice, send(alice, f"{PAGE}/sync"))
    assert serving.events() == []
    assert scenes.deeds(serving) == []
    scenes.change(serving, Feed, 1, reason="goal_frozen")  # what Waggle paused is looked at
    assert "synced within seconds" in said(alice, send(alice, f"{PAGE}/sync"))


def test_pause_and_resume_are_those_of_the_commands(serving, alice, until):
    """A pause is a person's, also of what Waggle had paused; a resumed feed is due at once."""
    scenes.change(serving, Feed, 1, state="paused", reason="goal_frozen")
    assert "alice/energy: paused" in said(alice, send(alice, f"{PAGE}/pause"))
    feed = row(serving, Feed, 1)
    assert (feed.state, feed.reason) == ("paused", "paused by a person")
    assert "not running already" in said(alice, send(alice, f"{PAGE}/pause"))

    scenes.change(serving, Feed, 1, attempts=9, last_error="no", failing_since=1.0)
    assert "runs again" in said(alice, send(alice, f"{PAGE}/resume"))
    feed = row(serving, Feed, 1)
    assert (feed.state, feed.due_at, feed.attempts, feed.last_error) == (
        "active", serving.clock.now(), 0, None,
    )  # fmt: skip
    until(lambda: ("sync", "urgent") in serving.bell.rung)
    assert [deed.action for deed in scenes.deeds(serving)] == ["feed.pause", "feed.resume"]


def test_what_was_unlinked_is_not_resumed(serving, alice):
    """It needs to be linked again, and stays as it is."""
    scenes.change(serving, Feed, 1, state="stopped", reason="unlinked")
    assert "Link it again" in said(alice, send(alice, f"{PAGE}/resume"))
    assert row(serving, Feed, 1).state == "stopped"


def test_without_a_label_all_feeds_of_a_goal_are_meant(serving, alice):
    """With one only that, also the one that has none."""
    goal = scenes.feed(serving, 3, "solar")
    scenes.feed(serving, 4, "solar", goal=goal, label="roof")
    states = lambda: [row(serving, Feed, number).state for number in (3, 4)]  # noqa: E731 -- as read now
    send(alice, "/feeds/alice/solar:/pause")
    assert states() == ["paused", "active"]
    assert "alice/solar:roof: paused" in said(alice, send(alice, "/feeds/alice/solar/pause"))
    send(alice, "/feeds/alice/solar:roof/resume")
    assert states() == ["paused", "active"]
    send(alice, "/feeds/alice/solar/resume")
    assert states() == ["active", "active"]


def test_an_operator_acts_in_their_own_name_on_what_is_somebody_elses(serving, alice):
    """The deed is of the owner's things, and says who did it."""
    with contextlib.closing(scenes.operate(serving)) as operator:
        assert send(operator, "/feeds/bob/energy/pause").status_code == 303
    (deed,) = scenes.deeds(serving)
    assert (deed.actor, deed.as_operator, deed.user_id) == ("operator", True, 2)
    assert row(serving, Feed, 2).state == "paused"


def hidden(client, path, day="all"):
    """What a form of the page says that its reader has seen."""
    from_form = client.get(path).text.split(f'name="day" value="{day}"')[1]
    return from_form.split('name="seen" value="')[1].partition('"')[0]


def point(serving, daystamp):
    """The datapoint of a day."""
    with serving.ledger.read() as session:
        return session.exec(
            Datapoint.__table__.select().where(Datapoint.daystamp == daystamp)
        ).one()


@pytest.mark.parametrize(
    ("form", "state", "value", "words"),
    [("approve", "pending", 3.0, "approved"), ("drop", "landed", 5.0, "stays")],
)
def test_a_correction_is_sent_or_dropped(serving, alice, until, form, state, value, words):
    """That of the day and no other; what is to be pushed rings; the deed has both values."""
    day = scenes.held(serving, 1, 3, there=5.0, value=3.0)
    other = scenes.held(serving, 1, 4, there=6.0, value=2.0)
    seen = hidden(alice, PAGE, day)
    assert words in said(alice, send(alice, f"{PAGE}/{form}", day=day, seen=seen))
    assert (point(serving, day).state, point(serving, day).value) == (state, value)
    assert point(serving, other).state == "held"
    (deed,) = scenes.deeds(serving)
    assert deed.action == f"correction.{form}"
    assert deed.details == {"corrections": [{"day": day, "there": 5.0, "value": 3.0}]}
    if form == "approve":
        until(lambda: ("push", "default") in serving.bell.rung)


def test_all_corrections_are_decided_together(serving, alice):
    """Those that were seen, at once."""
    days = [scenes.held(serving, 1, ago, there=5.0, value=3.0) for ago in (3, 4)]
    seen = hidden(alice, PAGE)
    assert "2 corrections approved" in said(
        alice, send(alice, f"{PAGE}/approve", day="all", seen=seen)
    )
    assert [point(serving, day).state for day in days] == ["pending", "pending"]


@pytest.mark.parametrize("day", ["one", "all"])
def test_nothing_is_decided_that_was_not_seen(serving, alice, day):
    """The source says another value since the page was made: look again; nothing is sent."""
    stamp = scenes.held(serving, 1, 3, there=5.0, value=3.0)
    scenes.held(serving, 1, 4, there=5.0, value=3.0)
    which = stamp if day == "one" else "all"
    seen = hidden(alice, PAGE, which)
    if day == "one":
        scenes.change(serving, Datapoint, 1, value=1.0, content_hash="other")
    else:
        scenes.held(serving, 1, 5, there=5.0, value=3.0)
    for form in ("approve", "drop"):
        sent = send(alice, f"{PAGE}/{form}", day=which, seen=seen)
        assert "has changed since you saw it" in said(alice, sent)
    assert point(serving, stamp).state == "held"
    assert scenes.deeds(serving) == []


def test_what_is_held_no_more_is_no_error(serving, alice):
    """Somebody else was faster. What is no day is told as such."""
    scenes.day(serving, 1, 3, 5.0)
    sent = send(alice, f"{PAGE}/approve", day="all", seen="x")
    assert "Nothing of it is held any more" in said(alice, sent)
    assert send(alice, f"{PAGE}/approve", day="soon", seen="x").status_code == 400
    assert send(alice, f"{PAGE}/approve", seen="x").status_code == 400


def test_days_that_build_on_an_approved_one_are_read_again(serving, alice, until):
    """As the command does it; it is said."""
    scenes.change(serving, Feed, 1, cursor={"shape": "running_total"})
    day = scenes.held(serving, 1, 3, there=105.0, value=103.0)
    seen = hidden(alice, PAGE, day)
    sent = send(alice, f"{PAGE}/approve", day=day, seen=seen)
    assert "build on it and are read again" in said(alice, sent)
    assert row(serving, Backfill, 1).first_day == day
    until(lambda: ("backfill", "bulk") in serving.bell.rung)


def test_a_day_is_pinned_and_unpinned(serving, alice):
    """One that was never read too, with its bounds; what waits for it is not sent."""
    day = scenes.day(serving, 1, 1, 7.0, state="pending")
    assert "What waited to be sent for it is not" in said(
        alice, send(alice, f"{PAGE}/pin", day=f"{day[:4]}-{day[4:6]}-{day[6:]}")
    )
    assert row(serving, Day, (1, day)).pinned
    assert "left as it is" in said(alice, send(alice, f"{PAGE}/pin", day="20261001"))
    new = row(serving, Day, (1, "20261001"))
    assert (new.pinned, new.ends_at - new.starts_at, new.seen_at) == (True, 86400.0, None)
    assert "no longer pinned" in said(alice, send(alice, f"{PAGE}/unpin", day=day))
    assert not row(serving, Day, (1, day)).pinned
    assert [deed.action for deed in scenes.deeds(serving)] == ["day.pin", "day.pin", "day.unpin"]


def test_a_day_that_is_none_is_not_pinned(serving, alice):
    """One that has not begun, and what is no date."""
    assert "has not begun" in said(alice, send(alice, f"{PAGE}/pin", day="2026-12-24"))
    for odd in ("2026-02-30", "tomorrow", ""):
        assert send(alice, f"{PAGE}/pin", day=odd).status_code == 400
    assert scenes.deeds(serving) == []


def test_past_days_are_asked_for_and_cancelled(serving, alice, until):
    """Stored as the command stores them; it rings; a second wish for other days waits."""
    fields = {"from": "2026-10-01", "to": "2026-10-31"}
    assert "a month at a time" in said(alice, send(alice, f"{PAGE}/backfill", **fields))
    found = row(serving, Backfill, 1)
    assert (found.first_day, found.last_day, found.state) == ("20261001", "20261031", "working")
    assert serving.services.asked_days == [(1, "20261001", "20261031")]
    until(lambda: ("backfill", "bulk") in serving.bell.rung)
    other = {"from": "2026-09-01", "to": "2026-09-02"}
    assert "is being read already" in said(alice, send(alice, f"{PAGE}/backfill", **other))
    assert "What was sent stays" in said(alice, send(alice, f"{PAGE}/backfill/cancel"))
    assert row(serving, Backfill, 1).state == "cancelled"
    assert "it has ended" in said(alice, send(alice, f"{PAGE}/backfill/cancel"))
    actions = [deed.action for deed in scenes.deeds(serving)]
    assert actions == ["backfill.ask", "backfill.cancel"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"from": "2026-02-30", "to": "2026-11-01"}, "'2026-02-30' is no day"),
        ({"from": "2026-11-01", "to": ""}, "'' is no day"),
        ({}, "'' is no day"),
        ({"from": "2026-11-02", "to": "2026-11-03"}, "against it"),
    ],
)
def test_days_that_can_not_be_read_are_told(serving, alice, fields, words):
    """With what is wrong; the dates stay in the form, and nothing is stored."""
    serving.services.against = "there is something against it"
    sent = send(alice, f"{PAGE}/backfill", **fields)
    page = alice.get(sent.headers["Location"])
    assert words in scenes.read(page.text)
    if fields:
        assert f'value="{fields["from"]}"' in page.text
    assert row(serving, Backfill, 1) is None
    assert scenes.deeds(serving) == []


def test_a_feed_that_sleeps_reads_no_past_days(serving, alice):
    """It is said, and nothing is stored."""
    scenes.change(serving, Feed, 1, state="paused", reason="paused by a person")
    sent = send(alice, f"{PAGE}/backfill", **{"from": "2026-11-01", "to": "2026-11-02"})
    assert "Resume it first" in said(alice, sent)
    assert row(serving, Backfill, 1) is None


def test_of_a_goal_whose_days_are_read_already_nothing_is_half_stored(serving, alice):
    """Two feeds, of which one is being read: neither is asked for."""
    goal = scenes.feed(serving, 3, "solar")
    scenes.feed(serving, 4, "solar", goal=goal, label="roof")
    send(alice, "/feeds/alice/solar:roof/backfill", **{"from": "2026-11-01", "to": "2026-11-02"})
    sent = send(alice, "/feeds/alice/solar/backfill", **{"from": "2026-10-01", "to": "2026-10-02"})
    assert "is being read already" in said(alice, sent)
    with serving.ledger.read() as session:
        assert len(session.exec(Backfill.__table__.select()).all()) == 1


def test_what_is_kept_of_deeds_has_who_what_and_when(serving, alice):
    """And the id of the request, by which the log is found."""
    send(alice, f"{PAGE}/pause")
    deed = row(serving, Deed, 1)
    assert (deed.at, deed.user_id) == (serving.clock.now(), 1)
    assert deed.request_id
    assert row(serving, Event, inbox.new_id(0.0)) is None
