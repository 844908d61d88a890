"""One's own data on a page: all of it in a file, all of it gone, and nothing of anybody else."""

import json

import pytest
from sqlmodel import select

from db import errands, persons
from db.models import User
from db.models_pages import Deed, Errand
from db.states import ErrandKind
from tests.webhooks import belongings, visitors
from webhooks.pages import own_data

PATH = own_data.PATH
STILL = {"still_set": [["energy", "Beeminder: it did not answer"]]}
TYPED = {"words": "Delete  everything"}


@pytest.fixture
def alice(serving):
    """Her browser; Bob has things too."""
    with serving.ledger.write() as session:
        for number, name in enumerate(("alice", "bob")):
            belongings.give(
                session, serving.vault, name, now=serving.clock.now(), id_prefix=str(number)
            )
    with visitors.browser(serving) as client:
        visitors.connect(serving, client, "alice")
        yield client


def send(client, path, **fields):
    """Send a form of the page."""
    return client.post(path, data={"csrf": visitors.token(client), **fields})


def asked(serving):
    """What workers are asked to do about somebody who leaves."""
    with serving.ledger.read() as session:
        found = select(Errand).where(Errand.kind == ErrandKind.LEAVE).order_by(Errand.id)
        return session.exec(found).all()


def answer(serving, told):
    """A worker has tried, and this was in the way."""
    with serving.ledger.write() as session:
        held = errands.claim(session, owner="w", now=serving.clock.now())
        assert errands.finish(session, held, told, serving.clock.now())


def let_go(serving, name="alice"):
    """A worker has deleted everything."""
    with serving.ledger.write() as session:
        user = session.exec(select(User).where(User.username == name)).one()
        persons.remove(session, user)


def test_the_file_is_all_of_ones_own(serving, alice):
    """To be saved under a name, kept by nobody in between, and kept in mind that it was made."""
    got = send(alice, f"{PATH}/export")

    assert got.headers["content-type"] == "application/json"
    assert got.headers["content-disposition"] == 'attachment; filename="waggle-alice.json"'
    assert got.headers["cache-control"] == "no-store"
    found = json.loads(got.content)
    assert found["person"] == "alice"
    assert [row["username"] for row in found["user"]] == ["alice"]
    assert "bob" not in got.text
    assert "cipher" not in got.text
    assert [deed["action"] for deed in found["deed"]][-1] == "person.export"


def test_who_stands_in_the_operators_file_is_told(serving, alice):
    """Else they would be made anew by the next `waggle apply`, and wonder."""
    assert "operator's file" not in alice.get(PATH).text
    with serving.ledger.write() as session:
        user = session.exec(select(User).where(User.username == "alice")).one()
        user.declared_username = "alice"
        session.add(user)
    assert "operator's file" in alice.get(PATH).text


def test_no_room_for_the_file_is_said(serving, alice, monkeypatch):
    """What, where and what next; no half a document."""

    class Full:
        """A file on a disk that is full."""

        def write(self, _piece):
            raise OSError(28, "No space left on device")

        def close(self):
            """Nothing to close."""

    monkeypatch.setattr(own_data.tempfile, "TemporaryFile", Full)
    got = send(alice, f"{PATH}/export")
    assert got.status_code == 503
    assert "No space left on device" in got.text


@pytest.mark.parametrize("typed", ["", "delete", "everything"])
def test_nothing_goes_by_mistake(serving, alice, typed):
    """Only the words themselves are a yes."""
    got = send(alice, f"{PATH}/leave", words=typed)
    assert got.status_code == 422
    assert "nothing is deleted" in got.text
    assert asked(serving) == []


def test_leaving_is_handed_to_a_worker(serving, alice, until):
    """Once, however often it is asked for; the page looks on, and it is kept who asked."""
    for _ in range(2):
        assert send(alice, f"{PATH}/leave", **TYPED).headers["location"] == PATH
    assert [errand.params for errand in asked(serving)] == [{"anyhow": False}]
    until(lambda: ("errands", "urgent") in serving.bell.rung)
    shown = alice.get(PATH).text
    assert "You are leaving" in shown
    assert f'hx-get="{PATH}"' in shown
    with serving.ledger.read() as session:
        deeds = session.exec(select(Deed).where(Deed.action == "person.leave")).all()
    assert [(deed.actor, deed.subject) for deed in deeds] == [("alice", "alice")]


