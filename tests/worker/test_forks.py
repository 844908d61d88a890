"""Promises of forks: they end as processes do, are alone with themselves, and go with their parent.

Each is made by a process of its own: that of the tests has threads, and who forks has one.
"""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has it")
BEFORE = "import os, signal, subprocess, sys, time\nfrom worker import forks\n"

# Says who it is once it can be stopped in order, and that it was.
CHILD = """
def body():
    def stop(*_):
        os.write(1, b"stopped")
        os._exit(0)
    signal.signal(signal.SIGTERM, stop)
    os.write(1, b"%d " % os.getpid())
    while True:
        signal.pause()
"""


def run(code):
    """Run this in a process that may fork."""
    return subprocess.run(
        [sys.executable, "-c", BEFORE + code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def status_of(body):
    """What the parent learns of a child with this body, and what was said on stderr."""
    done = run(f"def body():\n    {body}\nprint(forks.start('child', body).wait(30))")
    assert done.returncode == 0, done.stderr
    return int(done.stdout), done.stderr


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("return None", 0),
        ("return 3", 3),
        ("sys.exit()", 0),
        ("sys.exit(4)", 4),
        ("sys.exit('why')", 1),
        ("os.kill(os.getpid(), signal.SIGKILL)", -9),
        ("os.execv(sys.executable, [sys.executable, '-c', 'raise SystemExit(5)'])", 5),
    ],
)
def test_its_end_is_told(body, status):
    """By the status that a command would have; below zero it is the signal that ended it."""
    assert status_of(body)[0] == status


def test_an_error_is_shown():
    """What nobody caught is on stderr with where it was, and the status is 1."""
    status, err = status_of("raise RuntimeError('the disk is full')")

    assert status == 1
    assert err.startswith("Traceback")
    assert "in body" in err
    assert err.endswith("RuntimeError: the disk is full\n")


def test_what_the_parent_has_not_said_is_said_once():
    """What waits in a buffer at the fork is not the child's to repeat; what it says is written."""
    done = run("print('parent')\nforks.start('child', lambda: print('child')).wait(30)")

    assert done.stdout.split() == ["parent", "child"]


def test_waiting_has_an_end():
    """A wait that is over says so, and the child goes on until it is told to stop."""
    done = run(
        """
child = forks.start("child", signal.pause)
try:
    child.wait(0)
except subprocess.TimeoutExpired:
    print("over", child.poll())
child.kill()
print(child.wait(30), child.poll())
child.terminate()  # long gone: nobody else is hit
"""
    )

    assert done.stdout.split() == ["over", "None", "-9", "-9"], done.stderr


def test_a_stop_that_comes_at_once_is_heard():
    """Told to stop before it has run a line, it ends: the parent's handlers are not its own."""
    done = run(
        """
signal.signal(signal.SIGTERM, lambda *_: None)
for _ in range(50):
    child = forks.start("child", signal.pause)
    child.terminate()
    print(child.wait(5))
"""
    )

    assert done.stdout.split() == ["-15"] * 50, done.stderr


def test_the_parent_hears_stops_as_before():
    """After a fork a signal reaches the parent's own handler."""
    done = run(
        """
signal.signal(signal.SIGTERM, lambda *_: print("heard"))
forks.start("child", lambda: 0).wait(30)
os.kill(os.getpid(), signal.SIGTERM)
"""
    )

    assert done.stdout.split() == ["heard"], done.stderr


def test_it_is_alone_with_itself():
    """A session of its own, no handler and no blocked signal of the parent's."""
    done = run(
        """
def body():
    print(os.getsid(0) == os.getpid())
    print(*(signal.getsignal(one) is signal.SIG_DFL for one in (signal.SIGTERM, signal.SIGQUIT)))
    print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
    print(not signal.pthread_sigmask(signal.SIG_BLOCK, ()))
for one in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
    signal.signal(one, lambda *_: None)
forks.start("child", body).wait(30)
"""
    )

    assert set(done.stdout.split()) == {"True"}, done.stdout + done.stderr


@LINUX
def test_it_has_a_name():
    """What `ps` and `top` show of it."""
    body = "print(open('/proc/self/comm').read())"

    assert run(f"forks.start('waggle worker', lambda: {body}).wait(30)").stdout.split() == [
        "waggle",
        "worker",
    ]


@LINUX
def test_it_goes_with_its_parent():
    """The parent is killed, and the child is told to stop: it ends in order."""
    parent = subprocess.Popen(
        [sys.executable, "-c", f"{BEFORE}{CHILD}forks.start('child', body).wait()"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    with parent:
        pid = b""
        while not pid.endswith(b" "):
            pid += os.read(parent.stdout.fileno(), 1)
        parent.kill()
        parent.wait()
        said = parent.stdout.read()  # until nobody has it open any more: the child is gone

    assert said == b"stopped"
    assert is_gone(int(pid))


def is_gone(pid):
    """A bounded poll: who has closed all its files may not have ended yet."""
    ends_at = time.monotonic() + 20
    while time.monotonic() < ends_at:
        with contextlib.suppress(FileNotFoundError):
            if "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text():
                continue
        return True
    return False
