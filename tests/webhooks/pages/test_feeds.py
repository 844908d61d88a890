"""A feed's page: which data it used, whether its link is alive, and nobody else's business."""

import contextlib
import re

import pytest

from db import notices
from db.models import Backfill, Feed, Source, User
from db.models_points import Datapoint, Day
from tests.webhooks.pages import scenes
from tests.webhooks.pages.scenes import HOSTILE, read
from tests.webhooks.pages.test_home import assert_runs_only_ours

PAGE = "/feeds/alice/energy"
PARTS = ("", "/datapoints", "/callbacks", "/progress", "/days/20261117")


@pytest.fixture
def alice(serving):
    """Alice with one feed, Bob with one of the same name; Alice's browser."""
    for number, name in enumerate(("alice", "bob"), start=1):
        scenes.person(serving, number, name)
        scenes.feed(serving, number, "energy", owner=number)
    with contextlib.closing(scenes.sign_in(serving)) as client:
        yield client


@pytest.mark.parametrize("part", PARTS)
def test_each_part_of_it_is_its_owners(serving, alice, part):
    """What Bob has is answered like what nobody has; the operator sees it."""
    theirs, nobodys = alice.get(f"/feeds/bob/energy{part}"), alice.get(f"/feeds/carl/energy{part}")
    assert (theirs.status_code, theirs.content) == (404, nobodys.content)
    assert alice.get(f"{PAGE}{part}").status_code in (200, 303)
    with contextlib.closing(scenes.operate(serving)) as operator:
        assert operator.get(f"/feeds/bob/energy{part}").status_code in (200, 303)


def test_its_name_is_found_in_whatever_case(alice):
    """Beeminder does not tell names apart by case either."""
    assert alice.get("/feeds/ALICE/Energy").status_code == 200


def test_it_says_at_once_whether_the_link_is_alive(serving, alice):
    """State, last sync, what Beeminder was answered, and when it is looked at next."""
    scenes.call(serving, 1, ago=250, waited=0.4)
    text = read(alice.get(PAGE).text)
    assert "alice/energy in step" in text
    assert "Last synced 4 min ago" in text
    assert "Next look: in 10 min." in text


def test_days_are_told_with_both_values_and_why(serving, alice):
    """What was said and is there, nothing as nothing and 0 as 0; the reason beside it."""
    scenes.day(serving, 1, 0, 0.0, unit="kWh")
    scenes.day(serving, 1, 1, None, note=f"nothing was measured {HOSTILE}")
    scenes.day(serving, 1, 2, 7.5, state="pending", landed_value=None, error="refused for now")
    scenes.day(serving, 1, 3, 4.0, pinned=True)
    scenes.day(serving, 1, 4, 6.0, frozen="deleted")
    scenes.day(serving, 1, 5, 6.0, landed_value=5.0, frozen="edited")
    response = alice.get(PAGE)
    rows = [
        read(row)
        for row in re.findall(r"<tr>\n<td data-label=\"Day\">.*?</tr>", response.text, re.DOTALL)
    ]

    assert rows[0].startswith("2026-11-18 0 kWh 0 on the goal")
    assert rows[1].startswith("2026-11-17 nothing nothing no datapoint nothing was measured")
    assert rows[2].startswith("2026-11-16 7.5 nothing to be sent refused for now")
    assert "pinned: left as it is at Beeminder" in rows[3]
    assert rows[4].startswith("2026-11-14 6 nothing on the goal deleted by a person")
    assert rows[5].startswith("2026-11-13 6 5 on the goal edited by a person")
    assert_runs_only_ours(response.text)


