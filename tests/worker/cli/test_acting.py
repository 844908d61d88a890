"""Promises of pause, resume and replay: they do what they say, and only that."""

import pytest
from sqlmodel import select

from db import events, inbox, notices, opening
from db.models import Event, Feed, User
from db.models_pages import Deed
from db.states import EventKind, FeedState

NOW = 1_793_880_000.0


def feeds(ledger):
    """Feeds by label."""
    with ledger.read() as session:
        return {feed.label: feed for feed in session.exec(select(Feed))}


def put(ledger, label, **values):
    """Change one feed."""
    with ledger.write() as session:
        row = session.exec(select(Feed).where(Feed.label == label)).one()
        for name, value in values.items():
            setattr(row, name, value)
        session.add(row)


def store(ledger, **more):
    """A callback for alice/energy; returns its id."""
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


def test_pause_and_resume_without_a_label_mean_all_feeds(applied, ledger):
    """Both feeds of the goal pause; resumed they are due at once."""
    put(ledger, "", due_at=9e9)
    assert applied("pause", "alice/energy").stdout == (
        "alice/energy is paused\nalice/energy:roof is paused\n"
    )
    assert {feed.state for feed in feeds(ledger).values()} == {FeedState.PAUSED}
    applied("resume", "alice/energy")
    assert {feed.state for feed in feeds(ledger).values()} == {FeedState.ACTIVE}
    assert feeds(ledger)[""].due_at < 9e9


def test_what_rests_is_paused_and_resumed_by_a_person(applied, ledger):
    """Our own pause does not stand in the way of theirs, and `resume` ends it."""
    put(ledger, "", state=FeedState.PAUSED, reason="goal_frozen")
    assert "alice/energy is paused\n" in applied("pause", "alice/energy").stdout
    assert feeds(ledger)[""].reason == "paused by a person"
    applied("resume", "alice/energy")
    assert (feeds(ledger)[""].state, feeds(ledger)[""].reason) == (FeedState.ACTIVE, None)


def test_a_renamed_person_is_found_by_both_names(applied, ledger):
    """Commands understand the name at Beeminder and the one in the file."""
    with ledger.write() as session:
        user = session.exec(select(User)).one()
        user.username = "alicia"
        session.add(user)
    for name in ("alice", "alicia"):
        assert "alicia/energy is" in applied("pause", f"{name}/energy").stdout


def test_a_label_means_one_feed(applied, ledger):
    """The other one goes on."""
    applied("pause", "alice/energy:roof")
    found = feeds(ledger)
    assert (found[""].state, found["roof"].state) == (FeedState.ACTIVE, FeedState.PAUSED)
    assert "paused already" in applied("pause", "alice/energy:roof").stdout


def test_a_sync_that_is_under_way_cannot_undo_a_pause(applied, ledger):
    """The epoch rises and the lease ends: what the worker writes at its end is refused."""
    put(ledger, "", epoch=7, lease_owner="w", lease_until=9e9)
    applied("pause", "alice/energy")
    feed = feeds(ledger)[""]
    assert (feed.epoch, feed.lease_owner, feed.lease_until) == (8, None, 0.0)


def test_a_callback_that_waits_for_a_paused_goal_ends(applied, ledger):
    """It is answered 404 now, and does not lie around for a day."""
    event_id = store(ledger)
    with ledger.write() as session:
        opening.open_callbacks(session, NOW)
    applied("pause", "alice/energy:roof")
    with ledger.read() as session:
        assert session.get_one(Event, event_id).state == "working"
    applied("pause", "alice/energy")
    with ledger.read() as session:
        event = session.get_one(Event, event_id)
    assert (event.state, event.error["code"]) == ("failed", "no_such_feed")


@pytest.mark.parametrize("paused", [False, True])
def test_what_was_set_aside_is_a_persons_to_decide(applied, ledger, paused):
    """They may pause it, and have it tried again with all its tries, alone at first."""
    put(
        ledger,
        "",
        state="failing",
        reason="set_aside",
        deaths=5,
        suspect=True,
        due_at=9e9,
        last_error="set aside: it killed",
    )
    with ledger.write() as session:
        notices.raise_(
            session, user_id=1, subject="feed:1", kind="set_aside", message="it kills", now=NOW
        )
    if paused:
        assert "alice/energy is paused\n" in applied("pause", "alice/energy").stdout
        with ledger.read() as session:
            assert notices.open_for(session) == []
    applied("resume", "alice/energy")
    feed = feeds(ledger)[""]
    assert (feed.state, feed.reason, feed.deaths, feed.suspect) == ("active", None, 0, True)
    assert feed.last_error is None
    assert feed.due_at < 9e9
    with ledger.read() as session:
        assert notices.open_for(session) == []


