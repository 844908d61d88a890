"""The front page: what needs somebody first, each feed as it stands, live, and at a fixed price."""

import contextlib
import re

import httpx
import pytest

from db import notices
from db.models import Feed, Source, User
from tests.webhooks.pages import scenes
from tests.webhooks.pages.scenes import HOSTILE, read
from tests.webhooks.pages.test_home import assert_runs_only_ours
from webhooks.pages import home


@pytest.fixture
def ours(serving):
    """Alice and Bob, who have a source and nothing linked yet."""
    for number, name in enumerate(("alice", "bob"), start=1):
        scenes.person(serving, number, name)
    with contextlib.closing(scenes.sign_in(serving)) as client:
        yield client


def test_without_a_goal_it_leads_to_linking_one(ours):
    """What Waggle does, the way to a goal and to the sources; no table, no figure of nothing."""
    text = ours.get("/").text
    assert 'href="/link"' in text
    assert 'href="/sources"' in text
    assert "<table" not in text
    assert "in step" not in text


def names_of(text):
    """The goals in the order of the list."""
    return re.findall(r'<td data-label="Goal"><a[^>]* href="[^"]+">([^<]+)</a>', text)


def test_what_needs_somebody_goes_first_then_the_name(serving, ours):
    """Failing, held and a red day without data before all others; each group by name."""
    for number, slug in enumerate(("zeal", "able", "zen", "mint", "yoga"), start=1):
        scenes.feed(serving, number, slug)
    scenes.change(serving, Feed, 1, state="failing", last_error="no")
    scenes.held(serving, 5, 3, there=5.0, value=3.0)
    scenes.change(serving, Feed, 4, state="paused", reason="paused by a person")
    with serving.ledger.write() as session:
        notices.raise_(
            session, user_id=1, subject="feed:3", kind="failing_red", message="derails", now=1.0
        )

    text = ours.get("/").text
    assert names_of(text) == ["alice/yoga", "alice/zeal", "alice/zen", "alice/able", "alice/mint"]
    assert "1 in step, 3 need attention, 1 paused" in read(text)


def test_it_is_paged_searched_and_filtered(serving, ours):
    """Twenty at a time, each feed on exactly one page; words of the name, as they are; states."""
    for number in range(1, 61):
        scenes.feed(serving, number, f"goal-{number:02}", label="50%_x" if number == 7 else "")
    scenes.change(serving, Feed, 9, state="paused", reason="paused by a person")
    pages = [ours.get("/", params={"page": page}).text for page in (1, 2, 3)]
    found = [names_of(text) for text in pages]
    assert [len(each) for each in found] == [20, 20, 20]
    assert len({name for each in found for name in each}) == 60
    assert 'href="/?page=2"' in pages[0]
    assert "Older" not in pages[2]
    assert names_of(ours.get("/", params={"q": "GOAL-1"}).text) == [
        f"alice/goal-{number}" for number in range(10, 20)
    ]
    assert names_of(ours.get("/", params={"q": "0%_"}).text) == ["alice/goal-07:50%_x"]
    assert names_of(ours.get("/", params={"state": "paused"}).text) == ["alice/goal-09"]
    assert "No feed is like that" in ours.get("/", params={"q": "nothing"}).text
    for odd in ({"page": "0"}, {"page": "x"}, {"page": "-1"}, {"state": "happy"}):
        assert ours.get("/", params=odd).status_code == 404


def test_a_few_feeds_need_no_search(serving, ours):
    """Up to a page of them."""
    scenes.feed(serving, 1, "energy")
    assert 'role="search"' not in ours.get("/").text


