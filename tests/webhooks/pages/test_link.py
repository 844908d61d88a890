"""Linking a goal on pages: five steps that can be gone back, one feed, and one click to undo."""

import contextlib
from urllib.parse import urlencode

import pytest
import sqlalchemy

from db.models_pages import Errand
from tests.webhooks.pages.linking import (
    CHOSEN,
    FOUND,
    GOAL,
    GOALS,
    LINKED,
    PREVIEW,
    SECRET,
    WHOLE,
    answered,
    csrf,
    deeds,
    fill,
    kept,
    operator,
    rows,
    sign_in,
    words,
    work,
)
from webhooks.asking import FRESH_SECONDS


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


def test_the_first_step_shows_ones_sources(alice):
    """Each leads to what it can count."""
    page = alice.get("/link")
    assert "/link/metric?source=plant-alice" in page.text
    assert "bob" not in page.text
    assert page.text.count('aria-current="step"') == 1


def test_what_the_source_has_is_shown_when_it_has_said_so(alice, house):
    """A spinner that looks again, also without script; then series with their units, as text."""
    page = alice.get("/link/metric", params=CHOSEN)
    assert "Asking plant-alice" in words(page)
    assert 'hx-get="/link/metric?source=plant-alice' in page.text
    assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in page.text
    assert len(rows(house, Errand)) == 1
    alice.get("/link/metric", params=CHOSEN)
    assert len(rows(house, Errand)) == 1
    work(house, FOUND)
    page = alice.get("/link/metric", params=CHOSEN)
    assert "in kWh, 17" in words(page)
    assert "Roof &lt;b&gt;" in page.text
    assert 'name="p.timeseries" value="17" checked' in page.text
    assert "hx-trigger" not in page.text


def test_what_went_wrong_can_be_tried_again(alice, house):
    """The reason and a button, which asks once more and not twice."""
    alice.get("/link/metric", params=CHOSEN)
    failed = work(house, error="the source is away")
    page = alice.get("/link/metric", params=CHOSEN)
    assert "the source is away." in words(page)
    again = f"again={failed.id}"
    assert again in page.text
    for _ in range(2):
        alice.get("/link/metric", params=CHOSEN | {"again": failed.id})
    assert len(rows(house, Errand)) == 2


def test_a_limit_is_told_with_its_end(alice, house):
    """And that no worker has come, where that is so."""
    alice.get("/link/metric", params=CHOSEN)
    with house.ledger.write() as session:
        errand = session.get_one(Errand, rows(house, Errand)[0].id)
        errand.deferrals, errand.due_at = 1, house.clock.now() + 90
        session.add(errand)
    assert "it waits until" in words(alice.get("/link/metric", params=CHOSEN))
    house.clock.at += 91
    assert "No worker has come" in words(alice.get("/link/metric", params=CHOSEN))


def test_an_answer_is_asked_for_again_when_it_is_old(alice, house):
    """Goals that were made since are there then."""
    answered(house, alice, "/link/goal", CHOSEN, GOALS)
    house.clock.at += FRESH_SECONDS + 1
    assert "Asking Beeminder" in words(alice.get("/link/goal", params=CHOSEN))


def test_parameters_that_do_not_fit_are_told_at_their_step(alice, house):
    """Beside the field, with what was chosen."""
    page = answered(house, alice, "/link/goal", CHOSEN | {"p.timeseries": "x"}, FOUND)
    assert page.status_code == 422
    assert "campaign" in words(page)
    assert 'action="/link/goal"' in page.text


def test_goals_say_who_feeds_them(alice, house):
    """Those that are fed are marked; the choices of before are in every address."""
    page = answered(house, alice, "/link/goal", CHOSEN, GOALS)
    told = words(page)
    assert "energy Sun 5 kWh now fed by plant-alice" in told
    assert "p.timeseries=17" in page.text.partition("goal=output")[0].rpartition("href=")[2]


def test_many_goals_are_searched(alice, house):
    """By slug or title; a page stays small."""
    many = [GOAL | {"slug": f"goal-{number:03}"} for number in range(400)]
    page = answered(house, alice, "/link/goal", CHOSEN, GOALS | {"goals": many})
    assert len(page.content) < 30_000
    assert "352 more" in words(page)
    page = alice.get("/link/goal", params=CHOSEN | {"q": "goal-399"})
    assert page.text.count("goal-399</a>") == 1
    assert "goal-000" not in page.text


def test_the_preview_shows_both_and_what_would_happen(alice, house):
    """Days as chart and table, warnings, whose place is taken; and a way on with all choices."""
    page = answered(house, alice, "/link/preview", WHOLE, PREVIEW)
    told = words(page)
    for text in ("2.5 kWh", "1.25 (1 not by Waggle)", "sends 2.5", "The units differ.",
                 "'fitbit' feeds this goal now"):  # fmt: skip
        assert text in told
    assert '<svg class="chart"' in page.text
    assert 'name="p.timeseries" value="17"' in page.text
    assert 'value="2026-11-17"' in page.text


def test_the_first_day_is_today_unless_another_is_chosen(alice, house):
    """Nobody's past is written over by default."""
    page = alice.get("/link/preview", params=CHOSEN | {"goal": "output"})
    assert 'value="2026-11-18"' in page.text
    assert rows(house, Errand)[0].params["since"] == "20261118"


