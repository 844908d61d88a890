"""`waggle up`: the receiver and a worker with beat as two processes, watched by a small third.

A process that dies is started again after a pause that grows; one that dies before everything was
ready ends the whole with its own message. The children are told to stop when this process
vanishes, whatever killed it. It imports little but the standard library, since it does nothing but
wait: `exec_up` puts it in the place of the command line that has read the settings.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from worker import lines

POLL_SECONDS = 0.1
READY_WITHIN_SECONDS = 60.0
STOP_WITHIN_SECONDS = 9.0
SHORTEST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 5.0  # Beeminder gives up on a receiver that is away after half a minute
HEALTHY_AFTER_SECONDS = 10.0
PR_SET_PDEATHSIG = 1
ANSWER_BYTES = 4096
# -P: a `db.py` of whoever starts us in their own folder is not ours.
PYTHON = (sys.executable, "-P", "-m")
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- nobody can connect to these


@dataclass(slots=True)
class Child:
    """One process and its history."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    pause: float = SHORTEST_PAUSE_SECONDS
    due_at: float = 0.0

    def start(self, now: float) -> None:
        """Start it in a session of its own: a Ctrl-C in the terminal reaches only us."""
        parent = os.getpid()
        self.process = subprocess.Popen(  # noqa: S603 -- our own command line
            self.command,
            start_new_session=True,
            preexec_fn=lambda: _die_with(parent),  # noqa: PLW1509 -- this process has one thread
        )
        self.started_at = now


class Supervisor:
    """Runs the children until it is told to stop."""

    def __init__(self, *, host: str, port: int, form: str = "console") -> None:
        self._form = form
        self._address = (WILDCARDS.get(host, host), port)
        self._public = f"http://{host}:{port}"
        itself = (*PYTHON, "worker.cli.main")
        self._children = [
            Child("web", (*itself, "web", "--host", host, "--port", str(port))),
            Child("worker", (*itself, "worker", "--with-beat", "--queues", "all")),
        ]
        self._stopping = False

    def run(self) -> int:
        """Returns the exit status: 0 after a stop, 1 when it never became ready."""
        for sig in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sig, self._stop)
        # Whoever has the port would answer for us when we ask whether we are ready.
        taken = _why_not(self._address)
        if taken is not None:
            self._warn(f"waggle: {self._public}: {taken}; choose another PORT, or --port")
            return 1
        for child in self._children:
            child.start(time.monotonic())
        ready = self._wait_until_ready()
        if ready:
            print(f"ready {self._public}", flush=True)
            self._watch()
        self._end_all()
        return 0 if ready or self._stopping else 1

    def _warn(self, message: str) -> None:
        lines.warn(message, form=self._form, process="up")

    def _stop(self, _signal: int, _frame: object) -> None:
        self._stopping = True

    def _wait_until_ready(self) -> bool:
        started = time.monotonic()
        warned = False
        while not self._stopping:
            for child in self._children:
                status = child.process.poll() if child.process is not None else None
                if status is not None:
                    self._warn(f"{child.name} ended with status {status} while starting")
                    return False
            state = self._ask()
            if state is None:
                return True
            if not warned and time.monotonic() - started > READY_WITHIN_SECONDS:
                self._warn(f"not ready yet: {state}")
                warned = True
            time.sleep(POLL_SECONDS)
        return False

    def _ask(self) -> str | None:
        """None when ready, else what is missing."""
        try:
            with socket.create_connection(self._address, 3) as connection:
                connection.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
                answer = b""
                while len(answer) < ANSWER_BYTES and (part := connection.recv(ANSWER_BYTES)):
                    answer += part
        except OSError as error:
            return str(error)
        head, _, body = answer.decode(errors="replace").partition("\r\n\r\n")
        return None if " 200 " in head.partition("\r\n")[0] else body.strip()

    def _watch(self) -> None:
        while not self._stopping:
            now = time.monotonic()
            for child in self._children:
                self._look_after(child, now)
            time.sleep(POLL_SECONDS)

    def _look_after(self, child: Child, now: float) -> None:
        if child.process is None:
            if now >= child.due_at:
                child.start(now)
            return
        status = child.process.poll()
        if status is None:
            return
        if now - child.started_at > HEALTHY_AFTER_SECONDS:
            child.pause = SHORTEST_PAUSE_SECONDS
        self._warn(
            f"{child.name} ended with status {status}; starting it again in {child.pause:g} s"
        )
        child.process, child.due_at = None, now + child.pause
        child.pause = min(child.pause * 2, LONGEST_PAUSE_SECONDS)

    def _end_all(self) -> None:
        running = [child.process for child in self._children if child.process is not None]
        for process in running:
            if process.poll() is None:
                process.terminate()
        ends_at = time.monotonic() + STOP_WITHIN_SECONDS
        for process in running:
            try:
                process.wait(max(0.1, ends_at - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def exec_up(*, host: str, port: int, form: str) -> None:
    """Become the supervisor: the same process, without what the command line has imported."""
    os.execv(  # noqa: S606 -- our own interpreter
        sys.executable, (*PYTHON, "worker.supervisor", host, str(port), form)
    )


def _die_with(parent: int) -> None:
    """Linux: have the kernel send SIGTERM when the parent is gone. Elsewhere: nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # it was gone before we had asked
            os._exit(1)


def _why_not(address: tuple[str, int]) -> str | None:
    """Why nobody can listen at this address, or None."""
    try:
        family = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return None


if __name__ == "__main__":
    sys.exit(Supervisor(host=sys.argv[1], port=int(sys.argv[2]), form=sys.argv[3]).run())
