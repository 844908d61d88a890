"""Pages: one's own things and nobody else's, without script and with headers that say so."""

import re

import pytest

from db import inbox
from db.models import (
    Datapoint,
    DatapointState,
    EventKind,
    Feed,
    FeedState,
    Goal,
    LoginLink,
    Run,
    Source,
    User,
)
from webhooks.services import Identity

PAGES = ("/", "/events", "/runs", "/feeds/alice/energy")
HOSTILE = "<script>alert('x')</script>"


@pytest.fixture
def linked(serving):
    """Alice and Bob, each with a goal, a feed, a datapoint, an event and a run."""
    now = serving.clock.now()
    with serving.ledger.write() as session:
        for number, name in enumerate(("alice", "bob"), start=1):
            user = User(beeminder_id=f"u{number}", username=name)
            session.add(user)
            session.flush()
            source = Source(user_id=user.id, name=f"{name}-plant", provider="bemserver")
            goal = Goal(user_id=user.id, slug="energy", declared_slug="energy")
            session.add_all([source, goal])
            session.flush()
            feed = Feed(
                goal_id=goal.id,
                source_id=source.id,
                metric=f"metric-of-{name}",
                state=FeedState.FAILING,
                last_error=f"{name}: {HOSTILE}",
                last_synced_at=now - 125,
            )
            session.add(feed)
            session.flush()
            for day, state in (("20261120", "landed"), ("20261121", "landed"), (None, "pending")):
                session.add(
                    Datapoint(
                        goal_id=goal.id,
                        feed_id=feed.id,
                        requestid=f"{day}",
                        daystamp=day or "20261122",
                        value=7.25 if day == "20261121" else 1.5,
                        comment=HOSTILE,
                        content_hash="h",
                        state=DatapointState(state),
                    )
                )
            session.add(Run(source_id=source.id, run_id=f"run-of-{name}", progress=0.5))
            inbox.store(
                session,
                [
                    inbox.NewEvent(
                        id=inbox.new_id(now + at),
                        kind=EventKind.AUTOFETCH,
                        payload={"slug": f"slug-{name}-{at}"},
                        user_id=user.id,
                        received_at=now,
                    )
                    for at in range(60)
                ],
            )


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


@pytest.mark.parametrize("page", PAGES)
def test_own_things_only(alice, page):
    """Alice sees what is hers, and not a trace of Bob."""
    response = alice.get(page)

    assert response.status_code == 200
    assert "alice" in response.text
    assert "bob" not in response.text


@pytest.mark.parametrize("page", ["/", "/events", "/runs"])
def test_operators_see_everybody(operator, page):
    """The operator sees both."""
    text = operator.get(page).text

    assert "alice" in text
    assert "bob" in text


def test_things_of_others_do_not_exist(alice):
    """A goal of somebody else is answered like one that nobody has."""
    other, none = alice.get("/feeds/bob/energy"), alice.get("/feeds/carol/energy")

    assert other.status_code == none.status_code == 404
    assert other.text == none.text


@pytest.mark.parametrize("page", PAGES[1:])
def test_strangers_are_sent_to_the_start(serving, linked, page):
    """Without a session there is nothing to see, not even whether it exists."""
    response = serving.client.get(page)

    assert (response.status_code, response.headers["Location"]) == (303, "/")


@pytest.mark.parametrize(
    ("client_id", "offered"), [("client-1", "/beeminder/connect"), (None, "waggle login")]
)
def test_the_start_says_how_to_sign_in(serve, client_id, offered):
    """With an app by Beeminder, without one by the command line."""
    assert offered in serve(client_id=client_id).client.get("/").text


@pytest.mark.parametrize("page", [*PAGES, "/nothing"])
def test_headers_and_text_run_nothing(alice, page):
    """What a source or a goal is called is text; no script, style or frame of others loads."""
    response = alice.get(page, headers={"Accept": "text/html"})

    policy = response.headers["Content-Security-Policy"]
    for rule in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"):
        assert rule in policy
    assert "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-store"
    assert "<script" not in response.text
    assert " style=" not in response.text


def test_a_feed_in_words(alice):
    """State, error, last sync, last landed value and what waits are told in words."""
    text = re.sub(r"<[^>]+>|\s+", " ", alice.get("/").text)

    for words in ("needs attention", "2 min ago", "7.25", "on 2026-11-21", "metric-of-alice"):
        assert words in text


def test_events_are_paged_without_gaps(alice):
    """Each event stands on exactly one page, the newest first."""
    first = alice.get("/events").text
    second = alice.get(re.search(r'href="(/events\?before=[^"]+)"', first)[1]).text
    slugs = [re.findall(r"slug-alice-(\d+)", text) for text in (first, second)]

    assert [int(slug) for slug in slugs[0] + slugs[1]] == list(range(59, -1, -1))
    assert "Older" not in second


def test_odd_page_marks_are_404(alice):
    """What is no event id is no page."""
    assert alice.get("/events", params={"before": "' OR 1=1"}).status_code == 404


def test_static_files_are_only_ours(serving):
    """The style and the icon are served; nothing else of the disk is."""
    assert serving.client.get("/static/style.css").headers["Content-Type"].startswith("text/css")
    assert serving.client.get("/static/icon.svg").headers["Content-Type"] == "image/svg+xml"
    for name in ("app.py", "..%2Fapp.py", "%2Fetc%2Fpasswd"):
        assert serving.client.get(f"/static/{name}").status_code == 404
