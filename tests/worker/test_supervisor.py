"""Promises of `waggle up`: children come back, go when told, and never outlive their parent."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from worker import supervisor
from worker.supervisor import Child, Supervisor

ROOT = Path(__file__).parents[2]

# What `waggle up` does, with children of the test's own: each becomes the command that it is given.
UP = """
import json, os, sys
from functools import partial
from worker import supervisor
port, stop_within, commands = sys.argv[1:]
supervisor.STOP_WITHIN_SECONDS = float(stop_within)
children = [
    supervisor.Child(name, partial(os.execv, command[0], command))
    for name, command in json.loads(commands)
]
sys.exit(supervisor.Supervisor(children, host="127.0.0.1", port=int(port)).run())
"""

# Answers /readyz: 200 once the file is there.
WEB = """
import http.server, os, pathlib, sys
port, folder = int(sys.argv[1]), pathlib.Path(sys.argv[2])
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        ready = (folder / "go").exists()
        self.send_response(200 if ready else 503)
        self.end_headers()
        self.wfile.write(b"{}")
        if not ready:
            (folder / "refused").touch()
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", port), Handler)
(folder / "web.new").write_text(str(os.getpid()))
(folder / "web.new").rename(folder / "web.pid")
server.serve_forever()
"""

# Notes that it runs, and every stop; ends on the first one unless it is stubborn.
WORKER = """
import os, pathlib, signal, sys, time
folder, stubborn = pathlib.Path(sys.argv[1]), len(sys.argv) > 2
def stop(*_):
    (folder / "stopped").write_text("x")
    if not stubborn:
        os._exit(0)
signal.signal(signal.SIGTERM, stop)
(folder / "worker.new").write_text(str(os.getpid()))
(folder / "worker.new").rename(folder / "worker.pid")
while True:
    time.sleep(60)
"""

# Dies only when the other one runs: a supervisor ends a sibling that has not written its pid yet.
DOOMED = """
import sys, time
from pathlib import Path

while not (Path(sys.argv[1]) / "web.pid").exists():
    time.sleep(0.01)
sys.exit("the disk is full")
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(happened):
    """A bounded poll."""
    ends_at = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < ends_at, "it did not happen in time"
        time.sleep(0.01)


def runs(pid):
    """Is this process there, and not only its exit status?"""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


