"""Pages of sources: one's own, every mistake at once, and never a secret on any of them."""

import contextlib

import pytest
import sqlalchemy

from db import sources
from db.models import Source
from db.models_pages import Errand
from tests.webhooks.pages.linking import (
    SECRET,
    csrf,
    deeds,
    fill,
    kept,
    operator,
    rows,
    send,
    sign_in,
    stop,
    words,
    work,
)  # fmt: skip

NEW = "/sources/new/bemserver"
GOOD = {
    "name": "Roof",
    "url": "https://roof.example.org/api/v0",
    "email": "alice@example.org",
    "password": SECRET,
}
MINE = "/sources/alice/plant-alice"


@pytest.fixture
def house(serving):
    """Alice and Bob, each with a source that feeds a goal."""
    fill(serving)
    return serving


@pytest.fixture
def alice(house):
    """Alice's browser."""
    with contextlib.closing(sign_in(house)) as client:
        yield client


def test_nothing_yet_says_what_to_do(serving):
    """An empty list leads to the first source."""
    fill(serving, names=("alice",))
    stop(serving, 1)
    with serving.ledger.write() as session:
        session.connection().execute(sqlalchemy.text("DELETE FROM feed"))
        session.connection().execute(sqlalchemy.text("DELETE FROM source"))
    with contextlib.closing(sign_in(serving)) as alice:
        assert "No source yet" in alice.get("/sources").text
        assert 'href="/sources/new"' in alice.get("/sources").text


def test_one_sees_ones_own(alice):
    """Name, system, account and use; of Bob not a trace, and of no secret either."""
    told = words(alice.get("/sources"))
    for text in ("plant-alice", "BEMServer", "alice@x.org at bem.example.org/api/v0", "works"):
        assert text in told
    assert "bob" not in told
    assert SECRET not in alice.get(MINE).text


def test_what_is_anothers_does_not_exist(alice, house):
    """Answered like what nobody has, by every route."""
    theirs, none = "/sources/bob/plant-bob", "/sources/carol/plant"
    assert alice.get(theirs).status_code == alice.get(none).status_code == 404
    assert alice.get(theirs).text == alice.get(none).text
    token = csrf(alice, MINE)
    for path in ("", "/check", "/remove"):
        sent = {"csrf": token, **GOOD}
        assert alice.post(theirs + path, data=sent).status_code == 404
    assert alice.post(NEW, data={**GOOD, "csrf": token, "user": "bob"}).status_code == 404
    assert rows(house, Errand) == []
    assert len(rows(house, Source)) == 2


@pytest.mark.parametrize("path", [NEW, MINE, f"{MINE}/check", f"{MINE}/remove"])
def test_a_form_that_is_not_ours_does_nothing(alice, house, path):
    """Without the token of this session: 403, and all is as it was."""
    assert alice.post(path, data=GOOD).status_code == 403
    assert rows(house, Errand) == []
    assert len(rows(house, Source)) == 2
    assert deeds(house) == []


def test_each_kind_has_a_form(alice, house):
    """A card and a form for every provider, generated."""
    told = words(alice.get("/sources/new"))
    for form in house.services.providers():
        assert form.title in told
        page = alice.get(f"/sources/new/{form.name}").text
        for field in form.fields:
            assert f'name="{field.name}"' in page
    assert "http://waggle.test/bime/callback" in alice.get("/sources/new/bime").text
    assert alice.get("/sources/new/nothing").status_code == 404


def test_a_new_source_is_stored_and_checked(alice, house, until):
    """One source, one errand, one deed; the page shows how it goes, and no row has the secret."""
    response = send(alice, NEW, **GOOD)
    assert response.headers["Location"] == "/sources/alice/roof"
    row = next(row for row in rows(house, Source) if row.name == "roof")
    assert (row.user_id, row.public_only) == (1, True)
    assert sources.credentials(row, house.vault) == {"password": SECRET}
    until(lambda: ("errands", "urgent") in house.bell.rung)
    page = alice.get("/sources/alice/roof")
    assert "Asking BEMServer" in words(page)
    assert 'hx-trigger="every 1s"' in page.text
    assert '<noscript><meta http-equiv="refresh"' in page.text
    assert work(house, {"provider": "BEMServer"}).kind == "check"
    page = alice.get("/sources/alice/roof")
    assert "the login works" in words(page)
    assert "hx-trigger" not in page.text
    assert deeds(house) == [("alice", "source.connect", "source roof of alice")]
    assert SECRET not in kept(house) + page.text


def test_a_check_that_fails_says_why(alice, house):
    """And can be made again."""
    send(alice, f"{MINE}/check", MINE)
    work(house, error="BEMServer refused the login")
    assert "It does not work. BEMServer refused the login." in words(alice.get(MINE))
    send(alice, f"{MINE}/check", MINE)
    assert len(rows(house, Errand)) == 2


