"""What works on the embedded ledger has to work on PostgreSQL: every test runs on both."""

import pytest

from tests.tasks.scenes import TODAY, YESTERDAY
from tests.world import World


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty ledger."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def landed(world: World) -> None:
    """Two days of the world's feed are at Beeminder, and nothing is under way."""
    world.work()
    assert world.values() == {TODAY: 2.5, YESTERDAY: 7.0}
    world.rung.clear()
