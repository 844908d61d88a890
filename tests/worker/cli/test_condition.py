"""What `waggle doctor` says of this Waggle itself: each thing that may be red is made so once."""

import os
import shutil
import time
from email.utils import formatdate

import httpx
import pytest
from cryptography.fernet import Fernet

from db import tallies
from db.models import Feed, Worker
from db.models_tallies import Tally
from db.tallies import Key
from tasks import canary
from tests.tasks.listening import nobody
from worker import bells
from worker.cli import condition
from worker.settings import load


def change_worker(ledger, **values):
    """Set columns of the worker."""
    with ledger.write() as session:
        session.get_one(Worker, "w").sqlmodel_update(values)


def seen(ledger, *key, ago=0.0, value=0.0):
    """Something was seen so long ago."""
    with ledger.write() as session:
        session.merge(Tally(**Key(*key)._asdict(), at=time.time() - ago, value=value))


def test_a_queue_that_nobody_serves_is_red(diagnose, staffed, ledger):
    """With the command that serves it."""
    change_worker(ledger, queues="urgent")
    found = diagnose(status=1)["workers"]
    assert found["state"] == "red"
    assert "waggle worker --queues default,bulk" in found["remedy"]


def test_workers_of_another_version_are_odd(diagnose, staffed, ledger):
    """They work, and not as this command says."""
    change_worker(ledger, version="0.0.9")
    found = diagnose(status=0)["workers"]
    assert (found["state"], "0.0.9" in found["text"]) == ("odd", True)


def test_a_dead_beat_is_red(diagnose, staffed, ledger):
    """Nobody rings for schedules; with when somebody did last."""
    seen(ledger, tallies.SWEEP, ago=300)
    found = diagnose(status=1)["beat"]
    assert (found["state"], "300 s ago" in found["text"]) == ("red", True)
    assert "waggle beat" in found["remedy"]


def test_work_that_is_not_done_is_red(diagnose, staffed, ledger, world):
    """Workers live and nothing comes of it."""
    with ledger.write() as session:
        session.get_one(Feed, world.feed_id).due_at = time.time() - 300
    found = diagnose(status=1)["work"]
    assert (found["state"], "due for 300 s" in found["text"]) == ("red", True)


def test_a_follower_that_died_is_red(diagnose, staffed, ledger):
    """One that lives is told too; where there never was one, there is nothing to say."""
    with ledger.write() as session:
        session.add(Worker(name="p", queues="progress", slots=2, started_at=0, seen_at=9e9))
    assert diagnose(status=0)["progress"]["state"] == "ok"
    with ledger.write() as session:
        session.get_one(Worker, "p").seen_at = time.time() - 100
    assert "waggle progress" in diagnose(status=1)["progress"]["remedy"]


def test_a_secret_of_another_key_is_red(diagnose, staffed, ledger, here):
    """Whose it is, and that the old key has to come back."""
    here.env["WAGGLE_SECRET_KEYS"] = Fernet.generate_key().decode()
    found = diagnose(status=1)["keys"]
    assert found["state"] == "red"
    assert "user alice" in found["text"]
    assert "source plant" in found["text"]


def test_a_full_disk_is_red(diagnose, staffed, monkeypatch):
    """Before the database finds out."""
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=99 * 1024**2))
    assert diagnose(status=1)["disk"]["state"] == "red"
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=999 * 1024**2))
    assert diagnose(status=0)["disk"]["state"] == "odd"


def test_a_write_ahead_log_that_grows_is_odd(diagnose, staffed, ledger, monkeypatch):
    """Somebody reads without end, and it can't be written back."""
    monkeypatch.setattr(condition, "BIG_WAL", -1)
    assert "write-ahead" in diagnose(status=0)["database"]["text"]


