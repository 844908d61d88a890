"""Ways to sign in, taken by somebody else: stolen, swapped, planted, replayed, led astray."""

from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from db.models import Source, User
from tests.webhooks import visitors
from tests.webhooks.conftest import Serving
from webhooks.services import Identity

OAUTH, LINK, SESSION = "waggle_oauth", "waggle_source_link", "waggle_session"
STRAY = [
    "//evil.test", "///evil.test", "/\\evil.test", "\\\\evil.test", "https://evil.test",
    "javascript:alert(1)", "/%0d%0aSet-Cookie:a=b\r\nSet-Cookie: a=b", "/a\r\nX: y", "evil.test",
    "/a?next=//evil.test", "/a#//evil.test", "http:evil.test", "/\t/evil.test", "/" + "a" * 500,
    "",
]  # fmt: skip


@pytest.fixture
def two(serving: Serving) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """The browsers of alice, who has boards at Bime, and of mallory; nobody is signed in."""
    with serving.ledger.write() as session:
        for number, name in enumerate(("alice", "mallory"), start=1):
            session.add(User(id=number, beeminder_id=f"u-{name}", username=name))
            session.flush()
            session.add(Source(user_id=number, name="boards", provider="bime"))
    for name in ("alice", "mallory"):
        serving.services.people[f"t-{name}"] = Identity(f"u-{name}", name, "UTC")
    with ExitStack() as stack:
        yield (
            stack.enter_context(visitors.browser(serving)),
            stack.enter_context(visitors.browser(serving)),
        )


def begin(browser: httpx.Client, path: str = "/beeminder/connect", **query: str) -> str:
    """Set out; the state that was given along."""
    answer = browser.get(path, params=query)
    assert answer.status_code == 302
    return parse_qs(urlsplit(answer.headers["Location"]).query)["state"][0]


def back(browser: httpx.Client, state: str, name: str) -> httpx.Response:
    """The way back from Beeminder with somebody's token."""
    return browser.get("/beeminder/callback", params={"state": state, "access_token": f"t-{name}"})


def signed_in(browser: httpx.Client) -> str | None:
    """Whose pages this browser sees."""
    page = browser.get("/settings")
    if page.status_code != 200:
        return None
    return next(name for name in ("alice", "mallory") if name in page.text)


def test_a_stolen_way_back_is_of_no_use_elsewhere(
    serving: Serving, two: tuple[httpx.Client, httpx.Client]
) -> None:
    """The whole address, seen in a log of a proxy: also not for who has begun as well."""
    alice, mallory = two
    state = begin(alice)

    assert back(mallory, state, "alice").status_code == 400
    begin(mallory)
    assert back(mallory, state, "alice").status_code == 400

    assert serving.services.asked == []
    assert signed_in(mallory) is None
    assert back(alice, state, "alice").status_code == 303


def test_nobody_is_signed_in_as_somebody_else(
    serving: Serving, two: tuple[httpx.Client, httpx.Client]
) -> None:
    """Mallory's way back, sent to alice's browser, does not make her work on mallory's account."""
    alice, mallory = two
    back(alice, begin(alice), "alice")
    state = begin(mallory)

    assert back(alice, state, "mallory").status_code == 400
    begin(alice)
    assert back(alice, state, "mallory").status_code == 400

    assert signed_in(alice) == "alice"


def test_a_way_back_is_good_once(serving: Serving, two: tuple[httpx.Client, httpx.Client]) -> None:
    """Replayed in the browser that it was for, at once or after somebody signed out."""
    alice, _ = two
    state = begin(alice)
    back(alice, state, "alice")
    alice.cookies.delete(SESSION)

    assert back(alice, state, "alice").status_code == 400
    assert signed_in(alice) is None


def test_states_are_good_for_what_they_were_made_for(
    serving: Serving, two: tuple[httpx.Client, httpx.Client]
) -> None:
    """One of Beeminder's at Bime's way back, and the other way, under either name of a cookie."""
    alice, _ = two
    back(alice, begin(alice), "alice")
    ours, theirs = begin(alice), begin(alice, "/bime/connect/boards")
    kept = {one.name: one.value or "" for one in alice.cookies.jar}
    serving.services.asked.clear()
    for state in (ours, theirs):
        for oauth, link in ((LINK, OAUTH), (SESSION, SESSION)):
            cookies = {OAUTH: kept[oauth], LINK: kept[link], SESSION: kept[SESSION]}
            header = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
            for path, what in (("/beeminder/callback", "access_token"), ("/bime/callback", "code")):
                answer = httpx.get(
                    f"{serving.url}{path}", params={"state": state, what: "t-alice"}, headers=header
                )
                assert answer.status_code == 400
    assert serving.services.asked == []
    assert serving.services.linked == []