def test_the_chart_shows_as_many_days_as_asked_for(serving, alice):
    """14, 30 or 90 of them, and nothing else; each with its figures and when it landed."""
    for ago in (0, 13, 29, 89):
        scenes.day(serving, 1, ago, 2.0 + ago)
    told = "2026-11-18: the source says 2, at Beeminder 2; landed Wed 18 Nov,"
    for days, seen in ((14, 2), (30, 3), (90, 4)):
        text = alice.get(PAGE, params={"days": days}).text
        chart = re.search(r'<svg class="chart".*?</svg>', text, re.DOTALL)[0]
        marks = chart.count('<rect class="source"') or chart.count("z") - chart.count("</title>z")
        assert marks >= seen
        assert f"{days} days from" in chart
        assert (told in chart) == (days == 14)  # of many days none can be pointed at
    for odd in ("0", "15", "-14", "x", "9999"):
        assert alice.get(PAGE, params={"days": odd}).status_code == 404


def test_on_a_running_total_the_chart_compares_what_is_sent(serving, alice):
    """3 of its own on top of 100 is no difference to the 103 that are there."""
    scenes.change(serving, Feed, 1, cursor={"shape": "running_total"})
    scenes.day(serving, 1, 0, 103.0)
    with serving.ledger.write() as session:
        session.get_one(Day, (1, scenes.stamp(serving.clock.now(), 0))).value = 3.0
    text = alice.get(PAGE).text
    assert "the source says 103, at Beeminder 103; of its own 3" in text
    assert 'class="differs"' not in text
    assert "what the source comes to" in text


def test_times_are_told_in_the_persons_zone(serving, alice):
    """Noon in Greenwich is evening in Tokyo."""
    scenes.change(serving, User, 1, timezone="Asia/Tokyo")
    scenes.day(serving, 1, 1, 2.0)
    text = alice.get(PAGE).text
    assert "JST" in text
    assert " UTC" not in text


@pytest.mark.parametrize(
    ("columns", "words", "button"),
    [
        ({"state": "paused", "reason": "paused by a person"}, "Paused by a person", "/resume"),
        (
            {"state": "paused", "reason": "goal_frozen", "last_error": "the goal is frozen"},
            "the goal is frozen",
            "https://beeminder.test/alice/energy",
        ),
        (
            {"state": "failing", "reason": "set_aside", "last_error": "set aside: it died"},
            "set aside: it died",
            "/resume",
        ),
        ({"state": "failing", "last_error": "no such thing"}, "no such thing Since", "/resume"),
        ({"state": "stopped", "reason": "unlinked"}, "It was unlinked", "/relink"),
        ({"state": "stopped", "reason": "deauthorized"}, "access was taken", "/beeminder/connect"),
        ({"state": "stopped", "reason": "not in the file"}, "waggle apply", ""),
        ({"last_error": "no answer", "attempts": 2}, "no answer (next try: in 10 min)", ""),
        ({"last_synced_at": None, "due_at": 1.0}, "not synced yet", ""),
        ({"lease_owner": "w", "lease_until": 9e12}, "syncing now", ""),
    ],
)
def test_each_state_is_told_with_the_one_thing_to_do(serving, alice, columns, words, button):
    """In words, with why and since when; what a person paused differs from what Waggle did."""
    since = {"failing_since": serving.clock.now() - 7200} if columns.get("last_error") else {}
    scenes.change(serving, Feed, 1, **(since | columns))
    text = alice.get(PAGE).text
    assert words in read(text)
    assert button in text
    runs = columns.get("state") in (None, "failing") and columns.get("reason") != "set_aside"
    runs = runs or columns.get("reason") == "goal_frozen"
    assert (f'action="{PAGE}/sync"' in text) == runs


def test_what_needs_somebody_is_on_the_page_once(serving, alice):
    """Notices of the feed, its goal and source; of what is held the values and not the notice."""
    scenes.held(serving, 1, 3, there=5.0, value=3.0)
    with serving.ledger.write() as session:
        for subject, kind in (("feed:1", "held"), ("feed:1", "units"), ("source:1", "key_ends"),
                              ("goal:1", "datasource"), ("feed:2", "units")):  # fmt: skip
            notices.raise_(
                session, user_id=1, subject=subject, kind=kind,
                message=f"{kind} of {subject}", now=serving.clock.now(),
            )  # fmt: skip
    text = read(alice.get(PAGE).text)
    for there in ("units of feed:1", "key_ends of source:1", "datasource of goal:1"):
        assert there in text
    assert "held of feed:1" not in text
    assert "feed:2" not in text


