"""Promises of the processes that a Procfile starts."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import inspect
from sqlmodel import select

from db.engine import Ledger
from db.models import Worker
from webhooks import serve
from worker import processes, settings

ROOT = Path(__file__).parents[2]


@pytest.fixture
def found(tmp_path):
    """Settings of an empty home."""
    return settings.load({"WAGGLE_HOME": str(tmp_path), "PORT": "8123", "HOST": "127.0.0.2"}, None)


def test_the_receiver_listens_where_it_is_told(found, monkeypatch):
    """The command line wins over the settings, and port 0 is a port."""
    asked = []
    monkeypatch.setattr(serve, "run", lambda _settings, host, port: asked.append((host, port)) or 0)

    processes.web(found)
    processes.web(found, host="::1", port=0)

    assert asked == [("127.0.0.2", 8123), ("::1", 0)]


def test_following_progress_hears_nothing_else(found, monkeypatch):
    """A worker for long streams takes no callback into its few slots."""
    asked = []
    monkeypatch.setattr(processes, "worker", lambda _settings, **more: asked.append(more) or 0)

    processes.progress(found)

    assert asked == [{"queues": ("progress",), "slots": 2}]


def test_the_usual_worker_leaves_progress_to_others():
    """Streams that last for hours do not fill the slots of a worker that was not asked to."""
    assert set(processes.WORK_QUEUES) | {"progress"} == set(processes.ALL_QUEUES)
    assert "progress" not in processes.WORK_QUEUES


def workers(home):
    """Who is registered in the ledger of a home."""
    if not (home / "waggle.db").exists():
        return []
    with contextlib.closing(Ledger(f"sqlite:///{home / 'waggle.db'}")) as ledger:
        if not inspect(ledger.engine).has_table("worker"):
            return []
        with ledger.read() as session:
            return session.exec(select(Worker)).all()


def until(happened):
    """A bounded poll."""
    ends_at = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < ends_at, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def worker(tmp_path):
    """A worker process on the embedded default, with beat."""
    environment = {"PATH": os.environ["PATH"], "WAGGLE_HOME": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-m", "worker.cli.main", "worker", "--with-beat", "--queues", "all"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_comes_and_goes_in_order(worker, tmp_path, stop):
    """It registers; told to stop, it takes its name out and is gone within 8 s, with status 0."""
    until(lambda: workers(tmp_path))
    (registered,) = workers(tmp_path)
    assert registered.queues == "urgent,default,bulk,progress"
    started = time.monotonic()

    worker.send_signal(stop)
    _, said = worker.communicate(timeout=20)

    assert time.monotonic() - started < 9
    assert worker.returncode == 0, said
    assert workers(tmp_path) == []
    assert "Traceback" not in said


def test_beat_rings_and_the_worker_hears(worker, tmp_path):
    """Bells of the schedule come and go; an idle worker leaves no file behind."""
    until(lambda: workers(tmp_path))
    bells = tmp_path / "queue" / "bells"
    ends_at = time.monotonic() + 2.5
    most, changes = 0, set()
    while time.monotonic() < ends_at:
        changes.add(bells.stat().st_mtime_ns)
        most = max(most, len(list(bells.iterdir())))
        time.sleep(0.01)

    assert len(changes) > 1, "beat rang no bell in two seconds"
    assert most <= 3
    until(lambda: not list(bells.iterdir()))
