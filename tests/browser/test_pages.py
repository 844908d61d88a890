"""Every page in both themes, on a desk and on a phone: whether everybody can use it."""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet
from playwright.sync_api import Page

from bench import pages_world
from db.engine import Ledger
from db.vault import Vault
from tests.browser import access
from tests.browser.conftest import DESK, PHONE, Opens
from tests.webhooks import answers, belongings, samples, visitors
from tests.webhooks.conftest import Serving, starting
from tests.webhooks.samples import Look
from webhooks.visits import Access

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

FEEDS = 60  # more than stand on one page
LOOKS = samples.looks()
THEMES = ("light", "dark")


@dataclass(frozen=True)
class Place:
    """A receiver with a ledger that holds something of every kind, and who is signed in how."""

    serving: Serving
    names: dict[str, str]
    cookies: dict[str, list[Any]]

    def address(self, look: Look) -> str:
        """Where this page is, with what alice has."""
        return self.serving.url + look.address(self.names)


def cookies(serving: Serving, client: httpx.Client) -> list[dict[str, str]]:
    """What a browser has to bring to be who this one is."""
    return [
        {"name": cookie.name, "value": cookie.value or "", "url": serving.url}
        for cookie in client.cookies.jar
    ]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, _migrated: bytes) -> Iterator[Place]:
    """The receiver of all tests of this module; they only look."""
    path = tmp_path_factory.mktemp("pages") / "waggle.db"
    path.write_bytes(_migrated)
    with (
        contextlib.closing(Ledger(f"sqlite:///{path}")) as ledger,
        starting(ledger, Vault([Fernet.generate_key().decode()])) as start,
        contextlib.ExitStack() as stack,
    ):
        serving = start()
        gate = belongings.mark(serving.vault, pages_world.GATE)
        names = {"gate": gate} | pages_world.fill(ledger, feeds=FEEDS, now=serving.clock.now())
        clients = {
            who: stack.enter_context(visitors.browser(serving))
            for who in ("stranger", "alice", "operator")
        }
        visitors.connect(serving, clients["alice"], "alice")
        visitors.open_link(serving, clients["operator"])
        for look in LOOKS:
            clients["alice"].get(look.address(names))  # some ask a vendor
        with serving.ledger.write() as session:
            assert answers.give(session, serving.clock.now())
        yield Place(
            serving, names, {who: cookies(serving, client) for who, client in clients.items()}
        )


def shown(place: Place, opens: Opens, look: Look, who: str = "", **options: Any) -> Page:
    """The page, open; whoever may see it, looks."""
    who = who or ("operator" if look.route.access is Access.OPERATOR else "alice")
    context, _ = opens(place.serving.url, **options)
    context.add_cookies(place.cookies[who])
    page = context.new_page()
    answer = page.goto(place.address(look))
    assert answer is not None
    assert answer.status == 200
    return page


def of_pages(test: Any) -> Any:
    """A test of each page."""
    return pytest.mark.parametrize("look", LOOKS, ids=[each.name for each in LOOKS])(test)


@pytest.mark.parametrize("theme", THEMES)
@of_pages
def test_everybody_can_read_and_use_a_page(
    chrome: object, place: Place, opens: Opens, look: Look, theme: str
) -> None:
    """axe-core finds nothing, on a desk or on a phone, and a phone never scrolls sideways."""
    page = shown(place, opens, look, color_scheme=theme)
    found = access.violations(page)
    page.set_viewport_size(PHONE)
    found += access.violations(page) + access.too_wide(page)

    assert not found, "\n".join(found)


@of_pages
def test_the_keyboard_comes_to_everything(
    chrome: object, place: Place, opens: Opens, look: Look
) -> None:
    """Tab reaches all that can be acted upon, and shows where it is."""
    for size in (DESK, PHONE):
        found = access.unreachable(shown(place, opens, look, viewport=size))
        assert not found, "\n".join(found)


@of_pages
def test_without_script_a_page_says_the_same(
    chrome: object, place: Place, opens: Opens, look: Look
) -> None:
    """Whoever lets no script run reads all words that others read."""
    words = []
    for script in (False, True):
        page = shown(place, opens, look, java_script_enabled=script)
        texts = page.locator("main > :not([role=status])").all_inner_texts()
        words.append(set(re.findall("[a-z]{3,}", " ".join(texts).lower())))
    without, with_script = words

    assert len(without) > 3
    assert not with_script - without