def test_what_is_in_the_way_is_shown_and_may_be_passed_over(serving, alice):
    """Which goal, why, and a tick to go all the same."""
    assert 'name="anyhow"' not in alice.get(PATH).text
    send(alice, f"{PATH}/leave", **TYPED)
    answer(serving, STILL)

    shown = alice.get(PATH).text
    assert "Nothing is deleted yet" in shown
    assert "alice/energy: Beeminder: it did not answer" in shown
    assert 'name="anyhow"' in shown
    send(alice, f"{PATH}/leave", **TYPED, anyhow="yes")
    assert sorted(errand.params["anyhow"] for errand in asked(serving)) == [False, True]


def test_a_typing_error_hides_nothing(serving, alice):
    """What is in the way is still shown, and what was ticked still is; nothing is asked for."""
    send(alice, f"{PATH}/leave", **TYPED)
    answer(serving, STILL)
    got = send(alice, f"{PATH}/leave", words="delete", anyhow="yes")

    assert got.status_code == 422
    assert "nothing is deleted: type" in got.text
    assert "alice/energy: Beeminder: it did not answer" in got.text
    assert 'name="anyhow" value="yes" checked' in got.text
    assert len(asked(serving)) == 1


def test_who_leaves_already_is_not_asked_to_type_again(serving, alice):
    """A second window that mistypes shows how far the first one is."""
    send(alice, f"{PATH}/leave", **TYPED)
    assert send(alice, f"{PATH}/leave", words="delete").headers["location"] == PATH
    assert "You are leaving" in alice.get(PATH).text


def test_what_failed_is_told(serving, alice):
    """A try that was given up says why, and the form is there again."""
    send(alice, f"{PATH}/leave", **TYPED)
    with serving.ledger.write() as session:
        held = errands.claim(session, owner="w", now=serving.clock.now())
        errands.fail(session, held, "nobody came to it", serving.clock.now())
    shown = alice.get(PATH).text
    assert "nobody came to it" in shown
    assert "Delete everything</button>" in shown


@pytest.mark.parametrize("path", [PATH, "/", "/feeds/alice/energy"])
def test_who_has_left_is_told_so_wherever_they_look(serving, alice, path):
    """Their session is over; the front page says it once, with what is left to them."""
    let_go(serving)
    gone = alice.get(path)
    assert (gone.status_code, gone.headers["location"]) == (303, "/")
    front = alice.get("/")
    assert "Everything that Waggle knew of you is deleted" in front.text
    assert "Sign in" in front.text
    assert "is deleted" not in alice.get("/").text


def test_the_page_that_looks_on_goes_to_the_front_page(serving, alice):
    """The part of it that is asked for each second finds no session."""
    let_go(serving)
    gone = alice.get(PATH, headers=visitors.HTMX)
    assert (gone.status_code, gone.headers["hx-redirect"]) == (204, "/")


def test_others_and_strangers_are_not_told_that(serving, alice):
    """Who never was here, or took the access away, is asked to sign in."""
    let_go(serving)
    with visitors.browser(serving) as stranger:
        assert "is deleted" not in stranger.get(PATH, follow_redirects=True).text
        visitors.connect(serving, stranger, "bob")
        assert stranger.get(PATH).status_code == 200


def test_an_operator_who_is_nobody_has_nothing_here(serving):
    """They are shown the commands; there is nothing to save and nobody to delete."""
    with visitors.browser(serving) as client:
        visitors.open_link(serving, client)
        assert "waggle person export" in client.get(PATH).text
        assert send(client, f"{PATH}/export").status_code == 404
        assert send(client, f"{PATH}/leave", **TYPED).status_code == 404
