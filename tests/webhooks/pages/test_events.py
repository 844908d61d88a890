"""Events for everybody: one's own, filtered and paged; and one of them from arrival to landing."""

import re

import pytest
from sqlmodel import select

from db import inbox
from db.models import Cover, Event, Feed, Goal, LoginLink, Source, User
from db.models_limits import Quota
from db.models_pages import Deed
from db.models_points import Datapoint, Day, Sending
from db.states import EventKind
from webhooks.services import Identity

HOSTILE = "<script>alert('x')</script>"


@pytest.fixture
def linked(serving):
    """Alice is 1 and Bob is 2, each with a goal, a source and a feed of two labels."""
    with serving.ledger.write() as session:
        for number, name in enumerate(("alice", "bob"), 1):
            session.add(User(id=number, beeminder_id=f"u{number}", username=name))
            session.flush()
            session.add(
                Source(
                    id=number, user_id=number, name=f"plant-{name}", provider="p", quota_key="p:1"
                )
            )
            session.add(Goal(id=number, user_id=number, slug="energy", declared_slug="energy"))
            session.flush()
            for label in ("", "roof"):
                session.add(Feed(goal_id=number, source_id=number, label=label, metric="m"))


@pytest.fixture
def alice(serving, linked):
    """Alice's browser."""
    serving.services.people["t"] = Identity("u1", "alice", None)
    location = serving.client.get("/beeminder/connect").headers["Location"]
    serving.client.get(
        "/beeminder/callback",
        params={"state": location.partition("state=")[2], "access_token": "t"},
    )
    return serving.client


@pytest.fixture
def operator(serving, linked):
    """The operator's browser."""
    with serving.ledger.write() as session:
        session.add(
            LoginLink(secret_hash=serving.vault.fingerprint("once"), username="", expires_at=9e12)
        )
    serving.client.get("/login/once")
    return serving.client


def event(serving, user_id, state="received", **more):
    """An event of this person; returns its id."""
    now = serving.clock.now()
    new = inbox.NewEvent(
        **{
            "kind": EventKind.AUTOFETCH,
            "payload": {"username": "alice", "slug": "energy"},
            "received_at": now - 30,
            "user_id": user_id,
            "goal_id": user_id,
        }
        | more
    )
    with serving.ledger.write() as session:
        inbox.store(session, [new])
        row = session.get_one(Event, new.id)
        row.state = state
        row.finished_at = now - 28 if state in ("done", "failed", "dead") else None
        if state in ("failed", "dead"):
            row.error = {"code": "x", "message": f"the source is away; start it {HOSTILE}"}
    return new.id


def words(response):
    """What a person reads on a page."""
    return " ".join(re.sub(r"<[^>]+>", " ", response.text).split())


def send(client, path):
    """A form of ours."""
    csrf = client.get("/").text.partition('name="csrf" value="')[2].partition('"')[0]
    return client.post(path, data={"csrf": csrf})


def test_ones_own_events_are_filtered(serving, alice):
    """By state, kind and text; Bob's are not found by any of them."""
    mine = event(serving, 1, "failed")
    old = event(serving, 1, "done", kind=EventKind.REMINDER, request_id="ab-7")
    bobs = event(serving, 2, "failed", request_id="ab-8")

    def ids(query):
        page = alice.get(f"/events?{query}")
        return {one for one in (mine, old, bobs) if one in page.text}

    assert ids("") == {mine, old}
    assert ids("state=failed") == {mine}
    assert ids("kind=reminder") == {old}
    assert ids("q=energy") == {mine, old}
    assert ids("q=ab-7") == {old}
    for hidden in ("q=ab-8", f"q={bobs[:20]}", "q=bob/energy"):
        assert bobs not in re.findall(r'href="/events/(\w+)"', alice.get(f"/events?{hidden}").text)
    assert "Nothing fits" in words(alice.get("/events?q=zzz"))


def test_pages_go_forth_and_back_within_a_filter(serving, alice):
    """Each event on one page; the first page has nothing newer, the last nothing older."""
    ids = [
        event(serving, 1, "done", id=inbox.new_id(serving.clock.now() + at)) for at in range(100)
    ][::-1]
    pages, path = [], "/events?state=done"
    while path:
        page = alice.get(path.replace("&amp;", "&"))
        pages.append(re.findall(r'href="/events/([0-9a-z]{26})"', page.text))
        path, back = (
            (found := re.search(rf'href="([^"]+)" rel="{rel}"', page.text)) and found[1]
            for rel in ("next", "prev")
        )
    assert [one for page in pages for one in page] == ids
    assert [len(page) for page in pages] == [40, 40, 20]
    again = alice.get(back.replace("&amp;", "&"))
    assert re.findall(r'href="/events/([0-9a-z]{26})"', again.text) == pages[1]


