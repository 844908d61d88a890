"""The receipt of a day: what `waggle explain` tells, for each feed of a goal, and nobody else's."""

import contextlib
import re

import pytest
from sqlmodel import select

from db.models import Cover, Feed, User
from db.models_points import Datapoint, Sending
from tests.webhooks.pages import scenes
from tests.webhooks.pages.scenes import HOSTILE, read
from tests.webhooks.pages.test_home import assert_runs_only_ours


@pytest.fixture
def alice(serving):
    """Alice, who has one feed; her browser."""
    scenes.person(serving, 1, "alice", timezone="Europe/Berlin")
    scenes.feed(serving, 1, "energy")
    with contextlib.closing(scenes.sign_in(serving)) as client:
        yield client


def send(serving, daystamp, **columns):
    """A try to write the day's datapoint."""
    now = serving.clock.now()
    with serving.ledger.write() as session:
        point = session.exec(select(Datapoint).where(Datapoint.daystamp == daystamp)).one()
        session.add(
            Sending(
                datapoint_id=point.id, epoch=7, value=point.value,
                **({"sent_at": now - 51, "answered_at": now - 50} | columns),
            )
        )  # fmt: skip


def test_it_tells_what_was_said_who_asked_and_what_was_answered(serving, alice):
    """In text that can be pasted, and as a line of time in its order, in the person's zone."""
    day = scenes.day(serving, 1, 1, 5.5, unit="kWh")
    send(serving, day, status="created", request_id="req-1")
    event = scenes.call(serving, 1, ago=55, waited=6.0)
    with serving.ledger.write() as session:
        session.add(Cover(event_id=event, feed_id=1, epoch=7, done=True))

    response = alice.get(f"/feeds/alice/energy/days/{day}")
    text = re.search(r"<pre[^>]*>(.*?)</pre>", response.text, re.DOTALL)[1]
    assert text.startswith("alice/energy on 2026-11-17\n\nstarts ")
    for told in (
        "source said 5.5 kWh",
        f"autofetch {event}",
        "request id req-1",
        "zone        Europe",
    ):
        assert told in text
    line = [read(each) for each in re.findall(r"<li.*?</li>", response.text, re.DOTALL)]
    assert [each.partition(" CET ")[2].split(":")[0] for each in line] == [
        "alice-plant said 5.5 kWh",
        "Beeminder asked",
        "sent 5.5 to Beeminder",
        "Beeminder",
        "answered (done) after 6.0 s",
    ]


def test_a_day_of_which_nothing_is_known_says_so(alice):
    """That is no error: the day is there. What is no day is one."""
    assert "Nothing is known of this day" in alice.get("/feeds/alice/energy/days/20200101").text
    for odd in ("20261332", "2026-11-17", "yesterday", "0"):
        assert alice.get(f"/feeds/alice/energy/days/{odd}").status_code == 404


def test_a_goal_with_several_feeds_has_a_receipt_of_each(serving, alice):
    """Of all of them, or of the one that is named."""
    goal = scenes.feed(serving, 2, "solar", label="roof")
    scenes.feed(serving, 3, "solar", label="shed", goal=goal)
    day = scenes.day(serving, 2, 1, 5.0)
    scenes.day(serving, 3, 1, 6.0)
    both = alice.get(f"/feeds/alice/solar/days/{day}").text
    one = alice.get(f"/feeds/alice/solar:shed/days/{day}").text
    assert both.count("<pre") == 2
    assert both.count('action="/feeds/alice/solar:roof/pin"') == 1
    assert one.count("<pre") == 1
    assert "solar:shed on" in one


def test_it_offers_the_pin_or_its_end(serving, alice):
    """Whichever of the two changes something."""
    day = scenes.day(serving, 1, 1, 5.0, pinned=True)
    other = scenes.day(serving, 1, 2, 5.0)
    assert 'action="/feeds/alice/energy/unpin"' in alice.get(f"/feeds/alice/energy/days/{day}").text
    assert 'action="/feeds/alice/energy/pin"' in alice.get(f"/feeds/alice/energy/days/{other}").text


def test_words_of_others_are_text(serving, alice):
    """A note, a comment, an error."""
    day = scenes.day(serving, 1, 1, 5.0, note=HOSTILE, comment=HOSTILE, error=HOSTILE)
    send(serving, day, error=HOSTILE, comment=HOSTILE)
    scenes.change(serving, Feed, 1, params={"x": HOSTILE})
    scenes.change(serving, User, 1, timezone="No/Where")
    response = alice.get(f"/feeds/alice/energy/days/{day}")
    # The day can't be placed in a zone that nobody knows: not found, and no traceback.
    assert response.status_code == 404
    scenes.change(serving, User, 1, timezone=None)
    assert_runs_only_ours(alice.get(f"/feeds/alice/energy/days/{day}").text)
