"""Pages: one's own things and nobody else's, without script and with headers that say so."""

import re
from urllib.parse import urlencode

import pytest
from sqlmodel import select

from db import inbox, notices
from db.models import Feed, Goal, LoginLink, Source, User
from db.models_points import Datapoint, Day
from db.models_runs import Run
from db.states import DatapointState, EventKind, FeedState
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


def assert_runs_only_ours(text):
    """Every script is a file of ours, whole; no style or handler stands in the page."""
    ours = r'<script src="/static/[\w./-]+\?v=[0-9a-f]{12}" defer></script>'
    assert "<script" not in re.sub(ours, "", text)
    assert not re.search(r"<[^>]+ (?:style|on\w+)=", text)


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

    assert response.status_code == 303
    assert response.headers["Location"] == f"/?{urlencode({'next': page})}"


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
    assert_runs_only_ours(response.text)


def test_a_feed_in_words(alice):
    """State, error, last sync, last landed value and what waits are told in words."""
    text = re.sub(r"<[^>]+>|\s+", " ", alice.get("/").text)

    for words in ("needs attention", "2 min ago", "7.25", "21 Nov", "metric-of-alice"):
        assert words in text


@pytest.fixture
def troubled(serving, linked):
    """Each of both feeds has a held correction, a day without a point, and a notice."""
    with serving.ledger.write() as session:
        for feed in session.exec(select(Feed)):
            goal = session.get_one(Goal, feed.goal_id)
            name = session.get_one(User, goal.user_id).username
            session.add(
                Datapoint(
                    goal_id=goal.id,
                    feed_id=feed.id,
                    requestid="held",
                    daystamp="20261118",
                    value=2.0,
                    landed_value=5.25,
                    content_hash="h",
                    state=DatapointState.HELD,
                    error=f"would make {name}'s day worse {HOSTILE}",
                )
            )
            session.add(
                Day(
                    feed_id=feed.id,
                    daystamp="20261117",
                    starts_at=0,
                    ends_at=1,
                    note=f"nothing was measured {HOSTILE}",
                    pinned=True,
                )
            )
            for kind in ("held", "units"):
                notices.raise_(
                    session,
                    user_id=goal.user_id,
                    subject=f"feed:{feed.id}",
                    kind=kind,
                    message=f"{kind} notice of {name} {HOSTILE}",
                    now=serving.clock.now() - 60,
                )


def text_of(response):
    """What a person reads on a page."""
    return " ".join(re.sub(r"<[^>]+>", " ", response.text).split())


def test_home_says_what_needs_its_viewer(alice, troubled):
    """Their own notices with the way to the goal, nobody else's, and nothing that runs."""
    response = alice.get("/")
    assert "held notice of alice" in response.text
    assert "units notice of alice" in response.text
    assert 'href="/feeds/alice/energy"' in response.text
    assert "bob" not in response.text
    assert_runs_only_ours(response.text)


def test_what_a_source_needs_is_on_the_pages_of_its_goals(alice, serving, linked):
    """Under the name in the file; what another person's source needs is not."""
    with serving.ledger.write() as session:
        for source in session.exec(select(Source)):
            notices.raise_(
                session,
                user_id=source.user_id,
                subject=f"source:{source.id}",
                kind="key_ends",
                message=f"the key of {source.name} ends",
                now=serving.clock.now(),
            )
    for path in ("/", "/feeds/alice/energy"):
        shown = text_of(alice.get(path))
        assert "source alice-plant of alice : the key of alice-plant ends" in shown
        assert "Look at your sources" in shown
        assert "bob" not in shown


def test_without_a_notice_nothing_needs_anybody(alice):
    """An empty box would teach people to look past it."""
    assert "Needs you" not in alice.get("/").text
    assert "Waits for your decision" not in alice.get("/feeds/alice/energy").text


def test_the_operator_sees_the_needs_of_each_goal_on_its_page(operator, troubled):
    """Everybody's at home, and on a goal's page those of that goal."""
    home, bob = operator.get("/").text, operator.get("/feeds/bob/energy").text
    assert "units notice of alice" in home
    assert "units notice of bob" in home
    assert "units notice of bob" in bob
    assert "alice" not in bob


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
