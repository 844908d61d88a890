"""Finding a PostgreSQL: one that runs, a private one, or one clear line."""

import psycopg
import pytest

from simulators import postgres

NOBODY_LISTENS = 1


def test_without_any_it_says_in_one_line_what_to_install(tmp_path):
    """No server and no programs: NoPostgres with one line, and nothing is written."""
    with (
        pytest.raises(postgres.NoPostgres) as raised,
        postgres.server(tmp_path, port=NOBODY_LISTENS, folders=[tmp_path]),
    ):
        pass
    assert "apt install postgresql" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.services
def test_a_private_one_asks_for_its_password_and_goes(tmp_path):
    """A private server lets nobody in without its password and is gone after the block."""
    if postgres.programs() is None:
        pytest.skip("a private PostgreSQL needs `initdb`, which is not installed")
    with postgres.server(tmp_path, port=NOBODY_LISTENS) as connection:
        with postgres.database(connection, prefix="waggle_test") as name:
            assert name.startswith("waggle_test_")
            with psycopg.connect(f"{connection} dbname={name}") as session:
                assert session.execute("SELECT 1").fetchone() == (1,)
        with pytest.raises(psycopg.OperationalError, match="does not exist"):
            psycopg.connect(f"{connection} dbname={name}")
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(f"{connection} password=guess")
    with pytest.raises(psycopg.OperationalError, match="refused"):
        psycopg.connect(connection)
    assert not list(tmp_path.iterdir())