def test_a_failing_feed_is_tried_again_from_the_start(applied, ledger):
    """Resume forgets the failures, so that the first retries are quick again."""
    put(ledger, "", state="failing", reason="x", attempts=9, failing_since=1.0, due_at=9e9)
    applied("resume", "alice/energy")
    feed = feeds(ledger)[""]
    assert (feed.state, feed.reason, feed.attempts) == (FeedState.ACTIVE, None, 0)
    assert feed.failing_since is None


def test_a_stopped_feed_is_not_resumed(applied, ledger):
    """Who took our leave away is not written for because somebody typed resume."""
    for label in ("", "roof"):
        put(ledger, label, state="stopped", reason="deauthorized")
    done = applied("resume", "alice/energy", status=1)
    assert "deauthorized" in done.stderr
    assert {feed.state for feed in feeds(ledger).values()} == {FeedState.STOPPED}
    assert "stopped already" in applied("pause", "alice/energy").stdout
    assert {feed.state for feed in feeds(ledger).values()} == {FeedState.STOPPED}


def test_an_unlinked_feed_is_not_resumed(applied, ledger):
    """What brings it back is said: the command that undoes what stopped it."""
    put(ledger, "", state="stopped", reason="unlinked")
    done = applied("resume", "alice/energy")
    assert "`waggle link alice/energy`" in done.stderr


def test_replay_makes_a_new_event_that_names_the_old(applied, ledger, folder):
    """The old event stays as it was, the new one is received, and a bell is rung for it."""
    old = store(ledger)
    with ledger.write() as session:
        inbox.finish(session, [old], NOW, error={"code": "x", "message": "m"})
    told = applied("replay", old.upper()).stdout
    new = told.split()[0]
    assert told == f"{new} replays {old}\n"
    with ledger.read() as session:
        made, before = session.get_one(Event, new), session.get_one(Event, old)
    assert (made.state, made.replay_of, made.kind) == ("received", old, "autofetch")
    assert made.payload == before.payload
    assert before.state == "failed"
    assert len(list((folder / "var" / "queue").rglob("*.urgent.msg"))) == 1


def test_what_was_given_up_can_be_replayed(applied, ledger):
    """The dead event names the command; typed as it stands there, it tries it again."""
    old = store(ledger)
    with ledger.write() as session:
        events.give_up(session, NOW + 1, NOW + 1, kinds=[EventKind.AUTOFETCH])
    with ledger.read() as session:
        dead = session.get_one(Event, old)
    assert dead.state == "dead"
    command = dead.error["message"].split("`")[1]
    assert applied(*command.split()[1:]).stdout.endswith(f" replays {old}\n")


def test_what_commands_change_is_kept(applied, ledger):
    """Each deed with its owner; who asks in vain has done nothing."""
    old = store(ledger, user_id=1)
    applied("replay", old, status=2)
    with ledger.write() as session:
        inbox.finish(session, [old], NOW)
    new = applied("replay", old).stdout.split()[0]
    applied("pause", "alice/energy:roof")
    applied("pause", "alice/energy:roof")
    applied("resume", "alice/energy:roof")
    with ledger.read() as session:
        kept = session.exec(select(Deed).order_by(Deed.id)).all()
    assert [(deed.action, deed.subject, deed.user_id) for deed in kept] == [
        ("replay", f"event {old}", 1),
        ("pause", "alice/energy:roof", 1),
        ("resume", "alice/energy:roof", 1),
    ]
    assert {(deed.actor, deed.as_operator) for deed in kept} == {("command line", True)}
    assert kept[0].details == {"made": new}


@pytest.mark.parametrize("other", ["nope", "unfinished"])
def test_replay_is_all_or_nothing(applied, ledger, other):
    """One id that can't be replayed refuses all of them, and nothing is stored."""
    good = store(ledger)
    with ledger.write() as session:
        inbox.finish(session, [good], NOW)
    bad = store(ledger) if other == "unfinished" else other
    told = applied.refusal("replay", good, bad)
    assert bad in told
    with ledger.read() as session:
        assert session.exec(select(Event).where(Event.replay_of != None)).all() == []  # noqa: E711 -- SQL


def test_a_replayed_deauthorization_rings_its_own_bell(applied, ledger, folder):
    """Each kind of event has its task."""
    old = store(ledger, kind=EventKind.DEAUTHORIZED, payload={"token_hashes": ["x"]})
    with ledger.write() as session:
        inbox.finish(session, [old], NOW)
    applied("replay", old)
    bells = [path.name for path in (folder / "var" / "queue").rglob("*.msg")]
    assert len(bells) == 1
    assert ".default." in bells[0]


def test_a_broken_broker_does_not_stop_a_replay(applied, ledger):
    """The ledger has the work: the sweep finds it when the broker is back."""
    old = store(ledger)
    with ledger.write() as session:
        inbox.finish(session, [old], NOW)
    applied.env["BROKER_URL"] = "redis://127.0.0.1:1/0"
    assert old in applied("replay", old).stdout
