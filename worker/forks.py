"""Processes that share what they have imported: forked by one that has opened nothing.

A process of Python uses one core, and two thirds of its memory are what it has imported. Forked
from one that has imported everything, that is there once for all of them, and one that died is
back without a second of imports. Whoever forks has one thread, no connection and no file.
"""

import ctypes
import importlib
import math
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable

from worker import interpreter

PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15
SHARED = (
    "worker.processes",
    "worker.file_bells",
    "webhooks.serve",
    "worker.cli.main",
    "worker.cli.processes",
)
LOOK_SECONDS = 0.02
STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


class Forked:
    """A child process, as `subprocess.Popen` shows one."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit status, below 0 for a signal; None while it runs."""
        if self.returncode is None:
            pid, how = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(how)
        return self.returncode

    def wait(self, timeout: float = math.inf) -> int:
        """Wait for its end; raises `subprocess.TimeoutExpired`."""
        ends_at = time.monotonic() + timeout
        while (status := self.poll()) is None:
            if time.monotonic() > ends_at:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            time.sleep(LOOK_SECONDS)
        return status

    def terminate(self) -> None:
        """Tell it to stop."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


def load() -> None:
    """Import what the children need, and leave it alone: a page that is written to is copied."""
    for name in SHARED:
        importlib.import_module(name)
    interpreter.be_on_time()


def start(name: str, body: Callable[[], int | None]) -> Forked:
    """Run `body` in a child of that name, which is told to stop when this process vanishes."""
    sys.stdout.flush()
    sys.stderr.flush()
    # Until its handlers are its own a stop waits: the parent's would only note it, in a copy.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    parent, pid = os.getpid(), os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return Forked(pid)
    status = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)
        os.setsid()  # a Ctrl-C in the terminal reaches the parent only
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # forgets one that came before this
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        die_with(parent)
        call_oneself(name)
        status = body() or 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 -- there is nobody above: as the interpreter would
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def die_with(parent: int) -> None:
    """Linux: have the kernel send SIGTERM when the parent is gone. Elsewhere: nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # it was gone before we had asked
            os._exit(1)


def call_oneself(name: str) -> None:
    """Linux: what `ps` and `top` show of a process that has no command line of its own."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode(), 0, 0, 0)