def test_swapped_sessions_link_nothing(
    serving: Serving, two: tuple[httpx.Client, httpx.Client]
) -> None:
    """Mallory's code is not taken for alice's source, whoever's cookies come with it."""
    alice, mallory = two
    for browser, name in ((alice, "alice"), (mallory, "mallory")):
        back(browser, begin(browser), name)
    state = begin(mallory, "/bime/connect/boards")
    stolen = dict(mallory.cookies)
    answers = [alice.get("/bime/callback", params={"state": state, "code": "c-mallory"})]
    alice.cookies.set(LINK, stolen[LINK], path="/bime/callback")
    answers.append(alice.get("/bime/callback", params={"state": state, "code": "c-mallory"}))

    assert [answer.status_code for answer in answers] == [400, 400]
    assert serving.services.linked == []


@pytest.mark.parametrize("planted", ["made-up", "of mallory"])
def test_a_planted_session_is_nobodys(
    serving: Serving, two: tuple[httpx.Client, httpx.Client], planted: str
) -> None:
    """Who signs in gets a new session; what was there before knows nothing of it."""
    alice, mallory = two
    back(mallory, begin(mallory), "mallory")
    fixed = "made-up" if planted == "made-up" else mallory.cookies[SESSION]
    alice.cookies.set(SESSION, fixed, domain="127.0.0.1", path="/")
    old_form = visitors.token(mallory)

    assert back(alice, begin(alice), "alice").status_code == 303

    assert alice.cookies[SESSION] != fixed
    assert signed_in(alice) == "alice"
    assert signed_in(mallory) == "mallory"
    assert alice.post("/logout", data={"csrf": old_form}).status_code == 403
    assert visitors.token(alice) != old_form


@pytest.mark.parametrize("stray", STRAY)
def test_nobody_is_led_astray(
    serving: Serving, two: tuple[httpx.Client, httpx.Client], stray: str
) -> None:
    """Whatever stands in `next`, the way ends at a page of ours, and no header is added."""
    alice, _ = two
    answer = back(alice, begin(alice, next=stray), "alice")

    assert answer.headers["Location"] == "/"
    assert [value.partition("=")[0] for value in answer.headers.get_list("Set-Cookie")] == [
        OAUTH,
        SESSION,
    ]
    assert "evil.test" not in alice.get("/", params={"next": stray}).text


def test_the_way_back_is_not_where_a_header_says(serving: Serving) -> None:
    """Neither Host nor what a proxy could say changes the address that a vendor is told."""
    evil = {"Host": "evil.test", "X-Forwarded-Host": "evil.test", "X-Forwarded-Proto": "javascript"}
    location = serving.client.get("/beeminder/connect", headers=evil).headers["Location"]

    assert "evil" not in location
    assert parse_qs(urlsplit(location).query)["redirect_uri"] == [
        "http://waggle.test/beeminder/callback"
    ]


def test_who_says_no_has_changed_nothing(
    serving: Serving, two: tuple[httpx.Client, httpx.Client]
) -> None:
    """At either vendor; and the denial is no way in for somebody else's browser."""
    alice, mallory = two
    denied = {"error": "access_denied", "error_description": "<b>no</b>"}
    state = begin(alice)
    assert mallory.get("/beeminder/callback", params=denied | {"state": state}).status_code == 400
    page = alice.get("/beeminder/callback", params=denied | {"state": state})
    assert (page.status_code, "<b>no</b>" in page.text) == (200, False)
    assert signed_in(alice) is None
    back(alice, begin(alice), "alice")
    state = begin(alice, "/bime/connect/boards")
    assert mallory.get("/bime/callback", params=denied | {"state": state}).status_code == 400
    page = alice.get("/bime/callback", params=denied | {"state": state})
    assert (page.status_code, "<b>no</b>" in page.text) == (200, False)
    assert serving.services.linked == []
