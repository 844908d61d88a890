"""Addresses of sources: what no client could use is told when it is declared."""

import pytest

from tasks import declare_sources
from tasks.declare_sources import Addresses

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
    assert declare_sources.wrong_address(url) == "is not a well-formed address"


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
    assert declare_sources.wrong_address(url) is None


@pytest.mark.parametrize(
    "url",
    ["https://10.0.0.1/", "https://169.254.169.254/", "https://[fe80::1]/", "https://localhost/"],
)
def test_private_addresses_are_told_where_they_are_refused(url: str) -> None:
    """Whoever declares one reads it then, and who can allow it, not after the first sync."""
    wrong = declare_sources.wrong_address(url, Addresses(private=False)) or ""
    assert "not public" in wrong
    assert "WAGGLE_PRIVATE_ADDRESSES=allow" in wrong
    assert declare_sources.wrong_address(url) is None


def test_this_machine_is_fine_where_waggle_is_only_reached_here() -> None:
    """To try it out with an app and simulators on one machine."""
    here = Addresses(private=False, loopback=True)
    assert declare_sources.wrong_address("http://127.0.0.1:9000/v1", here) is None
    assert declare_sources.wrong_address("https://10.0.0.1/", here) is not None
