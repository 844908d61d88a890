"""The checks themselves: what is wrong with a page would be found."""

import pytest
from playwright.sync_api import Browser

from tests.browser import access
from tests.browser.conftest import PHONE, Opens

pytestmark = [pytest.mark.browser]

GOOD = (
    "<!doctype html><html lang=en><title>A page</title>"
    "<meta name=viewport content='width=device-width'>"
    "<main><h1>A page</h1><p><a href='/there'>there</a> <button>do</button></p></main>"
)
WRONG = {
    "too pale": (access.violations, "<p style='color:#bbb;background:#fff'>pale</p>"),
    "no label": (access.violations, "<input name=x>"),
    "too wide": (access.too_wide, "<div style='width:500px'>wide</div>"),
    "no focus": (access.unreachable, "<button style='outline:none'>unseen</button>"),
    "no way to it": (access.unreachable, "<button onfocus='this.blur()'>away</button>"),
}


def test_a_good_page_is_good(chrome: Browser) -> None:
    """Nothing is found where nothing is wrong."""
    page = chrome.new_page(viewport=PHONE)
    page.set_content(GOOD)
    found = access.violations(page) + access.too_wide(page) + access.unreachable(page)
    page.close()

    assert not found


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_found(chrome: Browser, what: str) -> None:
    """Each check sees the one mistake that it is for."""
    check, mistake = WRONG[what]
    page = chrome.new_page(viewport=PHONE)
    page.set_content(GOOD.replace("</main>", f"{mistake}</main>"))
    found = check(page)
    page.close()

    assert found


def test_complaints_and_strangers_are_noticed(opens: Opens) -> None:
    """A broken policy, an error, and somebody else who is asked."""
    ours, stranger = "http://ours.test", "http://stranger.test"
    context, watch = opens(ours)
    policy = {"Content-Security-Policy": "script-src 'self'; img-src *"}
    body = f"<script>1</script><img src='{stranger}/x.png'>"
    context.route("**/*", lambda route: route.fulfill(body=body, headers=policy))
    page = context.new_page()
    page.goto(ours)
    page.evaluate("() => console.error('oh')")
    page.wait_for_load_state("networkidle")

    assert watch.strangers == [f"{stranger}/x.png"]
    watch.strangers.clear()
    watch.expect("policy: script-src")
    watch.expect("oh")
    watch.complaints.clear()
