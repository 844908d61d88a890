"""Promises of what a process is built from."""

import pytest
from sqlalchemy import inspect

from db.engine import Ledger
from tasks.runtime import Options
from worker import runtime, settings


@pytest.fixture
def load(tmp_path):
    """Settings of a home in a folder of the test's own."""

    def load(**given):
        return settings.load({"WAGGLE_HOME": str(tmp_path), **given}, None)

    return load


def test_every_start_has_a_name_of_its_own():
    """A process id comes round again; the name of a lease's holder does not."""
    assert len({runtime.name() for _ in range(100)}) == 100


def test_an_empty_database_is_migrated(load):
    """A worker that is the first to start finds its tables."""
    found = load()
    with runtime.build(found, ring=lambda *_: True) as rt:
        assert inspect(rt.ledger.engine).has_table("feed")
        assert rt.slots.total == runtime.SLOTS
        assert "bemserver" in rt.providers
        assert rt.vault.decrypt(rt.vault.encrypt("x")) == "x"


def test_what_was_opened_is_closed(load, monkeypatch):
    """Nothing stays open when the block ends, also by an error."""
    closed = []
    close = Ledger.close
    monkeypatch.setattr(Ledger, "close", lambda self: (closed.append(self), close(self)))

    seen = []

    def fail():
        with runtime.build(load(), ring=lambda *_: True) as rt:
            seen.append(rt)
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        fail()

    assert seen[0].http.is_closed
    assert closed == [seen[0].ledger]


def test_settings_reach_the_tasks(load):
    """Each setting that decides what tasks do is handed on; none falls back to its default."""
    given = load(
        WAGGLE_BEEMINDER_URL="http://127.0.0.1:1",
        WAGGLE_BEEMINDER_RATE="3.5",
        WAGGLE_BEEMINDER_APP_NAME="bees",
        WAGGLE_HOLD_SECONDS="7",
        WAGGLE_LOOKBACK_DAYS="9",
        WAGGLE_CORRECTIONS="always",
        WAGGLE_RETENTION_DAYS="30",
        WAGGLE_ALLOW_HTTP="1",
    )

    made = runtime.options(given)

    assert made == Options(
        beeminder_url="http://127.0.0.1:1",
        beeminder_rate=3.5,
        app_name="bees",
        hold_seconds=7,
        lookback_days=9,
        corrections="always",
        retention_days=30,
        allow_http=True,
    )
    usual = Options()
    same = [name for name in Options.__slots__ if getattr(made, name) == getattr(usual, name)]
    assert same == [], "a new option of the tasks that no setting reaches?"
