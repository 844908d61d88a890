"""Every call of the BM Parts client, and a client of a scripted vendor."""

import httpx

from clients.bmparts import BmpartsClient

KEY = "5a1f0b9e-canary-key.0123456789abcdef"
NOON = 1_795_176_000.0  # 20 November 2026, 12:00 UTC
DAY = 86400.0
CALLS = {
    "profile": lambda client: client.profile(),
    "document_types": lambda client: client.document_types(),
    "documents": lambda client: client.documents(NOON, NOON + DAY),
    "count_reserves": lambda client: client.count_reserves(),
    "count_carts": lambda client: client.count_carts(),
    "searches": lambda client: client.searches(NOON),
    "document": lambda client: client.document("/reports/terms"),
    "document_of_a_day": lambda client: client.document(
        "/reports/reconciliation", start=NOON, end=NOON + DAY
    ),
}


def client_of(http: httpx.Client, url: str = "http://bm.test", **more) -> BmpartsClient:
    """A client with a key that must never be seen."""
    return BmpartsClient(http=http, base_url=url, api_key=KEY, **more)


def rows(*numbers: int) -> list[dict[str, str]]:
    """Documents with these numbers for ids."""
    return [{"document_uuid": f"d-{number}"} for number in numbers]


def page_of(found: list, name: str = "documents") -> httpx.Response:
    """A page of a list."""
    return httpx.Response(200, json={name: found})
