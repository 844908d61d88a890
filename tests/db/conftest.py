"""What works on the embedded ledger has to work on PostgreSQL: every test runs on both."""

import pytest

from db.engine import Ledger
from db.models import Feed, Goal, Source, User


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty ledger."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def linked(ledger: Ledger) -> None:
    """alice/energy with two feeds of one source, 1 and 2."""
    with ledger.write() as session:
        session.add(User(id=1, username="alice"))
        session.flush()
        session.add(Source(id=1, user_id=1, name="plant", provider="bemserver"))
        session.add(Goal(id=1, user_id=1, slug="energy", declared_slug="energy"))
        session.flush()
        for number, label in ((1, ""), (2, "roof")):
            session.add(Feed(id=number, goal_id=1, source_id=1, label=label, metric="m"))
