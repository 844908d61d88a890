"""A browser, and pages in it that are watched: a test that passes left no complaint."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from simulators.main import RIME_HOST, RIME_PREFIX
from tests.blackbox.house import House
from tests.browser import chromium
from tests.browser.watching import Watch

PATIENCE_MS = 20_000
RIME_KEY = "canary-rime-key"
PHONE = {"width": 360, "height": 740}
DESK = {"width": 1200, "height": 900}


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    """One Chromium for a module; each test has a context of its own.

    The driver's event loop counts as running in this thread until it ends, so it must be gone
    before a module comes whose tests run a loop of their own.
    """
    program = chromium.path()
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=chromium.arguments())
        yield browser
        browser.close()
    assert asyncio._get_running_loop() is None


Opens = Callable[..., tuple[BrowserContext, Watch]]


@pytest.fixture
def opens(chrome: Browser) -> Iterator[Opens]:
    """Make a context that is watched, as `Watch` says. All are quiet at the end."""
    made: list[tuple[BrowserContext, Watch]] = []

    def open_one(ours: str, *others: str, **options: Any) -> tuple[BrowserContext, Watch]:
        context = chrome.new_context(
            **({"viewport": DESK, "locale": "en-GB", "timezone_id": "Europe/Paris"} | options)
        )
        context.set_default_timeout(PATIENCE_MS)
        watch = Watch(context, ours=ours, others=others)
        made.append((context, watch))
        return context, watch

    yield open_one
    for context, _ in made:
        context.close()
    for _, watch in made:
        watch.quiet()


def furnished(house: House) -> House:
    """Alice's goals and a plant, as in every house; a shop whose runs are followed; olive."""
    house.sims.beeminder.state.add_user("olive")
    rime = house.sims.rime.state
    rime.add_key(RIME_KEY)
    rime.add_project("shop")
    rime.add_connector("shop", "orders")
    return house


def shop(house: House) -> str:
    """The part of the file that has the runs of the shop followed."""
    socket = house.server.url.replace("http://", "ws://")
    return f"""
        [sources.etl]
        provider = "rime"
        user = "alice"
        url = "{house.server.url}{RIME_PREFIX}"
        project = "shop"
        api_key = "{RIME_KEY}"
        progress_url = "{socket}{RIME_HOST}/live/{{run}}"
        progress_poll = "2s"
        [feeds."alice/output"]
        source = "etl"
        metric = "rows_extracted"
        params = {{ connector = "orders" }}
        every = "1d"
        """


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, chrome: Browser) -> Iterator[House]:
    """A running Waggle on the embedded default, for a module, with a declared file."""
    with House(tmp_path_factory.mktemp("house"), WAGGLE_OPERATORS="olive") as made:
        furnished(made)
        made.run("apply", str(made.declare("energy", text=shop(made))))
        made.up()
        yield made


@pytest.fixture
def page(opens: Opens, house: House) -> Page:
    """An empty page of somebody who never was here, beside a running Waggle."""
    context, _ = opens(house.url, house.server.url)
    return context.new_page()


@pytest.fixture
def bare(tmp_path: Path, chrome: Browser) -> Iterator[House]:
    """A running Waggle that nobody has declared anything to; sources of loopback are allowed."""
    settings = {"WAGGLE_OPERATORS": "olive", "WAGGLE_PRIVATE_ADDRESSES": "allow"}
    with House(tmp_path, **settings) as made:
        furnished(made)
        state = made.sims.beeminder.state
        state.change_goal("alice", "energy", autodata=None, goal_type="drinker", yaw=-1, dir=1)
        made.up()
        yield made


@pytest.fixture(params=[True, False], ids=["with script", "without script"])
def newcomer(request: pytest.FixtureRequest, opens: Opens, bare: House) -> Page:
    """An empty page of somebody who never was there, who lets scripts run or does not."""
    context, _ = opens(bare.url, bare.server.url, java_script_enabled=request.param)
    return context.new_page()
