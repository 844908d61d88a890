"""What is linked can be undone, unlinked and given back by its owner, and previewed."""

import contextlib

import pytest

from db.models import Feed
from db.models_pages import Errand
from tests.webhooks.pages.linking import (
    LINKED,
    PREVIEW,
    WHOLE,
    answered,
    csrf,
    deeds,
    fill,
    rows,
    send,
    sign_in,
    stop,
    words,
    work,
)


@pytest.fixture
def house(serve):
    """Alice and Bob, each with a source that feeds a goal; an app is registered."""
    serving = serve(app_name="waggle")
    fill(serving)
    return serving


@pytest.fixture
def alice(house):
    """Alice's browser."""
    with contextlib.closing(sign_in(house)) as client:
        yield client


@pytest.mark.parametrize(
    ("action", "kind", "deed"),
    [
        ("unlink", "unlink", "feed.unlink"),
        ("manual", "manual", "feed.manual"),
        ("relink", "link", "feed.relink"),
    ],
)
def test_what_is_linked_can_be_changed(alice, house, action, kind, deed):
    """One errand about the goal, one deed, and a page that tells what came of it."""
    send(alice, f"/feeds/alice/energy/{action}", "/feeds/alice/energy/link")
    errand = rows(house, Errand)[0]
    assert (errand.kind, errand.goal_id) == (kind, 1)
    assert errand.params == {"name": "alice/energy", "label": None}
    assert deeds(house) == [("alice", deed, "alice/energy")]
    work(house, LINKED | {"feed": "alice/energy", "said": [], "failed": ["it was refused"]})
    assert "Not done: it was refused." in words(alice.get("/feeds/alice/energy/link"))


def test_undo_is_for_the_last_link_and_for_an_hour(alice, house):
    """Nothing to undo, undone, or too late: it says so, and does nothing."""
    page = "/feeds/alice/energy/link"
    assert "no link to undo" in words(
        alice.get(send(alice, "/feeds/alice/energy/undo", page).headers["Location"])
    )
    send(alice, "/feeds/alice/energy/relink", page)
    work(house, LINKED | {"feed": "alice/energy"})
    assert 'action="/feeds/alice/energy/undo"' in alice.get("/feeds/alice/energy").text
    house.clock.at += 1
    send(alice, "/feeds/alice/energy/undo", page)
    assert work(house, LINKED | {"feed": "alice/energy"}).kind == "undo"
    assert 'action="/feeds/alice/energy/undo"' not in alice.get(page).text
    house.clock.at += 10
    send(alice, "/feeds/alice/energy/relink", page)
    work(house, LINKED | {"feed": "alice/energy"})
    house.clock.at += 3601
    assert 'action="/feeds/alice/energy/undo"' not in alice.get(page).text


def test_undo_takes_back_what_was_linked_and_no_more(alice, house):
    """A feed without a label beside one that has one: the other goes on."""
    with house.ledger.write() as session:
        session.get_one(Feed, 1).label = "roof"
    token = csrf(alice, "/sources/alice/plant-alice")
    alice.post("/link", data={"csrf": token, **WHOLE, "goal": "energy"})
    work(house, LINKED | {"feed": "alice/energy"})
    house.clock.at += 1
    alice.post("/feeds/alice/energy/undo", data={"csrf": token})
    undone = next(errand for errand in rows(house, Errand) if errand.kind == "undo")
    assert undone.params == {"name": "alice/energy", "label": ""}


def test_a_feed_that_runs_has_a_preview(alice, house):
    """Of that feed; one that is stopped has none."""
    page = answered(house, alice, "/feeds/alice/energy/preview", {}, PREVIEW)
    assert "sends 2.5" in words(page)
    assert rows(house, Errand)[0].params == {"feed_id": 1}
    stop(house, 1)
    assert alice.get("/feeds/alice/energy/preview").status_code == 404
