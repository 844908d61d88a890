"""Addresses of sources: what no client could use is told when it is declared."""

import pytest

from tasks import declare_sources

BROKEN = [
    "https://999.1.1.1/",
    "https://1.2.3.4.5.6..7/",
    "https://münchen..de/",
    "https://a..example.org/v1",
    "https://.example.org/",
    "https://xn--/v1",
    "https://xn--a/",
    "https://xn--ü.example.org/",
    "https://♥.example.org/",
    f"https://{'a' * 64}.example.org/",
    "https://example.org:99999/",
]


@pytest.mark.parametrize("url", BROKEN)
def test_an_address_that_no_client_can_use_is_told(url: str) -> None:
    """It would be stored, and fail with every sync."""
    assert declare_sources.wrong_address(url, allow_http=False) == "is not a well-formed address"


@pytest.mark.parametrize(
    "url",
    [
        "https://bem.example.org",
        "https://bem.example.org./v1",
        "https://münchen.example.org/api",
        "https://xn--mnchen-3ya.example.org:8443/",
        "https://under_score.example.org/",
        "https://192.0.2.7/",
        "https://[2001:db8::1]:8443/",
        "http://127.0.0.1:5000",
    ],
)
def test_an_address_that_clients_can_use_is_fine(url: str) -> None:
    """In other alphabets, as an address, with a port."""
    assert declare_sources.wrong_address(url, allow_http=False) is None