def test_what_is_wrong_with_the_schedule_is_told(alice, house):
    """All of it, on the page where it is chosen."""
    page = alice.get("/link/confirm", params=WHOLE | {"since": "soon", "every": "1s"})
    assert page.status_code == 422
    assert "such as 2026-11-01" in words(page)
    assert page.text.count('aria-invalid="true"') == 2


def test_confirming_makes_one_errand(alice, house):
    """However often it is sent: one link, one deed; the page after it waits and then goes on."""
    told = words(answered(house, alice, "/link/confirm", WHOLE, PREVIEW))
    assert "The first sync sends 1 day: 2.5 for 2026-11-22." in told
    assert "Waggle replaces 'fitbit' as the data source." in told
    token = csrf(alice, f"/link/confirm?{urlencode(WHOLE)}")
    for _ in range(2):
        response = alice.post("/link", data={"csrf": token, **WHOLE})
        assert response.headers["Location"] == "/feeds/alice/output/link?then=feed"
    links = [errand for errand in rows(house, Errand) if errand.kind == "link"]
    assert len(links) == 1
    assert links[0].params["params"]["timeseries"] == 17
    assert (links[0].params["since"], links[0].params["every"]) == ("20261117", 900.0)
    assert deeds(house) == [("alice", "feed.link", "alice/output")]
    page = alice.get("/feeds/alice/output/link?then=feed")
    assert "Asking Beeminder" in words(page)
    work(house, LINKED)
    page = alice.get("/feeds/alice/output/link?then=feed")
    assert page.headers["Location"] == "/feeds/alice/output"
    told = words(alice.get("/feeds/alice/output/link"))
    assert "alice/output is linked" in told
    assert "Undo" in told
    assert SECRET not in kept(house)


def test_a_form_that_is_not_ours_links_nothing(alice, house):
    """403, and no errand."""
    assert alice.post("/link", data=WHOLE).status_code == 403
    for action in ("unlink", "manual", "relink", "undo"):
        assert alice.post(f"/feeds/alice/energy/{action}", data={}).status_code == 403
    assert rows(house, Errand) == []


def test_anothers_source_and_goal_do_not_exist(alice, house):
    """By query, by form, by address."""
    token = csrf(alice, "/sources/alice/plant-alice")
    for step in ("metric", "goal", "preview", "confirm"):
        theirs = WHOLE | {"source": "plant-bob"}
        assert alice.get(f"/link/{step}", params=theirs).status_code == 404
        assert alice.get(f"/link/{step}", params=WHOLE | {"user": "bob"}).status_code == 404
    sent = {"csrf": token, **WHOLE}
    assert alice.post("/link", data=sent | {"user": "bob"}).status_code == 404
    assert alice.post("/link", data=sent | {"source": "plant-bob"}).status_code == 404
    for action in ("unlink", "manual", "relink", "undo"):
        path = f"/feeds/bob/energy/{action}"
        assert alice.post(path, data={"csrf": token}).status_code == 404
    assert alice.get("/feeds/bob/energy/link").status_code == 404
    assert alice.get("/feeds/bob/energy/preview").status_code == 404
    assert rows(house, Errand) == []
    assert deeds(house) == []


def test_an_operator_links_for_somebody(house):
    """Chosen first, and in every address after that."""
    chief = operator(house)
    assert "For whom?" in words(chief.get("/link"))
    page = chief.get("/link", params={"user": "bob"})
    assert "/link/metric?user=bob&amp;source=plant-bob" in page.text
    whole = WHOLE | {"user": "bob", "source": "plant-bob"}
    token = csrf(chief, "/sources/bob/plant-bob")
    response = chief.post("/link", data={"csrf": token, **whole})
    assert response.headers["Location"] == "/feeds/bob/output/link?then=feed"
    assert deeds(house) == [("operator", "feed.link", "bob/output")]
    assert rows(house, Errand)[0].user_id == 2


def test_a_house_with_one_person_asks_nobody(serving):
    """An operator who is nobody at Beeminder links for the only one that there is."""
    fill(serving, names=("alice",))
    page = operator(serving).get("/link")
    assert "For whom?" not in page.text
    assert "plant-alice" in page.text


def test_too_many_errands_are_refused_in_words(alice, house):
    """A person who opens everything at once is told to wait, by a 503 that says when."""
    for number in range(12):
        alice.get("/link/preview", params=WHOLE | {"goal": f"goal{number}"})
    response = alice.get("/link/preview", params=WHOLE)
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "too_many_errands"


def test_a_choice_that_is_none_is_refused(alice, house):
    """Control characters and whole books are no choices."""
    for odd in ("a\nb", "x" * 401):
        assert alice.get("/link/metric", params=CHOSEN | {"goal": odd}).status_code == 400
    assert rows(house, Errand) == []


def test_pages_ask_a_fixed_number_of_questions(alice, house):
    """However many goals and days there are."""
    answered(house, alice, "/link/goal", CHOSEN, GOALS | {"goals": [GOAL] * 300})
    asked = []
    sqlalchemy.event.listen(
        house.ledger.engine, "before_cursor_execute", lambda *given: asked.append(given[2])
    )
    alice.get("/link/goal", params=CHOSEN)
    assert len([text for text in asked if "SELECT" in text]) <= 8
