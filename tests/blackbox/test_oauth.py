"""A person connects by Beeminder's consent page, and takes it back."""

import re
import sqlite3
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from simulators.main import BEMSERVER_PREFIX
from tests.blackbox.house import SECRET, TOKEN, House

pytestmark = [pytest.mark.blackbox, pytest.mark.timeout(180)]

HIDDEN = re.compile(r'<input type=hidden name="([a-z_]+)" value="([^"]*)">')


@pytest.fixture
def browser(shared: House) -> Iterator[httpx.Client]:
    """A browser of somebody who never was here."""
    with httpx.Client(base_url=shared.url, timeout=20) as made:
        yield made


def consent_page(shared: House, browser: httpx.Client) -> dict[str, str]:
    """Begin at our page and come to Beeminder's; the fields of its form."""
    begun = browser.get("/beeminder/connect")
    assert begun.status_code == 302
    assert begun.headers["location"].startswith(f"{shared.server.url}/apps/authorize?")
    page = browser.get(begun.headers["location"])
    assert page.status_code == 200
    return dict(HIDDEN.findall(page.text))


def decide(shared: House, browser: httpx.Client, decision: str, username: str) -> str:
    """Press a button on the consent page; the address of the way back to us."""
    form = consent_page(shared, browser) | {"username": username, "decision": decision}
    pressed = browser.post(f"{shared.server.url}/apps/authorize", data=form)
    assert pressed.status_code == 302
    return pressed.headers["location"]


def people(shared: House) -> dict[str, str]:
    """Users and their states."""
    return {user["username"]: user["state"] for user in shared.json("status")["users"]}


def test_a_person_connects_and_is_signed_in(shared: House, browser: httpx.Client) -> None:
    """From our button over the consent to a page of one's own; no token is left in any address."""
    shared.sims.beeminder.state.add_user("carol")
    back = decide(shared, browser, "authorize", "carol")
    token = shared.sims.beeminder.state.users["carol"].app_tokens["waggle"]
    assert token in back

    landed = browser.get(back)

    assert (landed.status_code, landed.headers["location"]) == (303, "/")
    assert landed.headers["referrer-policy"] == "no-referrer"
    assert landed.headers["cache-control"] == "no-store"
    assert token not in landed.text + str(landed.headers)
    home = browser.get("/")
    assert "carol" in home.text
    assert "alice" not in home.text
    assert people(shared)["carol"] == "active"
    assert token not in shared.log()


def test_who_the_query_says_it_is_does_not_count(shared: House, browser: httpx.Client) -> None:
    """The username in the address is a claim; the token tells whose it is."""
    shared.sims.beeminder.state.add_user("mallory")
    back = decide(shared, browser, "authorize", "mallory")

    browser.get(back.replace("username=mallory", "username=alice"))

    assert "mallory" in browser.get("/").text


def test_a_denial_changes_nothing(shared: House, browser: httpx.Client) -> None:
    """A page says so; nobody is linked or signed in."""
    shared.sims.beeminder.state.add_user("dora")
    back = decide(shared, browser, "deny", "dora")

    page = browser.get(back)

    assert page.status_code == 200
    assert "did not allow" in page.text
    assert "dora" not in people(shared)
    assert "waggle_session" not in browser.cookies


def test_another_browsers_answer_is_refused(shared: House, browser: httpx.Client) -> None:
    """A state that this browser was not given, a changed one, or none: 400, nothing linked."""
    shared.sims.beeminder.state.add_user("eve")
    back = decide(shared, browser, "authorize", "eve")
    state = parse_qs(urlsplit(back).query)["state"][0]

    with httpx.Client() as other:
        answers = [other.get(back)]
    answers += [
        browser.get(back.replace(state, state[:-1] + "_")),
        browser.get(back.replace(f"state={state}", "x=y")),
    ]

    assert [answer.status_code for answer in answers] == [400, 400, 400]
    assert "eve" not in people(shared)


def test_a_token_that_beeminder_does_not_know_is_refused(
    shared: House, browser: httpx.Client
) -> None:
    """Whoever makes up a way back is told, and nobody is made of it."""
    before = people(shared)
    state = consent_page(shared, browser)["state"]

    answer = browser.get(
        "/beeminder/callback", params={"state": state, "access_token": "x" * 40, "username": "zoe"}
    )

    assert answer.status_code == 400
    assert people(shared) == before


def test_taking_access_away_stops_everything(shared: House, browser: httpx.Client) -> None:
    """Beeminder says that the app was removed: feeds stop, callbacks are 404, the token is gone."""
    state = shared.sims.beeminder.state
    state.add_user("bob")
    state.add_goal("bob", "steps", kyoom=True, aggday="sum", autodata="waggle")
    browser.get(decide(shared, browser, "authorize", "bob"))
    declared = shared.declare("energy")
    text = declared.read_text() + (
        f'[users.bob]\n[sources.roof]\nprovider = "bemserver"\nuser = "bob"\n'
        f'url = "{shared.server.url}{BEMSERVER_PREFIX}"\nemail = "alice@example.org"\n'
        f'password = {{ env = "PLANT_PASSWORD" }}\n'
        f'[feeds."bob/steps"]\nsource = "roof"\nmetric = "timeseries_aggregate"\n'
        f"params = {{ timeseries = {shared.series} }}\n"
    )
    declared.write_text(text)
    shared.run("apply", str(declared))
    calls = shared.sims.beeminder.calls
    assert calls.refresh("bob", "steps").status == 200

    result = calls.deauthorize("bob", app="waggle")

    assert result.status == 200
    shared.wait(lambda: people(shared)["bob"] == "deauthorized")
    feeds = {feed["feed"]: feed["state"] for feed in shared.json("status")["feeds"]}
    assert feeds["bob/steps"] == "stopped"
    assert feeds["alice/energy"] == "active"
    assert calls.refresh("bob", "steps").status == 404
    with sqlite3.connect(f"file:{shared.folder}/home/waggle.db?mode=ro", uri=True) as ledger:
        rows = ledger.execute("SELECT token_cipher, token_hash FROM user WHERE username = 'bob'")
        assert rows.fetchall() == [(None, None)]
    ledger.close()
    assert browser.get("/").text.count("bob/steps") <= 1


def test_a_made_up_deauthorization_harms_nobody(shared: House) -> None:
    """The callback is unsigned: a token that lives goes on living; an unknown one is a 200 too."""
    for token in (TOKEN, "never-seen"):
        answer = shared.http.post(f"/beeminder/deauthorized/{SECRET}", data={"access_token": token})
        assert answer.status_code == 200

    shared.grow(0.1)
    assert shared.autofetch().status_code == 200
    assert people(shared)["alice"] == "active"
