"""What may be asked of BM Parts: a list of paths, since a GET is no proof of harmlessness there.

`GET /company/callback` orders a phone call, and searches are written into the firm's history. So
each path is named; what is not named here can't be asked for, and neither can any POST.

https://developer.bm.parts/api/v2/overview.html
"""

import re
from collections.abc import Sequence

Route = tuple[str, re.Pattern[str]]

_UUID = "(?:[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{32})"
DOCUMENT_TYPE = re.compile("[0-9A-Fa-f]{8}")

# Answers of one piece each.
_PLAIN = (
    "documents/filters/dates",
    "documents/filters/groups",
    "documents/filters/types",
    "finance/contracts/list",
    "finance/currencies/list",
    "finance/currencies/rates",
    "finance/currencies/rates/history",
    "profile/bound_clients",
    "profile/me",
    "reports/terms",
    "returns/causes",
    "shopping/carts",
    "shopping/carts/count",
)
# The same, and they take a `period`.
_OF_A_PERIOD = ("documents/grouped", "reports/brands_turnover", "reports/reconciliation")
# Lists that may come in pages.
_LISTS = (
    "documents/list",
    "profile/history",
    "return_products/reclamations",
    "return_products/returns",
    "returns/products",
    "shopping/reserves",
)
_SINGLE = (
    f"documents/{DOCUMENT_TYPE.pattern}/{_UUID}",
    f"documents/reclamation/{_UUID}",
    f"finance/contract/(?:default|{_UUID})",
)

ROUTES: Sequence[Route] = (
    *(("GET", re.compile(re.escape(path))) for path in (*_PLAIN, *_OF_A_PERIOD, *_LISTS)),
    *(("GET", re.compile(path)) for path in _SINGLE),
)
PERIOD_PATHS = tuple(f"/{path}" for path in _OF_A_PERIOD)
"""Documents of one piece that are about a period, as people write them."""


def may_be_read(path: str) -> bool:
    """Can this path (with its slash) be asked for?"""
    bare = path.removeprefix("/")
    return path.startswith("/") and any(pattern.fullmatch(bare) for _, pattern in ROUTES)


def named() -> tuple[str, ...]:
    """Every path without an id in it, sorted, for people."""
    return tuple(sorted(f"/{path}" for path in (*_PLAIN, *_OF_A_PERIOD, *_LISTS)))
