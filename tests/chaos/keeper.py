"""What a host of a Procfile does: starts the processes, and starts them again when they die."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.blackbox import private_brokers
from tests.blackbox.house import BIN

BACKOFF_SECONDS = 0.5
TICK_SECONDS = 0.1
STOPS_SECONDS = 60.0  # how long it takes is for other tests; here it has to end by itself


@dataclass(slots=True)
class Life:
    """One process from its start to its end; monotonic seconds. `ours`: we ended it."""

    name: str
    process: subprocess.Popen[bytes]
    began: float
    ready: float | None = None
    ended: float | None = None
    ours: bool = False
    stopped: bool = False


@dataclass(slots=True)
class Keeper:
    """Keeps `commands` (name to arguments of `waggle`) alive until it is closed.

    `web` is ready when `port` listens. All logs go to `log`.
    """

    commands: Mapping[str, Sequence[str]]
    environments: Mapping[str, Mapping[str, str]]
    folder: Path
    port: int
    lives: list[Life] = field(default_factory=list)
    _now: dict[str, Life] = field(default_factory=dict)
    _ending: threading.Event = field(default_factory=threading.Event)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _thread: threading.Thread | None = None

    @property
    def log(self) -> Path:
        """What all of them have logged."""
        return self.folder / "log"

    def start(self) -> None:
        """All of them, and the thread that watches."""
        for name in self.commands:
            self._start(name)
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def kill(self, name: str) -> None:
        """Kill -9 of it and of all that it started."""
        with self._lock:
            life = self._now[name]
            life.ours = True
            self._end(life, signal.SIGKILL)

    def stop(self, name: str) -> None:
        """SIGSTOP: it does nothing until `go_on`."""
        with self._lock:
            life = self._now[name]
            life.stopped = True
            self._signal(life, signal.SIGSTOP)

    def go_on(self, name: str | None = None) -> None:
        """SIGCONT to whoever was stopped and still lives, or to this one of them."""
        with self._lock:
            for life in self._now.values():
                if life.stopped and name in (None, life.name):
                    life.stopped = False
                    self._signal(life, signal.SIGCONT)

    def all_ready(self) -> bool:
        """Does each of them run, and does the receiver listen?"""
        with self._lock:
            running = all(life.process.poll() is None for life in self._now.values())
            return running and self._now["web"].ready is not None

    def served(self, since: float, until: float) -> bool:
        """Did one receiver listen all the time from `since` to `until`?"""
        with self._lock:
            return any(
                life.ready is not None
                and life.ready <= since
                and (life.ended is None or life.ended > until)
                for life in self.lives
                if life.name == "web"
            )

    def close(self) -> list[str]:
        """End all of them as a service manager does; who did not end by itself in time."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()
        self.go_on()
        lives, self._now = self._now, {}
        for life in lives.values():
            life.ours = True
            self._signal(life, signal.SIGTERM)
        late = []
        for name, life in lives.items():
            try:
                life.process.wait(STOPS_SECONDS)
            except subprocess.TimeoutExpired:
                late.append(name)
            self._end(life, signal.SIGKILL)
        return late

    def _start(self, name: str) -> None:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [BIN / "waggle", *self.commands[name]],
                env=dict(self.environments[name]),
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        life = Life(name, process, time.monotonic())
        with self._lock:
            self._now[name] = life
            self.lives.append(life)

    def _watch(self) -> None:
        while not self._ending.wait(TICK_SECONDS):
            with self._lock:
                lives = list(self._now.values())
            for life in lives:
                now = time.monotonic()
                if life.process.poll() is not None:
                    life.ended = life.ended or now
                    if now - life.ended > BACKOFF_SECONDS:
                        self._start(life.name)
                elif life.name == "web" and life.ready is None and self._listens():
                    life.ready = time.monotonic()

    def _listens(self) -> bool:
        return private_brokers.listens(self.port)

    def _end(self, life: Life, number: signal.Signals) -> None:
        life.ended = life.ended or time.monotonic()  # before its connections notice
        self._signal(life, number)
        life.process.wait()

    @staticmethod
    def _signal(life: Life, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(life.process.pid, number)
