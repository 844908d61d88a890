"""The whole way in a browser, with real processes: from a stranger to an operator's replay."""

import time
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from simulators.faults import Fault
from simulators.rime_state import Plan
from tests.blackbox.house import House
from tests.browser import people
from tests.browser.conftest import Opens

DAY = 86400.0

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def test_a_person_signs_in_and_sees_what_lands(page: Page, house: House) -> None:
    """From the consent page to the datapoint that a press on Refresh at Beeminder brings."""
    people.sign_in(page, house, "alice")
    house.grow(3.0)

    people.press_refresh(page, house, "alice/energy")

    page.goto(f"{house.url}/feeds/alice/energy")
    expect(page.locator("table").first).to_contain_text("5.5")


def test_the_whole_way(newcomer: Page, bare: House, opens: Opens) -> None:
    """A stranger signs in, connects, links, sees what lands, decides, pauses, and takes it back."""
    page, house = newcomer, bare
    people.sign_in(page, house, "alice")
    people.connect_plant(page, house)
    yesterday = time.time() - DAY
    meter = house.sims.bemserver.state
    meter.set_values(house.series, [(yesterday, 1.5)], data_state="Clean")
    people.link_energy(
        page, house, since=f"{datetime.fromtimestamp(yesterday - DAY, UTC):%Y-%m-%d}"
    )

    total = house.grow(3.0)
    people.press_refresh(page, house, "alice/energy")
    page.goto(f"{house.url}/feeds/alice/energy")
    today = page.locator("main table tbody tr").first
    expect(today).to_contain_text(f"{total:g}")
    expect(today).to_contain_text("on the goal")
    chart = page.locator("svg.chart")
    expect(chart.locator("title").last).to_contain_text(f"at Beeminder {total:g}")

    people.press(page, "Pause", "paused")
    expect(page.locator("h1")).to_contain_text("paused")
    people.press(page, "Resume", "runs again")

    meter.set_values(house.series, [(yesterday + 60, 3.0)], data_state="Clean")
    people.press_refresh(page, house, "alice/energy")
    page.goto(f"{house.url}/")
    expect(page.locator("main")).to_contain_text("waits for you")
    page.goto(f"{house.url}/feeds/alice/energy")
    expect(page.locator("#held")).to_contain_text("4.5")
    people.press(page, "Approve", "approved")
    house.wait(lambda: 4.5 in house.ours().values())

    house.sims.faults.add(Fault(path="/bemserver/", status=403, times=None))
    assert house.sims.beeminder.calls.refresh("alice", "energy").status == 503
    house.sims.faults.clear()
    page.goto(f"{house.url}/events")
    expect(page.locator("main")).to_contain_text("failed")
    _replayed_by_the_operator(house, opens)
    house.wait(lambda: house.json("events")[0]["state"] == "done")
    page.reload()
    expect(page.locator("main table tbody tr").first).to_contain_text("done")

    people.take_back(page, house, "alice")
    page.goto(f"{house.url}/feeds/alice/energy")
    expect(page.get_by_role("link", name="Sign in with Beeminder")).to_be_visible()
    expect(page.locator("body")).not_to_contain_text("energy")


def _replayed_by_the_operator(house: House, opens: Opens) -> None:
    """Olive finds the failed callback in everybody's inbox, ticks it, and confirms."""
    context, _ = opens(house.url, house.server.url)
    page = context.new_page()
    people.sign_in(page, house, "olive")
    page.get_by_role("link", name="Operator").click()
    page.get_by_role("link", name="Inbox").click()
    row = page.locator("main table tbody tr", has_text="alice/energy").first
    expect(row).to_contain_text("failed")
    row.get_by_role("checkbox").check()
    page.get_by_role("button", name="Replay what is ticked…").click()
    page.get_by_role("button", name="Replay 1 event").click()
    expect(page.locator(".told")).to_contain_text("1 event replayed")


def test_whoever_denies_is_told_and_may_come_again(page: Page, house: House) -> None:
    """Beeminder's Deny leads to a page that says that nothing was changed, and on from there."""
    house.sims.beeminder.state.add_user("dora")
    page.goto(house.url)
    page.get_by_role("link", name="Sign in with Beeminder").click()
    page.get_by_label("Signed in as").select_option("dora")
    page.get_by_role("button", name="Deny").click()

    expect(page.locator("main")).to_contain_text("did not allow")
    page.get_by_role("link", name="To the start").click()
    expect(page.get_by_role("link", name="Sign in with Beeminder")).to_be_visible()


def test_what_is_kept_up_to_date_takes_nobodys_focus(page: Page, house: House) -> None:
    """Whoever is at a row with the keyboard is still there after the list has changed."""
    people.sign_in(page, house, "alice")
    row = page.locator("table.feeds tbody tr", has_text="alice/energy")
    row.get_by_role("link").focus()
    before = row.inner_text()

    house.grow(0.75)
    assert house.autofetch().status_code == 200

    expect(row).not_to_have_text(before, use_inner_text=True)
    expect(row.get_by_role("link")).to_be_focused()


def test_a_run_goes_on_before_ones_eyes(page: Page, house: House) -> None:
    """The bar of a run moves and ends without a click, on the page that is open."""
    people.sign_in(page, house, "alice")
    page.goto(f"{house.url}/runs")
    steps, plan = ("extract", "load", "check", "publish"), Plan(rows_per_second=50, seconds=60)
    run = house.sims.rime.state.start_run("orders", steps=steps, plan=plan)
    house.run("run", "watch", "etl", run.id)  # else it is found within half a minute

    row = page.locator("#runs tbody tr", has_text=run.id)
    expect(row).to_contain_text("running")
    bar, seen = row.locator("progress"), set()
    while len(seen) < 3:
        seen.add(bar.get_attribute("value"))
        page.wait_for_timeout(200)
    house.sims.rime.state.finish_run(run, rows=1234)

    expect(row).to_contain_text("completed")
    expect(row).to_contain_text("1,234")
    assert bar.get_attribute("value") == "1"


def test_who_takes_access_away_is_out_at_once(page: Page, house: House) -> None:
    """Beeminder's De-authorize ends the session: what is left is the way to come again."""
    house.sims.beeminder.state.add_user("carol")
    people.sign_in(page, house, "carol")

    people.take_back(page, house, "carol")

    page.goto(f"{house.url}/runs")
    expect(page.get_by_role("link", name="Sign in with Beeminder")).to_be_visible()
    expect(page.locator("body")).not_to_contain_text("carol")


def test_who_leaves_takes_all_along_and_is_forgotten(page: Page, house: House) -> None:
    """A file of everything is saved; then the page waits for the worker, and says goodbye."""
    house.sims.beeminder.state.add_user("erin")
    people.sign_in(page, house, "erin")
    page.goto(f"{house.url}/settings")
    page.get_by_role("link", name="Your data").click()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download").click()
    assert saved.value.suggested_filename == "waggle-erin.json"
    assert '"erin"' in saved.value.path().read_text()

    page.get_by_label("Type “delete everything”").fill("delete everything")
    page.get_by_role("button", name="Delete everything").click()

    expect(page.locator("body")).to_contain_text("Everything that Waggle knew of you is deleted")
    expect(page.get_by_role("link", name="Sign in with Beeminder")).to_be_visible()
    assert "erin" not in {user["username"] for user in house.json("status")["users"]}
