"""What works on the embedded ledger has to work on PostgreSQL: every test runs on both."""

import pytest


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty ledger."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url