def test_it_says_how_fresh_a_feed_is(serve):
    """The last sync, and what became of the last time that Beeminder asked for that goal."""
    serving = serve(hold_seconds=25.0)
    scenes.person(serving, 1, "alice")
    quick = scenes.feed(serving, 1, "quick", last_synced_at=serving.clock.now() - 240)
    waits = scenes.feed(serving, 2, "waits", last_synced_at=None)
    bad = scenes.feed(serving, 3, "bad")
    scenes.call(serving, quick, ago=7200, waited=9.0)
    scenes.call(serving, quick, ago=250, waited=1.2)
    scenes.call(serving, quick, ago=100, waited=8.0, kind="reminder")
    scenes.call(serving, waits, ago=3)
    scenes.call(serving, bad, ago=100, waited=2.0, state="failed", error={"message": "no"})

    late = scenes.feed(serving, 4, "late")
    scenes.call(serving, late, ago=100, waited=45.0)

    with contextlib.closing(scenes.sign_in(serving)) as client:
        text = read(client.get("/").text)
    assert "fresh after 45 s, too late" in text
    assert "4 min ago answered Beeminder in 1.2 s" in text
    assert "never Beeminder asked 3.0 s ago and waits" in text
    assert "could not answer Beeminder after 2.0 s" in text


def test_numbers_are_not_lost(serving, ours):
    """0 is 0 and nothing is nothing, in figures and in the sparks; long ones can be recognised."""
    for number, value in ((1, 0.0), (2, None), (3, -1234567.25)):
        scenes.feed(serving, number, f"goal-{number}")
        scenes.day(serving, number, 1, value)
    rows = ours.get("/").text.split('<td data-label="Goal">')[1:]

    assert '<td data-label="Last value">0<small>' in rows[0]
    assert "<svg" in rows[0]
    assert "nothing yet" in rows[1]
    assert "<svg" not in rows[1]
    assert '<td data-label="Last value">-1234567.25<small>' in rows[2]


@pytest.mark.parametrize(
    ("kind", "subject", "label", "way"),
    [
        ("held", "feed:1", "Decide", 'href="/feeds/alice/energy#held"'),
        ("failing_red", "feed:1", "Sync now", 'formaction="/feeds/alice/energy/sync"'),
        ("set_aside", "feed:1", "Try again", 'formaction="/feeds/alice/energy/resume"'),
        ("resting", "feed:1", "Look at it at Beeminder", "https://beeminder.test/alice/energy"),
        ("key_ends", "source:1", "Look at your sources", 'href="/sources"'),
    ],
)
def test_what_needs_somebody_says_what_to_do(serving, ours, kind, subject, label, way):
    """One button or link beside it, to exactly that feed."""
    scenes.feed(serving, 1, "energy")
    with serving.ledger.write() as session:
        notices.raise_(session, user_id=1, subject=subject, kind=kind, message="a reason", now=1.0)
    needs = re.search(r'<section class="needs".*?</section>', ours.get("/").text, re.DOTALL)[0]
    assert f">{label}</" in needs
    assert way in needs


def test_who_is_signed_out_is_told_first(serving, ours):
    """A token or a login that is refused stands above all notices, with the way to mend it."""
    scenes.feed(serving, 1, "energy")
    scenes.change(serving, User, 1, state="reauthorize")
    scenes.change(serving, Source, 1, state="reauthorize", last_error=f"refused {HOSTILE}")
    with serving.ledger.write() as session:
        notices.raise_(
            session, user_id=1, subject="feed:1", kind="failing_red", message="derails", now=1.0
        )
        for subject, kind in (("user:1", "link"), ("source:1", "login")):  # said once, not twice
            notices.raise_(
                session, user_id=1, subject=subject, kind=kind, message="told already", now=1.0
            )
    text = ours.get("/").text
    needs = re.search(r'<section class="needs".*?</section>', text, re.DOTALL)[0]
    ways = [
        needs.index(way)
        for way in ('href="/beeminder/connect"', "Give it its login again", "/energy/sync")
    ]
    assert ways == sorted(ways)
    assert "told already" not in needs
    assert_runs_only_ours(text)