def test_held_corrections_say_what_each_choice_does(serving, alice):
    """Both values, why it is held, and what comes of sending it or of dropping it."""
    scenes.held(serving, 1, 3, there=5.0, value=3.0, error=f"worse {HOSTILE}")
    scenes.held(serving, 1, 4, there=5.0, value=0.0)
    response = alice.get(PAGE)
    text = read(response.text)
    assert "2026-11-15: 5 at Beeminder, the source says 3" in text
    assert "Sends 3 (5 → 3). The day becomes worse for the goal." in text
    assert "Sends 0 and empties the day (5 → 0)." in text
    assert "5 stays at Beeminder, and this value is not asked about again." in text
    assert "Approve all 2" in text
    assert_runs_only_ours(response.text)


def test_without_anything_there_is_no_empty_box(alice):
    """Nothing held, no day, no call: it says so in a sentence each."""
    text = read(alice.get(PAGE).text)
    assert "Waits for your decision" not in text
    assert "Needs you" not in text
    assert "Nothing is known of these 14 days yet." in text
    assert "Nobody has asked for this goal yet." in text
    assert "No datapoint yet." in read(alice.get(f"{PAGE}/datapoints").text)


def test_callbacks_tell_how_long_they_waited_and_what_they_came_to(serving, alice):
    """With the request id of an error, to be told to a vendor; what waits says how long so far."""
    scenes.call(serving, 1, ago=500, waited=1.25, datapoints=1)
    scenes.call(serving, 1, ago=3)
    failed = scenes.call(
        serving, 1, ago=100, waited=8.0, state="failed",
        error={"code": "x", "message": f"plant: no answer {HOSTILE}", "request_id": "req-7"},
    )  # fmt: skip
    for path in (PAGE, f"{PAGE}/callbacks"):
        response = alice.get(path)
        text = read(response.text)
        assert "done 1.2 s 1 datapoint" in text
        assert "waiting 3.0 s so far" in text
        assert f"request id req-7, event {failed}" in text
        assert_runs_only_ours(response.text)


@pytest.mark.parametrize("part", ["datapoints", "callbacks"])
def test_long_lists_are_paged_without_gaps(serving, alice, part):
    """Each row stands on exactly one page, the newest first; odd marks are 404."""
    for number in range(65):
        if part == "callbacks":
            scenes.call(serving, 1, ago=100 * number, waited=1.0, state="failed",
                        error={"message": f"row-{number}."})  # fmt: skip
        else:
            scenes.day(serving, 1, number, 1.0, comment=f"row-{number}.")
    path, found = f"{PAGE}/{part}", []
    while path:
        text = alice.get(path).text
        found += re.findall(r"row-(\d+)\.", text)
        older = re.search(r'href="([^"]+)" rel="next"', text)
        path = older and older[1]
    assert found == [str(number) for number in range(65)]
    assert alice.get(f"{PAGE}/{part}", params={"before": "' OR 1=1"}).status_code == 404


def test_points_of_one_day_are_paged_without_gaps(serving, alice):
    """Also where a day has more of them than a page."""
    day = scenes.day(serving, 1, 1, 1.0, comment="row-0.")
    with serving.ledger.write() as session:
        for number in range(1, 41):
            session.add(
                Datapoint(goal_id=1, feed_id=1, requestid=f"r{number}", daystamp=day, value=1.0,
                          content_hash="h", comment=f"row-{number}.")
            )  # fmt: skip
    first = alice.get(f"{PAGE}/datapoints").text
    second = alice.get(re.search(r'href="([^"]+)" rel="next"', first)[1]).text
    found = re.findall(r"row-(\d+)\.", first + second)
    assert [int(each) for each in found] == list(range(40, -1, -1))