@pytest.fixture
def up(tmp_path):
    """Starts a supervisor over these children; ends everything afterwards."""
    started = []
    port = free_port()
    web = ("web", (sys.executable, "-c", WEB, str(port), str(tmp_path)))

    def up(*worker, stop_within=5.0):
        process = subprocess.Popen(
            [
                *(sys.executable, "-c", UP, str(port), str(stop_within)),
                json.dumps([web, ("worker", worker)]),
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield up
    for process in started:
        process.kill()
        process.communicate()
    for name in ("web.pid", "worker.pid"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            os.kill(int((tmp_path / name).read_text()), signal.SIGKILL)


@pytest.fixture
def worker(tmp_path):
    """The command of a worker that lives until it is told to stop."""
    return (sys.executable, "-c", WORKER, str(tmp_path))


def pid_of(tmp_path, name):
    until((tmp_path / f"{name}.pid").exists)
    return int((tmp_path / f"{name}.pid").read_text())


def test_ready_is_said_when_it_is_true(up, worker, tmp_path):
    """Not when the processes run, but when the receiver says that work moves."""
    process = up(*worker)
    pid_of(tmp_path, "worker")
    for _ in range(2):  # the answer to the second question comes after the first was understood
        (tmp_path / "refused").unlink(missing_ok=True)
        until((tmp_path / "refused").exists)
    assert select.select([process.stdout], [], [], 0)[0] == []

    (tmp_path / "go").touch()

    assert process.stdout.readline().startswith("ready http://127.0.0.1:")


def test_sigterm_ends_the_children(up, worker, tmp_path):
    """Exit status 0, and nobody is left; each child was asked and not shot."""
    (tmp_path / "go").touch()
    process = up(*worker)
    process.stdout.readline()
    pids = [pid_of(tmp_path, name) for name in ("web", "worker")]

    process.send_signal(signal.SIGTERM)

    assert process.wait(10) == 0
    assert [runs(pid) for pid in pids] == [False, False]
    assert (tmp_path / "stopped").exists()


def test_a_child_that_does_not_go_is_ended(up, worker, tmp_path):
    """One that ignores the stop does not keep `waggle up` from ending in time."""
    (tmp_path / "go").touch()
    process = up(*worker, "stubborn", stop_within=0.5)
    process.stdout.readline()
    pid = pid_of(tmp_path, "worker")

    process.send_signal(signal.SIGTERM)

    assert process.wait(10) == 0
    assert not runs(pid)


def test_a_stop_while_starting_is_a_stop(up, worker, tmp_path):
    """Ctrl-C before anything is ready ends everything, and is no failure."""
    process = up(*worker)
    pid = pid_of(tmp_path, "worker")
    process.send_signal(signal.SIGINT)

    assert process.wait(10) == 0
    assert not runs(pid)


def test_a_child_that_dies_before_ready_ends_it_all(up, tmp_path):
    """A port that is taken, a database out of reach: its own message, and exit status 1."""
    process = up(sys.executable, "-c", DOOMED, str(tmp_path))
    pid = pid_of(tmp_path, "web")

    out, err = process.communicate(timeout=20)

    assert process.returncode == 1
    assert out == ""
    assert "the disk is full" in err
    assert "worker ended with status 1 while starting" in err
    assert not runs(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of a dead parent")
def test_children_do_not_outlive_a_killed_parent(up, worker, tmp_path):
    """After kill -9 nobody holds the port or works on unseen; the worker stops in order."""
    (tmp_path / "go").touch()
    process = up(*worker)
    process.stdout.readline()
    pids = [pid_of(tmp_path, name) for name in ("web", "worker")]

    process.kill()

    until(lambda: not any(runs(pid) for pid in pids))
    assert (tmp_path / "stopped").exists()


def test_a_child_that_dies_is_started_again(up, worker, tmp_path):
    """It comes back by itself, as a new process, and the other one is left alone."""
    (tmp_path / "go").touch()
    process = up(*worker)
    process.stdout.readline()
    web, first = pid_of(tmp_path, "web"), pid_of(tmp_path, "worker")
    (tmp_path / "worker.pid").unlink()

    os.kill(first, signal.SIGKILL)

    assert pid_of(tmp_path, "worker") != first
    assert "worker ended with status -9; starting it again in 0.5 s" in process.stderr.readline()
    assert runs(web)


def test_a_taken_port_is_told_before_anything_starts(up, worker, tmp_path):
    """Another Waggle has the port and would say `ready` for us: one line, exit status 1."""
    (tmp_path / "go").touch()
    first = up(*worker)
    first.stdout.readline()
    pid = pid_of(tmp_path, "worker")

    out, err = up(*worker).communicate(timeout=20)

    assert out == ""
    assert "address already in use" in err
    assert len(err.splitlines()) == 1
    assert pid_of(tmp_path, "worker") == pid, "a second worker was started"


def test_the_pause_between_starts_grows(capsys):
    """What dies again and again does not burn the machine; what ran well starts quickly again."""
    child = Child("worker", lambda: 0)
    watcher = Supervisor([child], host="127.0.0.1", port=1)
    now, pauses = 0.0, []
    for lived in (0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 1000.0, 0.1):
        child.start(now)
        child.process.wait(10)
        now += lived
        watcher._look_after(child, now)
        assert child.process is None
        pauses.append(child.due_at - now)
        watcher._look_after(child, child.due_at - 0.01)
        assert child.process is None, "started before its time"
        now = child.due_at

    assert pauses == pytest.approx([0.5, 1, 2, 4, 5, 5, 5, 0.5, 1])
    assert supervisor.LONGEST_PAUSE_SECONDS == 5
    assert capsys.readouterr().err.count("starting it again") == len(pauses)