def test_only_the_most_urgent_of_many_needs_are_shown(serving, ours):
    """A red day before older ones, and where the others are."""
    with serving.ledger.write() as session:
        for number in range(20):
            notices.raise_(
                session, user_id=1, subject="user:1", kind="put_off", key=f"{number}",
                message=f"put off {number}", now=float(number),
            )  # fmt: skip
    scenes.feed(serving, 1, "energy")
    with serving.ledger.write() as session:
        notices.raise_(
            session, user_id=1, subject="feed:1", kind="failing_red", message="derails", now=99.0
        )
    text = ours.get("/").text
    assert text.index("derails") < text.index("put off 0")
    assert text.count("put off") == home.NEEDS_AT_HOME - 1
    assert 'href="/?state=attention"' in text


def test_a_part_of_it_is_a_part(serving, ours):
    """Htmx gets the list alone, and does not take what the whole page is to say."""
    scenes.feed(serving, 1, "energy")
    sent = scenes.send(ours, "/feeds/alice/energy/sync", home="/")
    part = ours.get("/", headers={"HX-Request": "true"}).text
    assert "<html" not in part
    assert "alice/energy" in part
    assert "asked for" not in part
    assert "asked for" in scenes.said(ours, sent)


def test_names_however_long_or_hostile_are_text(serving, ours):
    """Labels, metrics, sources and errors of 200 characters; none of them runs."""
    scenes.change(serving, Source, 1, name=f"{HOSTILE}{'s' * 200}")
    scenes.feed(
        serving, 1, "s" * 200, label=f"l{HOSTILE}", metric=HOSTILE, last_error=HOSTILE * 20,
        state="failing",
    )  # fmt: skip
    text = ours.get("/").text
    assert_runs_only_ours(text)
    assert "&lt;script&gt;" in text


def test_a_full_page_costs_no_more_than_an_empty_one(serving, ours):
    """The same number of questions for one feed and for many with years of days; under 22 KB."""
    scenes.feed(serving, 1, "goal-000")
    scenes.day(serving, 1, 0, 1.0)
    ours.get("/")
    with scenes.counted(serving.ledger) as few:
        ours.get("/")
    for number in range(2, 41):
        goal = scenes.feed(serving, number, f"goal-{number:03}")
        for ago in range(16):
            scenes.day(serving, number, ago, 20.5 + ago)
        scenes.call(serving, goal, ago=100, waited=1.25)
        scenes.held(serving, number, 20, there=5.0, value=3.0)
    with scenes.counted(serving.ledger) as many:
        text = ours.get("/").text

    assert len(many) == len(few) <= 20
    assert len(text.encode()) < 22 * 1024


def stream_of(client, seen=None, headers=()):
    """The stream of the front page."""
    params = {} if seen is None else {"seen": seen}
    return client.stream("GET", "/feeds/stream", params=params, headers=dict(headers))


def test_watching_tells_that_something_changed_and_nothing_of_it(serving, ours):
    """Nothing while nothing changes for what the page has seen; then an event without content."""
    scenes.feed(serving, 1, "energy")
    seen = re.search(r"seen=([0-9a-f]+)", ours.get("/").text)[1]
    with stream_of(ours, seen) as response:
        lines = response.iter_lines()
        assert response.headers["Content-Type"].startswith("text/event-stream")
        assert next(lines) == "retry: 2000"
        scenes.change(serving, Feed, 1, last_synced_at=serving.clock.now())
        told = [line for line in (next(lines) for _ in range(5)) if line]
    assert told[1] == "event: changed"
    assert told[0].removeprefix("id: ") == told[2].removeprefix("data: ") != seen
    with stream_of(ours, headers={"Last-Event-ID": seen}.items()) as response:
        lines = response.iter_lines()
        assert [next(lines) for _ in range(4)][3] == "event: changed"  # it came meanwhile


def test_strangers_do_not_watch(serving, ours):
    """401 without a session; HEAD ends at once."""
    with httpx.Client(base_url=serving.url) as client:
        assert client.get("/feeds/stream").status_code == 401
    assert ours.head("/feeds/stream").status_code == 200


def test_watchers_are_bounded(serving, ours, monkeypatch):
    """503 with Retry-After when there is no room."""
    monkeypatch.setattr(serving.receiver.feed_streams, "_most", 0)
    response = ours.get("/feeds/stream")
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "no_room"
