"""A database and a broker of this run's own: they may be killed, restarted and frozen."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

from simulators import postgres
from tests.blackbox import private_brokers
from tests.blackbox.house import free_port
from tests.chaos.disks import small_disk

STARTS_SECONDS = 60.0
STOPS_SECONDS = 20.0
DISK_MEGABYTES = 256  # most of it is the empty cluster and its log of changes


class Server:
    """A server of this run's own on a loopback port. Frozen with all that it has started."""

    name = "server"

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Until it answers."""
        self._process = self._spawn()
        ends_at = time.monotonic() + STARTS_SECONDS
        while not self.answers():
            if self._process.poll() is not None:  # its port or lock was not free yet
                time.sleep(0.3)
                self.stop()
                self._process = self._spawn()
            assert time.monotonic() < ends_at, f"the {self.name} of this run did not start"
            time.sleep(0.05)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Told to end, by this signal; killed where it does not."""
        process, self._process = self._process, None
        if process is None:
            return
        tree = _tree(process.pid)
        process.send_signal(number)
        try:
            process.wait(STOPS_SECONDS)
        except subprocess.TimeoutExpired:
            number = signal.SIGKILL
            process.kill()
            process.wait()
        if process.stdin is not None:
            process.stdin.close()
        # RabbitMQ's program is a shell that its server outlives.
        last = signal.SIGKILL if number == signal.SIGKILL else signal.SIGCONT
        for pid in tree:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, last)
        ends_at = time.monotonic() + STOPS_SECONDS
        while any(_lives(pid) for pid in tree) and time.monotonic() < ends_at:
            time.sleep(0.02)

    def crash(self) -> None:
        """Killed."""
        self.stop(signal.SIGKILL)

    def freeze(self) -> None:
        """It and its children do nothing any more."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """They go on."""
        self._signal_all(signal.SIGCONT)

    def revive(self) -> None:
        """Started again, if it has ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            self.stop()
            self.start()

    def answers(self) -> bool:
        """Is it there?"""
        return private_brokers.listens(self.port)

    def close(self) -> None:
        """Ended, whatever state it was left in."""
        with contextlib.suppress(ProcessLookupError):
            self.thaw()
        self.stop()

    def _signal_all(self, number: signal.Signals) -> None:
        if self._process is not None:
            for pid in [self._process.pid, *_tree(self._process.pid)]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)

    def _spawn(self) -> subprocess.Popen[bytes]:
        raise NotImplementedError


class Postgres(Server):
    """A cluster of its own on a small `disk`, so that it can be full."""

    name = "PostgreSQL"

    def __init__(self, stack: contextlib.ExitStack, folder: Path) -> None:
        super().__init__()
        found = postgres.programs()
        if found is None:
            pytest.skip("chaos ring: initdb is not installed (Debian: postgresql)")
        self._programs = found
        self._owner = postgres._owner()
        place = postgres._reachable(folder, self._owner)
        self._folder = Path(tempfile.mkdtemp(prefix="chaos-postgres-", dir=place))
        stack.callback(shutil.rmtree, self._folder, ignore_errors=True)
        self.disk = stack.enter_context(small_disk(self._folder, megabytes=DISK_MEGABYTES))
        self._password = "canary-database-password"
        (self._folder / "password").write_text(self._password)
        (self._folder / "log").touch()
        if self._owner is not None:
            for path in (self._folder, self._folder / "password", self._folder / "log"):
                os.chown(path, self._owner.pw_uid, self._owner.pw_gid)
        postgres._initialise(self._folder, binaries=found, owner=self._owner)

    def url(self, port: int) -> str:
        """Where the ledger is, through this port."""
        return f"postgresql://postgres:{self._password}@127.0.0.1:{port}/postgres"

    def crash(self) -> None:
        """An immediate shutdown, as after a crash: what was not committed is gone."""
        self.stop(signal.SIGQUIT)

    def answers(self) -> bool:
        """Does it let us in?"""
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(self.url(self.port), connect_timeout=2).close()
            return True
        return False

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """Fast: clients are thrown out."""
        super().stop(number)

    def _spawn(self) -> subprocess.Popen[bytes]:
        options = (
            f"listen_addresses=127.0.0.1 port={self.port} unix_socket_directories= fsync=off "
            "full_page_writes=off max_connections=120 logging_collector=off "
            "max_wal_size=48MB min_wal_size=32MB"
        )
        arguments = [part for option in options.split() for part in ("-c", option)]
        command = [str(self._programs / "postgres"), "-D", str(self._folder / "data"), *arguments]
        with (self._folder / "log").open("ab") as log:
            return postgres._run(command, folder=self._folder, owner=self._owner, out=log)


class Broker(Server):
    """A broker that keeps nothing on purpose: bells may be lost."""

    def __init__(self, kind: str, folder: Path) -> None:
        super().__init__()
        self.name = kind
        self._folder = folder
        found = private_brokers.program(kind)
        if found is None:
            pytest.skip(f"chaos ring: {kind}-server is not installed (Debian: {kind}-server)")
        folder.mkdir(parents=True, exist_ok=True)
        port = str(self.port)
        self._environment = {}
        self._command = [found]
        if kind == "redis":
            self._command += ["--port", port, "--bind", "127.0.0.1", "--dir", str(folder)]
            self._command += ["--save", "", "--appendonly", "no"]
        else:
            self._environment = private_brokers._rabbitmq_environment(folder, self.port)

    def url(self, port: int) -> str:
        """Where the bells are, through this port."""
        return (
            f"redis://127.0.0.1:{port}/0"
            if self.name == "redis"
            else f"amqp://guest:guest@127.0.0.1:{port}//"
        )

    def _spawn(self) -> subprocess.Popen[bytes]:
        with (self._folder / "server.log").open("ab") as log:
            return subprocess.Popen(
                self._command,
                cwd=self._folder,  # what it leaves when it dies
                env=os.environ | self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def _tree(pid: int) -> list[int]:
    """All that descend from a process."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*"):
        with contextlib.suppress(OSError):
            for child in map(int, (task / "children").read_text().split()):
                found += [child, *_tree(child)]
    return found


def _lives(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
