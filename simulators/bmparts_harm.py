"""Calls of BM Parts that order, reserve, ship, claim or change something: they really do it here.

The simulator is as lenient about a path as the laxest server in front of it might be: doubled and
trailing slashes, dots, capitals and percent signs are no protection.
"""

import posixpath
import re
from urllib.parse import unquote

# From the vendor's list of calls, as (methods, pattern of the path).
_HARMFUL: tuple[tuple[str, str], ...] = (
    ("GET", "company/callback"),
    ("POST", "company/callback"),
    ("POST", "processing/sync"),
    ("POST", "processing/reserve/process"),
    ("POST", "shopping/reserve/process"),
    ("POST PUT PATCH DELETE", "shopping/carts?(/.*)?"),
    ("POST PUT PATCH DELETE", "shopping/cart_products(/.*)?"),
    ("DELETE", "shopping/reserves?(/.*)?"),
    ("POST", "returns/(request|notify)"),
    ("POST PUT PATCH DELETE", "claims(/.*)?"),
    ("POST", "profile/(masq|change_warehouse)"),
    ("POST PUT PATCH DELETE", "delivery(/.*)?"),
    ("GET POST", "search(/.*)?"),
)


def plain(path: str) -> str:
    """A path without a slash at its ends, as the laxest server would read it."""
    text = path
    for _ in range(3):
        text = unquote(text)
    text = text.split("?")[0].split("#")[0].split(";")[0].replace("\\", "/").strip()
    return posixpath.normpath(re.sub("/+", "/", f"/{text}")).strip("/").lower()


def is_done_by(method: str, path: str) -> bool:
    """Does this call change the world?"""
    found = plain(path)
    return any(
        method.upper() in methods.split() and re.fullmatch(pattern, found)
        for methods, pattern in _HARMFUL
    )
