"""A receiver hears that an event has ended, on both kinds of database, also after a break."""

import contextlib
import time

import psycopg
import pytest

from db.engine import Ledger
from tests.webhooks.conftest import until
from webhooks import holds

LONG_SECONDS = 60.0


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def database_url(request):
    """The URL of an empty ledger."""
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
def hearing(serve, monkeypatch):
    """A receiver that asks by itself once a minute at most, and hears surely."""
    monkeypatch.setattr(holds, "LONGEST_PAUSE", LONG_SECONDS)
    serving = serve(hold_seconds=40)
    serving.later(
        serving.autofetch, slug="first", timeout=60
    )  # the file is watched while one waits
    (event,) = serving.stored()
    until(lambda: serving.receiver.holds.surely_heard)
    yield serving
    serving.finish(event.id)


def answered(serving, other):
    """One callback is held, its event is ended from elsewhere: its answer, and the seconds."""
    known = {event.id for event in serving.events()}
    waiting = serving.later(serving.autofetch, slug="more")
    (event,) = (one for one in serving.stored(len(known) + 1) if one.id not in known)
    until(lambda: event.id in serving.receiver.holds._held)
    time.sleep(0.1)
    mine, serving.ledger = serving.ledger, other
    began = time.monotonic()
    serving.finish(event.id, datapoints=2)
    serving.ledger = mine
    return waiting.result().json(), time.monotonic() - began


def test_the_end_is_heard_from_another_process(hearing, database_url):
    """Nobody asks before a minute is over: only who hears answers earlier."""
    with contextlib.closing(Ledger(database_url)) as other:
        for _ in range(3):
            answer, took = answered(hearing, other)
            assert answer == {"status": "fresh", "datapoints": 2}
            assert took < 10


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.services
def test_a_broken_connection_costs_the_poll(hearing, database_url):
    """All connections are ended by the server while somebody waits: they are answered in time."""
    with contextlib.closing(Ledger(database_url)) as other:
        with psycopg.connect(database_url, autocommit=True) as session:
            session.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        until(lambda: not hearing.receiver.holds.surely_heard)
        until(lambda: hearing.receiver.holds.surely_heard)
        assert answered(hearing, other)[0] == {"status": "fresh", "datapoints": 2}
