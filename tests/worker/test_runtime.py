"""Promises of what a process is built from."""

import pytest
from sqlalchemy import inspect

from clients.public import PrivateAddressError
from db.engine import Ledger
from tasks.runtime import Options
from worker import runtime, settings


@pytest.fixture
def load(tmp_path):
    """Settings of a home in a folder of the test's own."""

    def load(**given):
        return settings.load({"WAGGLE_HOME": str(tmp_path), **given}, None)

    return load


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
        WAGGLE_PROGRESS_RUNS="77",
        WAGGLE_PRIVATE_ADDRESSES="refuse",
        WAGGLE_PUBLIC_URL="https://waggle.example.org",
        WAGGLE_ALLOW_HTTP="1",
        WAGGLE_NOTIFY="ntfy://topic",
        WAGGLE_HEARTBEAT_URL="https://beat.example.org/x",
        WAGGLE_CANARY="alice/canary",
        WAGGLE_CALLBACK_SECRETS="first-secret-of-the-path,second-secret-of-the-path",
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
        progress_runs=77,
        private_addresses=False,
        loopback_addresses=False,
        public_url="https://waggle.example.org",
        notify=("ntfy://topic",),
        heartbeat_url="https://beat.example.org/x",
        canary="alice/canary",
        callback_secret="first-secret-of-the-path",
    )
    usual = Options()
    same = [name for name in Options.__slots__ if getattr(made, name) == getattr(usual, name)]
    assert same == [], "a new option of the tasks that no setting reaches?"


@pytest.mark.parametrize(
    ("more", "guarded"),
    [
        ({}, False),
        ({"WAGGLE_BEEMINDER_CLIENT_ID": "app"}, True),
        ({"WAGGLE_BEEMINDER_CLIENT_ID": "app", "WAGGLE_PRIVATE_ADDRESSES": "allow"}, False),
        ({"WAGGLE_PRIVATE_ADDRESSES": "refuse"}, True),
    ],
    ids=["alone", "an app", "an app, allowed", "refused"],
)
def test_sources_of_several_people_are_called_with_care(load, more, guarded):
    """Private addresses are refused by default where an app is registered."""
    with runtime.build(load(**more), ring=lambda _task, _queue: True) as rt:
        assert (rt.sources_http is not None) is guarded


@pytest.mark.parametrize(
    ("public_url", "said", "loopback"),
    [
        ("https://waggle.example.org", "refuse", False),
        ("http://10.0.0.5", "refuse", False),
        ("http://[::1]:80", "refuse", True),
        ("https://waggle.example.org", None, True),
    ],
    ids=["public", "private", "here", "by default"],
)
def test_this_machine_is_refused_where_that_was_said(load, public_url, said, loopback):
    """Not where Waggle itself is only reached there, and not as long as nobody said so."""
    more = {} if said is None else {"WAGGLE_PRIVATE_ADDRESSES": said}
    found = load(WAGGLE_PUBLIC_URL=public_url, WAGGLE_BEEMINDER_CLIENT_ID="app", **more)
    assert runtime.addresses(found).loopback is loopback


@pytest.mark.parametrize(
    ("more", "guarded"),
    [
        ({}, True),
        ({"WAGGLE_BEEMINDER_CLIENT_ID": "app"}, True),
        ({"WAGGLE_PUBLIC_URL": "http://127.0.0.1:8000"}, True),
        ({"WAGGLE_PRIVATE_ADDRESSES": "allow"}, False),
    ],
    ids=["alone", "an app", "here", "allowed"],
)
def test_what_strangers_type_is_called_with_more_care(load, more, guarded):
    """Neither this machine nor its network, whatever a name leads to, unless that was allowed."""
    found = load(**more)
    assert runtime.typed(found).loopback is not guarded
    with runtime.build(found, ring=lambda _task, _queue: True) as rt:
        assert (rt.public_http is not None) is guarded
        if rt.public_http is not None:
            with pytest.raises(PrivateAddressError):
                rt.public_http.get("http://localhost:1/")
