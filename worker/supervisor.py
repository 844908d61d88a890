"""`waggle up`: the receiver and workers, one of them with beat, and a process that watches them.

A process that dies is started again after a pause that grows; one that dies before everything was
ready ends the whole with its own message. The children are told to stop when this process
vanishes, whatever killed it. It imports what they need and opens nothing, so that they share it
(`worker.forks`): `exec_up` puts it in the place of the command line that has read the settings.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from worker import forks, lines

POLL_SECONDS = 0.1
READY_WITHIN_SECONDS = 60.0
STOP_WITHIN_SECONDS = 9.0
SHORTEST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 5.0  # Beeminder gives up on a receiver that is away after half a minute
HEALTHY_AFTER_SECONDS = 10.0
ANSWER_BYTES = 4096
# -P: a `db.py` of whoever starts us in their own folder is not ours.
PYTHON = (sys.executable, "-P", "-m")
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- nobody can connect to these


@dataclass(slots=True)
class Child:
    """One process and its history; `body` is what it runs."""

    name: str
    body: Callable[[], int | None]
    process: forks.Forked | None = None
    started_at: float = 0.0
    pause: float = SHORTEST_PAUSE_SECONDS
    due_at: float = 0.0

    def start(self, now: float) -> None:
        """Start it in a session of its own: a Ctrl-C in the terminal reaches only us."""
        self.process = forks.start(f"waggle {self.name}", self.body)
        self.started_at = now


class Supervisor:
    """Runs the children until it is told to stop."""

    def __init__(
        self, children: Sequence[Child], *, host: str, port: int, form: str = "console"
    ) -> None:
        self._form = form
        self._address = (WILDCARDS.get(host, host), port)
        self._public = f"http://{host}:{port}"
        self._children = list(children)
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


def family(*, host: str, port: int, workers: int) -> list[Child]:
    """Who belongs to `waggle up`: the commands that a Procfile would start, each in a fork.

    One worker follows runs and rings the schedule; the others help with the rest.
    """
    first = ("worker", "--with-beat", "--queues", "all")
    return [
        Child("web", _command("web", "--host", host, "--port", str(port))),
        Child("worker", _command(*first)),
        *(Child("worker", _command("worker")) for _ in range(workers - 1)),
    ]


def _command(*words: str) -> Callable[[], int | None]:
    def run() -> int | None:
        from worker.cli import main  # noqa: PLC0415 -- `forks.load` has it by now

        main.cli(list(words), prog_name="waggle")
        return 0

    return run


def exec_up(*, host: str, port: int, form: str, workers: int) -> None:
    """Become the supervisor: a process in which nothing has been opened."""
    os.execv(  # noqa: S606 -- our own interpreter
        sys.executable, (*PYTHON, "worker.supervisor", host, str(port), form, str(workers))
    )


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


def main(host: str, port: int, form: str, workers: int) -> int:
    """Run `waggle up`; returns its exit status."""
    forks.load()
    children = family(host=host, port=port, workers=workers)
    return Supervisor(children, host=host, port=port, form=form).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
