"""A browser is only ever sent to a page of ours."""

import pytest

from webhooks import places


@pytest.mark.parametrize("path", ["/", "/feeds/alice/energy:roof", "/events", "/a%20b"])
def test_pages_of_ours_are_kept(path):
    """Whoever asked for a page comes back to it."""
    assert places.ours(path) == path


@pytest.mark.parametrize(
    "path",
    [
        None,
        "",
        "//evil.test",
        "/\\evil.test",
        "/\t/evil.test",
        "https://evil.test/",
        "/a\r\nSet-Cookie: x=1",
        "javascript:alert(1)",
        "feeds/alice",
        "/" + "a" * 500,
        "/a?b=c",
        "/é",
    ],
)
def test_everything_else_leads_to_the_start(path):
    """Another host, another line, another scheme: none of them is followed."""
    assert places.ours(path) == "/"
    assert places.sign_in(path or "") == "/"
