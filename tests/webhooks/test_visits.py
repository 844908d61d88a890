"""Visits: who may come, that a form is ours, and where a browser is sent."""

import pytest
from sqlmodel import select
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse

from db.models import LoginLink, User
from db.models_pages import Deed
from webhooks import routes, visits
from webhooks.services import Identity
from webhooks.visits import Access


def hello(visit):
    """Who came."""
    return PlainTextResponse(f"hello {visit.viewer.username}")


def act(visit):
    """Do something and say so."""
    with visit.receiver.ledger.write() as session:
        visit.did(session, "greet", visit.text("whom"), user_id=7, loud=True)
    return visit.go("/events", say="Greeted", kind="warn")


@pytest.fixture
def serving(serve, monkeypatch):
    """A receiver with pages of the test beside its own."""
    mine = (
        visits.page("/mine", hello),
        visits.page("/theirs", hello, access=Access.OPERATOR),
        visits.form("/mine/act", act),
    )
    monkeypatch.setattr(routes, "ROUTES", (*mine, *routes.ROUTES))
    return serve()


@pytest.fixture
def alice(serving):
    """Alice's browser, and the token of her forms."""
    with serving.ledger.write() as session:
        session.add(User(id=1, beeminder_id="u1", username="alice"))
    serving.services.people["t"] = Identity("u1", "alice", "Europe/Berlin")
    location = serving.client.get("/beeminder/connect").headers["Location"]
    serving.client.get(
        "/beeminder/callback",
        params={"state": location.partition("state=")[2], "access_token": "t"},
    )
    return serving.client


def token(client):
    """What our own forms carry."""
    return client.get("/").text.partition('name="csrf" value="')[2].partition('"')[0]


def deeds(serving):
    """What is kept of what was done."""
    with serving.ledger.read() as session:
        return [(row.actor, row.action, row.subject) for row in session.exec(select(Deed))]


def test_strangers_are_brought_back_to_the_page_that_they_asked_for(serving, alice):
    """To the front page, from there to Beeminder, and back to where they wanted to be."""
    alice.cookies.clear()
    front = alice.get("/mine").headers["Location"]
    assert front == "/?next=%2Fmine"
    assert 'href="/beeminder/connect?next=/mine"' in alice.get(front).text

    location = alice.get("/beeminder/connect?next=/mine").headers["Location"]
    back = alice.get(
        "/beeminder/callback",
        params={"state": location.partition("state=")[2], "access_token": "t"},
    )

    assert back.headers["Location"] == "/mine"


def test_what_is_for_operators_does_not_exist_for_others(serving, alice):
    """Answered like a page that nobody made."""
    other, none = alice.get("/theirs"), alice.get("/nothing")

    assert other.status_code == none.status_code == 404
    assert other.text == none.text
    assert alice.get("/mine").text == "hello alice"


def test_operators_come_in(serving, alice):
    """With the link of the command line."""
    with serving.ledger.write() as session:
        session.add(
            LoginLink(secret_hash=serving.vault.fingerprint("x"), username="", expires_at=9e12)
        )
    alice.cookies.clear()
    alice.get("/login/x")

    assert alice.get("/theirs").text == "hello operator"


@pytest.mark.parametrize("given", [None, "", "made-up", "other"])
def test_a_form_that_is_not_ours_does_nothing(serving, alice, given):
    """Without the token of this very session: refused, and nothing is changed."""
    if given == "other":
        given = token(alice)[:-1]
    data = {"whom": "bob"} | ({} if given is None else {"csrf": given})

    assert alice.post("/mine/act", data=data).status_code == 403
    assert deeds(serving) == []


def test_a_stranger_can_send_no_form(serving, alice):
    """A token without its session is worth nothing."""
    csrf = token(alice)
    alice.cookies.clear()

    assert alice.post("/mine/act", data={"csrf": csrf, "whom": "bob"}).status_code == 303
    assert deeds(serving) == []


def test_a_form_leads_on_and_is_told_once(serving, alice):
    """By GET to another page, which says what was done; the deed is kept with its author."""
    done = alice.post("/mine/act", data={"csrf": token(alice), "whom": "bob"})

    assert (done.status_code, done.headers["Location"]) == (303, "/events")
    assert '<p class="told warn" role="status">Greeted</p>' in alice.get("/events").text
    assert "Greeted" not in alice.get("/events").text
    assert deeds(serving) == [("alice", "greet", "bob")]


def test_htmx_is_sent_on_as_well(serving, alice):
    """A part of a page can't be redirected: the whole page is told to go."""
    done = alice.post(
        "/mine/act", data={"csrf": token(alice), "whom": "bob"}, headers={"HX-Request": "true"}
    )

    assert (done.status_code, done.headers["HX-Redirect"]) == (204, "/events")


def test_what_is_missing_in_a_form_is_named(serving, alice):
    """A page for browsers, JSON for programs; both say which field it is."""
    csrf = token(alice)
    told = alice.post("/mine/act", data={"csrf": csrf}, headers={"Accept": "text/html"})

    assert told.status_code == 400
    assert "whom is missing" in told.text
    assert "<h1>" in told.text
    assert alice.post("/mine/act", data={"csrf": csrf}).json()["error"]["details"] == {
        "field": "whom"
    }


def test_every_page_says_who_may_come():
    """No address of a page is left to chance: each is guarded, or one of the doors."""
    assert all(isinstance(route, visits.PageRoute) for route in routes.PAGES)
    assert isinstance(Starlette(routes=routes.ROUTES), Starlette)
