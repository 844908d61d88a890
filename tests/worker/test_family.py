"""Promises of the real `waggle up` about its processes: who they are, and what they share."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from worker import supervisor

ROOT = Path(__file__).parents[2]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
WORKERS = 3


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def watcher(tmp_path_factory):
    """The id of a `waggle up` that is ready, with three workers."""
    folder = tmp_path_factory.mktemp("up")
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    given = {
        "PYTHONPATH": str(ROOT),
        "WAGGLE_HOME": str(folder / "home"),
        "PORT": str(free_port()),
        "WAGGLE_WORKER_PROCESSES": str(WORKERS),
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "worker.cli.main", "up"],
            env=kept | given,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
        )
    with process:
        try:
            said = process.stdout.readline()
            assert said.startswith(b"ready "), (folder / "log").read_text()
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def memory(pid):
    """Bytes: all that a process has in memory, and its part of it where others have it too."""
    found = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, amount, *_ = line.split()
        found[name] = int(amount) * 1024
    return found["Rss:"], found["Pss:"]


@LINUX
def test_the_watcher_has_opened_nothing(watcher):
    """One thread, and no file, socket, database or broker: a fork would take half of each along."""
    opened = {int(one.name) for one in Path(f"/proc/{watcher}/fd").iterdir()}

    assert opened == {0, 1, 2}
    assert [task.name for task in Path(f"/proc/{watcher}/task").iterdir()] == [str(watcher)]


@LINUX
def test_its_children_are_told_apart(watcher):
    """A receiver and as many workers as are set, by the names that `ps` and `top` show."""
    names = [Path(f"/proc/{pid}/comm").read_text().strip() for pid in children(watcher)]

    assert sorted(names) == ["waggle web", *["waggle worker"] * WORKERS]


@LINUX
def test_what_is_imported_is_there_once(watcher):
    """The children are forks: a large part of each one's memory is the others' as well."""
    for pid in children(watcher):
        whole, part = memory(pid)
        assert part < 0.8 * whole


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_one_worker_rings_and_follows(monkeypatch, workers):
    """However many there are, one of them has beat and follows runs; the others have the rest."""
    said = []
    monkeypatch.setattr(supervisor, "_command", lambda *words: lambda: said.append(words))

    for child in supervisor.family(host="::1", port=8000, workers=workers):
        child.body()

    assert said == [
        ("web", "--host", "::1", "--port", "8000"),
        ("worker", "--with-beat", "--queues", "all"),
        *[("worker",)] * (workers - 1),
    ]
