"""Migrating on PostgreSQL: two processes at once take turns, and both find the tables."""

from collections.abc import Iterator

import pytest

from db import schema
from db.engine import Ledger
from simulators import postgres
from tests.services import postgresql
from tests.tasks.scenes import at_once

pytestmark = pytest.mark.services


@pytest.fixture
def new_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a database without tables."""
    home = tmp_path_factory.mktemp("new")
    with (
        postgresql.running(home) as connection,
        postgres.database(connection, prefix="waggle_test") as name,
    ):
        yield postgresql.url_of(connection, name)


def test_processes_that_migrate_at_once_take_turns(new_url: str) -> None:
    """Four processes start together on an empty database: one migrates, none fails."""

    def migrate(_number: int) -> bool:
        ledger = Ledger(new_url)
        try:
            return schema.migrate(ledger) is not None
        finally:
            ledger.close()

    assert sorted(at_once(4, migrate)) == [False, False, False, True]