def test_a_goal_with_several_feeds_shows_each(serving, alice):
    """As cards; each has a page of its own, the one without a label too."""
    for number, label in ((3, "roof"), (4, "")):
        scenes.feed(serving, number, "", goal=scenes.feed(serving, 5, "solar", label="shed")
                    if number == 3 else 3, label=label)  # fmt: skip
    scenes.change(serving, Feed, 3, state="paused", reason="paused by a person")
    page = alice.get("/feeds/alice/solar").text
    links = re.findall(r'<h2><a href="([^"]+)">', page)
    assert sorted(links) == [f"/feeds/alice/solar:{label}" for label in ("", "roof", "shed")]
    for link in links:
        text = alice.get(link).text
        assert "<h1>alice/solar" in text
        assert f'action="{link}/' in text
    assert alice.get("/feeds/alice/solar:garage").status_code == 404
    assert alice.get("/feeds/alice/solar/datapoints").status_code == 404
    assert "Resume all" in page


def test_past_days_show_how_far_they_are(serving, alice):
    """A bar while it runs, which htmx asks for again; what it came to afterwards."""
    now = serving.clock.now()
    with serving.ledger.write() as session:
        session.add(Backfill(id=1, feed_id=1, first_day="20261001", last_day="20261010",
                             next_day="20261005", written=3, held=1, asked_at=now))  # fmt: skip
    part = alice.get(f"{PAGE}/progress", headers={"HX-Request": "true"}).text
    assert "2026-10-01 to 2026-10-10: 4 of 10 days, 3 written, 1 held" in read(part)
    assert f'hx-get="{PAGE}/progress"' in part
    assert '<progress max="10" value="4"' in part
    assert 'content="3"' in alice.get(PAGE).text  # where no script runs it is loaded again

    scenes.change(serving, Backfill, 1, state="failed", error=f"no {HOSTILE}", finished_at=now)
    part = alice.get(f"{PAGE}/progress", headers={"HX-Request": "true"}).text
    assert "hx-get" not in part
    assert "failed 0 s ago before 2026-10-05: no" in read(part)
    assert_runs_only_ours(part)
    assert alice.get(f"{PAGE}/progress").status_code == 303


def test_what_others_make_is_offered_with_what_it_does(serving, alice):
    """Preview, manual entry and unlinking are forms and links to where they are."""
    text = alice.get(PAGE).text
    for way in (f'href="{PAGE}/preview"', f'action="{PAGE}/manual"', f'action="{PAGE}/unlink"'):
        assert way in text
    assert "What was sent stays at Beeminder." in read(text)
    assert text.index("<details>") < text.index("/unlink")


def test_a_page_with_years_behind_it_costs_what_a_new_one_does(serving, alice):
    """The same number of questions, and under 22 KB, whatever there is; also 90 days of it."""
    scenes.day(serving, 1, 0, 1.0)
    with scenes.counted(serving.ledger) as few:
        alice.get(PAGE)
    for ago in range(1, 120):
        scenes.day(serving, 1, ago, 20.25 + ago % 7, unit="kWh", pinned=ago % 9 == 0)
    for ago in range(120, 160):
        scenes.held(serving, 1, ago, there=5.0, value=3.0)
    for number in range(80):
        scenes.call(serving, 1, ago=number * 100, waited=1.25)
    for days in (14, 30, 90):
        with scenes.counted(serving.ledger) as many:
            text = alice.get(PAGE, params={"days": days}).text
        assert len(many) == len(few) <= 24
        assert len(text.encode()) < 22 * 1024
    for part in ("datapoints", "callbacks"):
        assert len(alice.get(f"{PAGE}/{part}").content) < 22 * 1024


def test_long_names_are_text_on_every_part(serving, alice):
    """Of the goal, the label, the source and the metric."""
    scenes.change(serving, Source, 1, name=f"{HOSTILE}{'n' * 200}")
    scenes.feed(serving, 3, "s" * 150, label=f"l{'x' * 100}", metric=HOSTILE)
    path = f"/feeds/alice/{'s' * 150}:l{'x' * 100}"
    for part in ("", "/datapoints", "/callbacks"):
        response = alice.get(path + part)
        assert response.status_code == 200
        assert_runs_only_ours(response.text)