def test_a_database_that_takes_no_commit_is_red(diagnose, staffed, ledger):
    """It answers every question; only a commit tells."""
    with ledger.write() as session:
        session.connection().exec_driver_sql(
            "CREATE TRIGGER no_room BEFORE INSERT ON tally BEGIN "
            "SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
    found = diagnose(status=1)["database"]
    assert (found["state"], "disk is full" in found["text"]) == ("red", True)


@pytest.mark.parametrize(("status", "state"), [(404, "red"), (200, "red"), (502, "red")])
def test_an_address_that_is_not_ours_is_red(diagnose, staffed, door, status, state):
    """Another secret, another program, a proxy's own page: Beeminder's callbacks end there too."""
    door.status = status
    found = diagnose(status=1)["callbacks"]
    assert (found["state"], str(status) in found["text"]) == (state, True)
    assert "WAGGLE_CALLBACK_SECRETS" in found["remedy"]


def test_an_address_where_nobody_answers_is_odd(diagnose, staffed, here):
    """From inside a network the public address may be out of reach."""
    here.env["WAGGLE_PUBLIC_URL"] = f"http://127.0.0.1:{nobody()}"
    assert diagnose(status=0)["callbacks"]["state"] == "odd"


@pytest.mark.parametrize(("apart", "state"), [(1, "ok"), (30, "odd"), (90, "red")])
def test_a_clock_that_is_not_beeminders_is_told(folder, apart, state):
    """Every deadline would be early or late by that."""

    def answer(_request):
        return httpx.Response(200, headers={"Date": formatdate(time.time() + apart, usegmt=True)})

    settings = load({"WAGGLE_HOME": "var"}, None)
    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        found = condition.beeminders_clock(http, settings)
    assert found.state == state
    assert (found.remedy == "") == (state == "ok")


def test_half_an_app_is_red(diagnose, staffed, here):
    """People can't connect, or Beeminder never calls."""
    here.env["WAGGLE_BEEMINDER_CLIENT_ID"] = "id"
    found = diagnose(status=1)["app"]
    assert (found["state"], "WAGGLE_BEEMINDER_APP_NAME" in found["text"]) == ("red", True)
    here.env["WAGGLE_BEEMINDER_APP_NAME"] = "waggle"
    assert diagnose(status=0)["app"]["state"] == "odd"


def test_a_canary_is_told(diagnose, staffed, here, ledger):
    """None yet, one that came back, one that has been away for long, and two that failed."""
    here.env["WAGGLE_CANARY"] = "alice/energy"
    assert diagnose(status=0)["canary"]["state"] == "odd"
    seen(ledger, *canary.FRESH, ago=100, value=2.5)
    found = diagnose(status=0)["canary"]
    assert (found["state"], "after 2.5 s" in found["text"]) == ("ok", True)
    seen(ledger, *canary.FAILED, value=2)
    assert diagnose(status=1)["canary"]["state"] == "red"
    seen(ledger, *canary.FAILED, value=0)
    seen(ledger, *canary.FRESH, ago=1000, value=2.5)
    assert diagnose(status=1)["canary"]["state"] == "red"
    here.env["WAGGLE_HOLD_SECONDS"] = "0"
    assert "WAGGLE_HOLD_SECONDS" in diagnose(status=1)["canary"]["text"]


@pytest.mark.parametrize(
    ("hours", "state", "status"), [(1, "ok", 0), (40, "odd", 0), (200, "red", 1), (None, "red", 1)]
)
def test_old_copies_are_told(diagnose, staffed, folder, hours, state, status):
    """Where there is a folder for them, by the age of the newest."""
    backups = folder / "var" / "backups"
    backups.mkdir(parents=True, mode=0o700)
    (folder / "var").chmod(0o700)
    if hours is not None:
        (backups / "a.db").touch()
        at = time.time() - hours * 3600
        os.utime(backups / "a.db", (at, at))
    assert diagnose(status=status)["backups"]["state"] == state


def test_a_backup_counts_wherever_it_is_kept(diagnose, staffed, here, ledger, folder):
    """`waggle backup` says when it was made; nothing is said before there is any."""
    assert "backups" not in diagnose(status=0)
    here("backup", str(folder / "elsewhere.zip"))
    assert diagnose(status=0)["backups"]["state"] == "ok"
    seen(ledger, tallies.BACKUP, ago=200 * 3600)
    assert diagnose(status=1)["backups"]["state"] == "red"


def test_a_broker_that_does_not_hand_on_is_red(diagnose, staffed, monkeypatch):
    """It answers, and what it is given is lost."""
    monkeypatch.setattr(bells.Bells, "round_trip", lambda _: False)
    found = diagnose(status=1)["broker"]
    assert (found["state"], "hand on" in found["text"]) == ("red", True)
