"""Linking a source in the browser, from the login link to the datapoint, with real processes."""

import httpx
import pytest

from simulators.main import BIME_PREFIX
from tests.blackbox.house import House

pytestmark = [pytest.mark.blackbox, pytest.mark.timeout(120)]

SECRET = "canary-bime-secret"


def declared(house: House) -> str:
    """The file: dashboards of an account that is linked in the browser."""
    bime = f"{house.server.url}{BIME_PREFIX}"
    file = house.folder / "waggle.toml"
    file.write_text(
        f"""
        [users.alice]
        token = {{ env = "ALICE_TOKEN" }}
        [sources.boards]
        provider = "bime"
        user = "alice"
        url = "{bime}/v2"
        client_id = "app-1"
        client_secret = "{SECRET}"
        oauth_url = "{bime}"
        [feeds."alice/output"]
        source = "boards"
        metric = "dashboards_created"
        """
    )
    return str(file)


def test_a_person_links_their_account_and_it_counts(home: House) -> None:
    """Nothing is read before; after three redirects what waited is synced."""
    state = home.sims.bime.state
    state.add_account("acme", token="canary-other-token")
    state.register_app(
        client_id="app-1",
        client_secret=SECRET,
        redirect_uri=f"{home.url}/bime/callback",
        account="acme",
    )
    state.add("dashboards", name="Sales", at=state.clock() - 60)
    home.run("apply", declared(home))
    home.up()
    home.wait(lambda: home.json("status")["feeds"][0]["state"] == "failing")
    assert "/bime/connect/boards" in home.json("status")["feeds"][0]["last_error"]
    assert "/bime/connect/boards" in home.run("source", "check", "boards", status=1).stderr

    link = home.run("login", "--user", "alice").stdout.strip().splitlines()[-1]
    with httpx.Client(base_url=home.url, follow_redirects=True) as browser:
        browser.get(link)
        there = browser.get("/bime/connect/boards")

    assert [one.status_code for one in there.history] == [302, 302, 303]
    assert there.status_code == 200
    assert "code=" not in str(there.url)
    home.wait(lambda: sum(home.ours("output").values()) == 1.0)
    assert home.json("status")["sources"][0]["state"] == "active"
    assert "Sales" in home.run("source", "check", "boards").stdout
    assert SECRET not in home.log()
    for code in (one.headers["location"] for one in there.history):
        assert code.partition("code=")[2][:16] not in home.log() or "code=" not in code