def test_all_mistakes_at_once_beside_their_fields(alice, house):
    """What was typed stays, save for the secret; nothing is stored."""
    response = send(alice, NEW, name="a b", url="ftp://x", email="", password=SECRET)
    assert response.status_code == 422
    assert response.text.count('aria-invalid="true"') == 3
    assert 'value="ftp://x"' in response.text
    assert SECRET not in response.text
    assert len(rows(house, Source)) == 2
    taken = send(alice, NEW, **(GOOD | {"name": "plant-alice"}))
    assert "another source of yours" in words(taken)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/api/v0", "https://localhost/api/v0", "https://10.1.2.3/api/v0"]
)
def test_private_addresses_are_for_operators(alice, house, url):
    """A person may not have Waggle ask this machine or its network; who runs it may."""
    refused = send(alice, NEW, **(GOOD | {"url": url}))
    assert refused.status_code == 422
    assert "not public" in words(refused)
    assert len(rows(house, Source)) == 2
    if not url.startswith("https://10"):
        chief = operator(house)
        send(chief, NEW, f"{NEW}?user=alice", **(GOOD | {"url": url, "user": "alice"}))
        assert [row.public_only for row in rows(house, Source)] == [False, False, False]


def test_a_secret_left_empty_is_kept(alice, house):
    """Changed settings are told and checked; a changed address wants its secret again."""
    new = {"url": "https://bem.example.org/api/v0", "email": "new@x.org", "password": ""}
    assert send(alice, MINE, **new).status_code == 303
    row = rows(house, Source)[0]
    assert row.settings["email"] == "new@x.org"
    assert sources.credentials(row, house.vault) == {"password": SECRET}
    assert deeds(house) == [("alice", "source.change", "source plant-alice of alice")]
    moved = send(alice, MINE, **(new | {"url": "https://evil.example.org/api/v0"}))
    assert moved.status_code == 422
    assert "enter this again" in words(moved)
    assert rows(house, Source)[0].settings["url"] == "https://bem.example.org/api/v0"
    again = send(alice, MINE, **new)
    assert again.status_code == 303
    assert len(deeds(house)) == 1


def test_a_source_in_use_is_not_removed(alice, house):
    """It says which feed uses it; once that is unlinked its credentials go, and the rest stays."""
    assert "Unlink first: alice/energy" in words(alice.get(MINE))
    send(alice, f"{MINE}/remove", MINE)
    assert len(rows(house, Source)) == 2
    assert deeds(house) == []
    stop(house, 1)
    send(alice, f"{MINE}/remove", MINE)
    assert rows(house, Source)[0].credentials_cipher is None
    assert deeds(house) == [("alice", "source.empty", "source plant-alice of alice")]


def test_a_source_without_feeds_is_removed(alice, house):
    """With its credentials; its page is gone then."""
    send(alice, NEW, **GOOD)
    work(house, {})
    response = send(alice, "/sources/alice/roof/remove", "/sources/alice/roof")
    assert response.headers["Location"] == "/sources"
    assert len(rows(house, Source)) == 2
    assert alice.get("/sources/alice/roof").status_code == 404


def test_bime_may_be_linked_in_the_browser(alice, house):
    """The page leads to the vendor; nothing is checked before that."""
    response = send(
        alice, "/sources/new/bime", name="boards", client_id="app", client_secret=SECRET,
        oauth_url="https://acme.bimeapp.com", url="https://api.bimeapp.com/v2",
    )  # fmt: skip
    page = alice.get(response.headers["Location"])
    assert 'href="/bime/connect/boards"' in page.text
    assert rows(house, Errand) == []
    assert SECRET not in page.text


def test_an_operator_chooses_for_whom(house):
    """And sees everybody's."""
    chief = operator(house)
    told = words(chief.get("/sources"))
    assert "plant-alice of alice" in told
    assert "plant-bob of bob" in told
    assert "For whom?" in words(chief.get("/sources/new"))
    send(chief, NEW, f"{NEW}?user=bob", user="bob", **GOOD)
    assert [row.user_id for row in rows(house, Source) if row.name == "roof"] == [2]
    assert deeds(house)[0][0] == "operator"


def test_a_thousand_sources_are_paged(serving):
    """Fifty on a page, in order, by a fixed number of queries."""
    fill(serving, names=("alice",))
    with serving.ledger.write() as session:
        session.add_all(
            Source(user_id=1, name=f"s{number:04}", provider="rime") for number in range(1000)
        )
    asked = []
    with contextlib.closing(sign_in(serving)) as alice:
        engine = serving.ledger.engine
        sqlalchemy.event.listen(engine, "before_cursor_execute", lambda *a: asked.append(a[2]))
        first = alice.get("/sources")
        assert len(first.content) < 30_000
        assert first.text.count("<tr>") == 51
        after = first.text.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0]
        second = alice.get(after.replace("&amp;", "&"))
        assert "s0049" in second.text
        assert "s0048<" not in second.text
    assert len([text for text in asked if "SELECT" in text]) <= 2 * 4
