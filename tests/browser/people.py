"""What people do in a browser, step by step, as they would."""

import re

from playwright.sync_api import Page, expect

from simulators.main import BEMSERVER_PREFIX
from tests.blackbox.house import PASSWORD, House


def sign_in(page: Page, house: House, name: str) -> None:
    """Over Beeminder's consent page, unless this person allowed it before."""
    page.goto(house.url)
    page.get_by_role("link", name="Sign in with Beeminder").click()
    if page.url.startswith(house.server.url):
        page.get_by_label("Signed in as").select_option(name)
        page.get_by_role("button", name="Authorize").click()
    expect(page).to_have_url(f"{house.url}/")
    expect(page.locator(".who")).to_contain_text(name)


def press_refresh(page: Page, house: House, goal: str) -> None:
    """At Beeminder, in a tab of its own; done once Beeminder has its answer."""
    tab = page.context.new_page()
    tab.goto(f"{house.server.url}/{goal}")
    tab.get_by_role("button", name="Refresh").click()
    expect(tab.locator("section", has_text="Calls made").locator("strong").first).to_have_text(
        "200"
    )
    tab.close()


def connect_plant(page: Page, house: House) -> None:
    """Connect the BEMServer of the house as a source, from the list of sources."""
    page.goto(f"{house.url}/sources")
    page.get_by_role("link", name="Connect a source").first.click()
    page.get_by_role("link", name="BEMServer").click()
    page.locator("[name=name]").fill("plant")
    page.locator("[name=url]").fill(house.server.url + BEMSERVER_PREFIX)
    page.locator("[name=email]").fill("alice@example.org")
    page.locator("[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Connect").click()
    shown(page, "BEMServer answers, and the login works")


def link_energy(page: Page, house: House, *, since: str) -> None:
    """Link the goal `energy` to the meter, in five steps; ends on the page of the feed.

    `since` is the first day that is read, as 2026-11-20.
    """
    page.goto(f"{house.url}/link")
    page.get_by_role("link", name="plant").click()
    shown(page, "Main meter")
    page.get_by_role("radio", name="Main meter").check()
    page.get_by_role("button", name="Next: choose a goal").click()
    shown(page, "ask Beeminder again")
    page.get_by_role("link", name="energy", exact=True).click()
    shown(page, "Waggle becomes the goal's data source", "at Beeminder")
    page.locator("[name=since]").fill(since)
    page.get_by_role("button", name="Next: confirm").click()
    shown(page, "The first sync sends")
    page.get_by_role("button", name="Link alice/energy").click()
    shown(page, "alice/energy is linked")


def shown(page: Page, *words: str) -> None:
    """Wait until the page says one of these; where nothing runs it is loaded again, as it says."""
    said = page.locator("main").filter(has_text=re.compile("|".join(map(re.escape, words))))
    expect(said).to_be_visible()


def press(page: Page, button: str, says: str) -> None:
    """Press a button, and read what the next page says of it."""
    page.get_by_role("button", name=button, exact=True).first.click()
    expect(page.locator(".told")).to_contain_text(says)


def take_back(page: Page, house: House, name: str) -> None:
    """Take access away at Beeminder, and wait until that is known here."""
    tab = page.context.new_page()
    tab.goto(house.server.url)
    theirs = tab.locator("section").filter(has=tab.get_by_role("heading", name=name))
    theirs.get_by_role("button", name="De-authorize waggle").click()
    tab.wait_for_load_state()
    tab.close()

    def known() -> bool:
        states = {each["username"]: each["state"] for each in house.json("status")["users"]}
        return states[name] == "deauthorized"

    house.wait(known)
