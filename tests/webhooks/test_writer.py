"""Group commit: one transaction for all who wait, and nobody is told before it is on disk."""

import contextlib

import pytest

from db.engine import Ledger
from webhooks import writer

POISON = {
    "sqlite": "CREATE TRIGGER poison BEFORE INSERT ON event "
    "WHEN instr(NEW.payload, 'poison') BEGIN SELECT RAISE(ABORT, 'no'); END",
    "postgresql": "ALTER TABLE event ADD CHECK (position('poison' in payload::text) = 0)",
}


@contextlib.contextmanager
def _locked(url: str):
    """Nobody else can write to the database during the block."""
    other = Ledger(url)
    with other.write() as session:
        connection = session.connection()  # on SQLite this takes the lock
        if not other.is_sqlite:
            connection.exec_driver_sql("LOCK TABLE event IN EXCLUSIVE MODE")
        yield
    other.close()


def _kind(ledger: Ledger) -> str:
    return ledger.url.get_backend_name()


def _figure(serving, name: str) -> float:
    for line in serving.client.get("/metrics").text.splitlines():
        if line.startswith(f"{name} "):
            return float(line.rpartition(" ")[2])
    raise AssertionError(name)


def _waiting(serving) -> int:
    return len(serving.receiver.writer._waiting)


def test_those_who_wait_share_a_commit(serving, database_url, until):
    """While one commit is under way, the next group gathers: 30 callbacks, two transactions."""
    with _locked(database_url):
        first = serving.later(serving.autofetch, slug="first")
        until(lambda: serving.receiver.metrics.group_size._sum.get() == 1)
        rest = [serving.later(serving.autofetch, slug=f"goal{at}") for at in range(29)]
        until(lambda: _waiting(serving) == 29)
        answered = [answer.done() for answer in (first, *rest)]

    assert not any(answered)
    assert {answer.result().json()["status"] for answer in (first, *rest)} == {"late"}
    assert len({event.id for event in serving.events()}) == 30
    assert _figure(serving, 'waggle_commits_total{outcome="done"}') == 2
    assert _figure(serving, "waggle_commit_callbacks_sum") == 30


def test_failed_commit_fails_its_whole_group(serving, database_url, ledger, until):
    """One row that the database refuses: all of its group get 503 and none of them is stored."""
    with ledger.write() as session:
        session.connection().exec_driver_sql(POISON[_kind(ledger)])
    with _locked(database_url):
        first = serving.later(serving.autofetch, slug="first")
        until(lambda: serving.receiver.metrics.group_size._sum.get() == 1)
        slugs = ("one", "poison", "two")
        group = [serving.later(serving.autofetch, slug=slug) for slug in slugs]
        until(lambda: _waiting(serving) == 3)

    assert first.result().json() == {"status": "late"}
    for answer in group:
        assert answer.result().status_code == 503
        assert answer.result().json()["error"]["code"] == "not_stored"
        assert int(answer.result().headers["Retry-After"]) > 0
    assert [event.payload["slug"] for event in serving.events()] == ["first"]


def test_next_group_goes_on_after_a_failure(serving, ledger):
    """The writer survives what it could not store."""
    with ledger.write() as session:
        session.connection().exec_driver_sql(POISON[_kind(ledger)])

    assert serving.autofetch(slug="poison").status_code == 503
    assert serving.autofetch(slug="fine").json() == {"status": "late"}


def test_a_database_that_hangs_is_told_in_time(serving, database_url, monkeypatch):
    """Whoever waits for a locked database gets 503 when patience ends, not when the lock does."""
    monkeypatch.setattr(writer, "PATIENCE_SECONDS", 0.2)

    with _locked(database_url):
        response = serving.autofetch()

    assert response.status_code == 503
    assert response.json()["error"]["code"] == "not_stored"


def test_a_backlog_has_an_end(serving, database_url, monkeypatch, until):
    """More than can wait are refused at once, instead of filling the memory."""
    monkeypatch.setattr(writer, "BACKLOG", 1)
    with _locked(database_url):
        first = serving.later(serving.autofetch)
        until(lambda: serving.receiver.metrics.group_size._sum.get() == 1)
        second = serving.later(serving.autofetch)
        until(lambda: _waiting(serving) == 1)

        refused = serving.autofetch()

    assert refused.json()["error"]["code"] == "not_stored"
    assert first.result().json() == second.result().json() == {"status": "late"}


@pytest.mark.parametrize(
    ("path", "options", "bell"),
    [
        ("autofetch", {"data": {"username": "a", "slug": "b"}}, ("sync", "urgent")),
        ("deauthorized", {"data": {"access_token": "t"}}, ("deauthorize", "default")),
    ],
)
def test_a_commit_rings_for_its_work(serving, path, options, bell, until):
    """The bell names the task and the queue of what was stored."""
    serving.client.post(f"/beeminder/{path}/path-secret-1", **options)
    until(lambda: serving.bell.rung)

    assert serving.bell.rung == [bell]


def test_a_group_rings_once_per_kind(serving, database_url, until):
    """Ten callbacks in one commit need one bell."""
    with _locked(database_url):
        first = serving.later(serving.autofetch)
        until(lambda: serving.receiver.metrics.group_size._sum.get() == 1)
        rest = [serving.later(serving.autofetch, slug=f"goal{at}") for at in range(10)]
        until(lambda: _waiting(serving) == 10)
    for answer in (first, *rest):
        answer.result()
    until(lambda: _figure(serving, 'waggle_bells_total{outcome="rung"}') >= 1)

    assert len(serving.bell.rung) <= 2  # one per commit