def test_an_event_from_arrival_to_landing(serving, alice):
    """The request, the claims with their attempts and deferrals, the read, the answer, the end."""
    now = serving.clock.now()
    event_id = event(serving, 1, "done", request_id="ab12-3")
    with serving.ledger.write() as session:
        session.get_one(Event, event_id).datapoints = 1
        session.add(
            Cover(
                event_id=event_id, feed_id=1, epoch=6, attempts=2, deferrals=3, written=1, done=True
            )
        )
        session.add(
            Day(
                feed_id=1, daystamp="20261120", starts_at=0, ends_at=1, value=12.5, unit="kWh",
                epoch=6, seen_at=now - 29,
            )
        )  # fmt: skip
        session.add(
            Datapoint(
                id=1, goal_id=1, feed_id=1, requestid="wg-1", daystamp="20261120", value=12.5,
                content_hash="h",
            )
        )  # fmt: skip
        session.flush()
        session.add(
            Sending(
                datapoint_id=1, epoch=6, value=12.5, sent_at=now - 29, status="created",
                request_id="bee-9",
            )
        )  # fmt: skip
    text = words(alice.get(f"/events/{event_id}"))

    steps = [
        "Beeminder asked : alice/energy done",
        "Arrived, and stored before it was answered",
        "request ab12-3",
        "tied to 1 feed",
        "alice/energy m from plant-alice",
        "Taken by claim 6, attempt 2; 1 datapoint written",
        "Put off 3 times by a limit",
        "2026-11-20 is 12.5 kWh",
        "12.5 for 2026-11-20, written request bee-9",
        "Landed",
        "after 2.0 s 1 datapoint written",
    ]
    text = text.replace("asked: ", "asked : ")
    assert [step for step in steps if step not in text] == []
    assert [text.index(step) for step in steps] == sorted(text.index(step) for step in steps)
    assert "Replay" not in text


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("received", "No worker has looked at it yet."),
        ("working", "Not ended yet"),
        ("failed", "It failed: the source is away; start it"),
        ("dead", "It was given up: the source is away; start it"),
    ],
)
def test_each_state_says_what_is_or_what_to_do(serving, alice, state, told):
    """In words; what a source says is text."""
    page = alice.get(f"/events/{event(serving, 1, state)}")
    assert told in words(page)
    assert "<script>alert" not in page.text
    assert ("Replay" in words(page)) == (state in ("failed", "dead"))


def test_what_it_waits_for_is_told(serving, alice):
    """A closed gate is no failure: until when, and that nothing has to be done."""
    now = serving.clock.now()
    event_id = event(serving, 1, "working")
    with serving.ledger.write() as session:
        session.add(Cover(event_id=event_id, feed_id=1))
        session.get_one(Feed, 1).due_at = now - 5
        session.add(Quota(key="p:1", vendor="p", closed_until=now + 60))
    text = words(alice.get(f"/events/{event_id}"))
    assert "waits for a limit: p:plant-alice" in text
    assert "Nothing has to be done" in text


def test_what_came_in_is_shown_without_what_is_made_of_secrets(serving, operator):
    """The payload as it came; hashes of a token are left out."""
    event_id = event(
        serving, 1, "dead", kind=EventKind.DEAUTHORIZED, payload={"token_hashes": ["abc123"]}
    )
    page = operator.get(f"/events/{event_id}")
    assert "abc123" not in page.text
    assert "left out" in page.text
    assert "<details>" in page.text


def test_events_of_others_do_not_exist(serving, alice):
    """Neither to look at nor to replay; the same answer as for what nobody has."""
    bobs, nobodys = event(serving, 2, "failed"), event(serving, None, "failed")
    none = alice.get(f"/events/{'0' * 26}")
    for other in (bobs, nobodys, "x", "' OR 1=1"):
        assert alice.get(f"/events/{other}").text == none.text
        assert alice.get(f"/events/{other}").status_code == 404
        assert send(alice, f"/events/{other}/replay").status_code == 404
    assert len(serving.events()) == 2


def test_a_replay_is_a_new_event_that_says_what_it_replays(serving, alice, until):
    """Auditable from both ends, with the bell rung; the old one stays as it was."""
    old = event(serving, 1, "failed")
    done = send(alice, f"/events/{old}/replay")
    new = next(row for row in serving.events() if row.id != old)

    assert done.headers["Location"] == f"/events/{new.id}"
    assert (new.replay_of, new.state, new.user_id) == (old, "received", 1)
    assert f'href="/events/{old}"' in alice.get(f"/events/{new.id}").text
    page = alice.get(f"/events/{old}")
    assert f'href="/events/{new.id}"' in page.text
    assert f"/events/{old}/replay" not in page.text
    with serving.ledger.read() as session:
        deed = session.exec(select(Deed)).one()
    assert (deed.actor, deed.action, deed.subject) == ("alice", "replay", f"event {old}")
    assert deed.details == {"made": new.id}
    until(lambda: ("sync", "urgent") in serving.bell.rung)  # another thread rings


@pytest.mark.parametrize("state", ["received", "working", "done"])
def test_only_what_ended_badly_is_replayed(serving, alice, state):
    """What goes on, or is done, is left alone, and that is said."""
    old = event(serving, 1, state)
    done = send(alice, f"/events/{old}/replay")

    assert done.headers["Location"] == f"/events/{old}"
    assert "Nothing was done" in words(alice.get(f"/events/{old}"))
    assert len(serving.events()) == 1


def test_a_second_click_replays_nothing(serving, alice):
    """While the first replay is on its way there is no other."""
    old = event(serving, 1, "dead")
    send(alice, f"/events/{old}/replay")
    send(alice, f"/events/{old}/replay")
    assert len(serving.events()) == 2


def test_a_callback_is_stored_with_the_id_of_its_request(serving, operator):
    """What the answer carries leads to the event."""
    told = serving.autofetch("alice", "energy")
    request_id = told.headers["X-Request-Id"]
    stored = serving.stored(1)[0]
    assert stored.request_id == request_id
    assert stored.id in operator.get("/events", params={"q": request_id}).text
