"""Linking a source in the browser: by its owner, where it began, and once."""

from urllib.parse import parse_qs, urlsplit

import pytest

from db.models import LoginLink, Source, User
from webhooks.services import Identity, ServiceError

SECONDS = 600
BACK = "http://waggle.test/bime/callback"


@pytest.fixture
def boards(serving) -> dict[str, int]:
    """Ids of the sources: alice's and bob's boards, alice's plant, bob's own."""
    found = {}
    with serving.ledger.write() as session:
        for number, name in enumerate(("alice", "bob"), start=1):
            session.add(User(id=number, beeminder_id=f"u{number}", username=name))
        session.flush()
        for user, name, provider in (
            (1, "boards", "bime"),
            (1, "plant", "bemserver"),
            (2, "boards", "bime"),
            (2, "bobs", "bime"),
        ):
            source = Source(user_id=user, name=name, provider=provider)
            session.add(source)
            session.flush()
            found[f"{user} {name}"] = source.id
    return found


def sign_in(serving, who: str = "alice") -> None:
    """As the pages do it: through Beeminder."""
    number = {"alice": "u1", "bob": "u2"}[who]
    serving.services.people["t"] = Identity(number, who, "UTC")
    location = serving.client.get("/beeminder/connect").headers["Location"]
    state = parse_qs(urlsplit(location).query)["state"][0]
    serving.client.get("/beeminder/callback", params={"state": state, "access_token": "t"})


def begin(serving, path: str = "/bime/connect/boards") -> dict[str, str]:
    """Go out to the vendor; what it is told."""
    response = serving.client.get(path)
    assert response.status_code == 302, response.text
    query = parse_qs(urlsplit(response.headers["Location"]).query)
    return {name: values[0] for name, values in query.items()}


def back(serving, **query: str):
    """The way back."""
    return serving.client.get("/bime/callback", params=query)


def test_the_owner_comes_back_with_a_code_and_it_is_taken(serving, boards):
    """Out with our address and a state of this browser's, back to a clean page."""
    sign_in(serving)
    serving.services.woken = 2
    serving.bell.rung.clear()
    asked = begin(serving)
    assert asked["source"] == str(boards["1 boards"])
    assert asked["redirect_uri"] == BACK
    assert len(asked["state"]) >= 32

    response = back(serving, state=asked["state"], code="c-1")

    assert (response.status_code, response.headers["Location"]) == (303, "/")
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert "no-store" in response.headers["Cache-Control"]
    assert serving.services.linked == [(boards["1 boards"], "c-1", BACK)]


def test_what_waited_goes_on_at_once(serving, boards, until):
    """Feeds that had failed for want of a link are synced without waiting for a schedule."""
    sign_in(serving)
    serving.services.woken = 2
    serving.bell.rung.clear()

    back(serving, state=begin(serving)["state"], code="c-1")

    until(lambda: ("sync", "default") in serving.bell.rung)


def test_a_way_back_works_once(serving, boards):
    """The state is gone with its cookie."""
    sign_in(serving)
    state = begin(serving)["state"]
    back(serving, state=state, code="c-1")

    assert back(serving, state=state, code="c-2").status_code == 400
    assert len(serving.services.linked) == 1


@pytest.mark.parametrize(
    "how", ["no state", "another state", "late", "signed out", "somebody else", "no cookie"]
)
def test_a_way_back_that_did_not_begin_here_leads_nowhere(serving, boards, how):
    """A code that somebody else had sent to this browser is not taken."""
    sign_in(serving)
    query = {"state": begin(serving)["state"], "code": "c-1"}
    if how == "no state":
        del query["state"]
    elif how == "another state":
        query["state"] = "x" * 43
    elif how == "late":
        serving.clock.at += SECONDS
    elif how == "signed out":
        serving.client.cookies.delete("waggle_session")
    elif how == "somebody else":
        sign_in(serving, "bob")
    else:
        serving.client.cookies.delete("waggle_source_link")

    response = back(serving, **query)

    assert response.status_code == 400
    assert "Nothing was changed" in response.text
    assert serving.services.linked == []


def test_other_peoples_sources_do_not_exist(serving, boards):
    """As no page shows them; a source of a provider without this way does not either."""
    sign_in(serving)
    for path in (
        "/bime/connect/bobs",
        "/bime/connect/none",
        "/bime/connect/plant",
        "/bemserver/connect/plant",
        "/other/connect/boards",
        "/other/callback",
    ):
        assert serving.client.get(path).status_code == 404, path


def test_the_same_name_is_ones_own(serving, boards):
    """Bob gets his boards, not those of alice."""
    sign_in(serving, "bob")
    assert begin(serving)["source"] == str(boards["2 boards"])


def test_who_is_not_signed_in_is_asked_to(serving, boards):
    """Nobody is sent to the vendor without somebody whose link it would be."""
    response = serving.client.get("/bime/connect/boards")
    assert (response.status_code, response.headers["Location"]) == (303, "/")


def test_an_operator_links_for_others_where_the_name_is_one_persons(serving, boards):
    """Of two sources of one name an operator who owns neither can't mean one."""
    with serving.ledger.write() as session:
        session.add(
            LoginLink(secret_hash=serving.vault.fingerprint("once"), username="", expires_at=9e12)
        )
    serving.client.get("/login/once")

    asked = begin(serving, "/bime/connect/bobs")
    assert asked["source"] == str(boards["2 bobs"])
    assert back(serving, state=asked["state"], code="c-1").status_code == 303
    assert serving.client.get("/bime/connect/boards").status_code == 404


def test_whoever_refuses_is_told_that_nothing_was_changed(serving, boards):
    """A person who thinks better of it has done nothing wrong."""
    sign_in(serving)
    response = back(serving, state=begin(serving)["state"], error="access_denied")
    assert response.status_code == 200
    assert "nothing was changed" in response.text
    assert serving.services.linked == []


def test_what_the_vendor_says_is_shown_as_text(serving, boards):
    """It comes in the address: anybody may have written it."""
    sign_in(serving)
    response = back(
        serving,
        state=begin(serving)["state"],
        error="server_error",
        error_description="<script>alert(1)</script>",
    )
    assert response.status_code == 400
    assert "<script>alert" not in response.text


@pytest.mark.parametrize(
    "code", ["", "a b", "x" * 2049, "\n"], ids=["none", "space", "long", "line"]
)
def test_a_code_that_can_be_none_is_not_sent_on(serving, boards, code):
    """Nothing that a browser brings goes to the vendor unseen."""
    sign_in(serving)
    assert back(serving, state=begin(serving)["state"], code=code).status_code == 400
    assert serving.services.linked == []


@pytest.mark.parametrize(("transient", "status"), [(True, 503), (False, 400)])
def test_an_exchange_that_fails_says_why(serving, boards, transient, status):
    """Down is to be tried again, refused is to be linked again; the old link stands."""
    sign_in(serving)
    state = begin(serving)["state"]
    serving.services.error = ServiceError("x", "Bime said no", transient=transient)
    response = back(serving, state=state, code="c-1")
    assert response.status_code == status
    assert "Bime said no" in response.text


def test_a_source_that_is_not_linked_this_way_says_so(serving, boards):
    """Its file names a key: there is nothing to allow."""
    sign_in(serving)
    serving.services.error = ServiceError("not_linkable", "its file names a key", transient=False)
    response = serving.client.get("/bime/connect/boards")
    assert response.status_code == 409
    assert "its file names a key" in response.text
