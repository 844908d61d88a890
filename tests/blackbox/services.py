"""Databases and brokers of this run's own, so that runs beside each other hear their own bells."""

import contextlib
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from simulators import postgres
from tests.blackbox import private_brokers
from tests.services import postgresql

RABBITMQ_PORT = 5672
REDIS_PORT = 6379
CLAIM = "waggle-black-box"
CLAIMED_SECONDS = 1800


class Services:
    """Started when they are first asked for; tests are skipped by name where one is missing."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._stack = contextlib.ExitStack()
        self._known: dict[str, str] = {}
        self._ports: dict[str, int] = {}

    def close(self) -> None:
        """Give everything back."""
        self._stack.close()

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """The URL of a new, empty PostgreSQL database."""
        if "postgresql" not in self._known:
            server = postgresql.running(self._home)
            self._known["postgresql"] = self._stack.enter_context(server)
        connection = self._known["postgresql"]
        with postgres.database(connection, prefix="waggle_box") as name:
            yield postgresql.url_of(connection, name)

    def port(self, kind: str) -> int:
        """Where the broker listens: the one that is there, else one of this run's own."""
        if kind not in self._ports:
            usual = {"rabbitmq": RABBITMQ_PORT, "redis": REDIS_PORT}[kind]
            if not private_brokers.listens(usual):
                if private_brokers.program(kind) is None:
                    pytest.skip(
                        f"services ring: no {kind} listens on 127.0.0.1:{usual}, and its server is "
                        f"not installed (Debian: {kind}-server)"
                    )
                server = private_brokers.running(kind, self._home / kind)
                usual = self._stack.enter_context(server)
            self._ports[kind] = usual
        return self._ports[kind]

    def broker(self, kind: str, *, port: int | None = None) -> str:
        """The URL of the run's own corner of a broker; `port` of a link to it, if any."""
        at = self.port(kind)
        if kind not in self._known:
            usual = at in (RABBITMQ_PORT, REDIS_PORT)
            corner = _redis_database(at) if kind == "redis" else _vhost(usual=usual)
            self._known[kind] = self._stack.enter_context(corner)
        if kind == "redis":
            return f"redis://127.0.0.1:{port or at}/{self._known[kind]}"
        return f"amqp://guest:guest@127.0.0.1:{port or at}/{self._known[kind]}"


@contextlib.contextmanager
def _vhost(*, usual: bool) -> Iterator[str]:
    """A virtual host; the default one of a private server, or where this user may not make any."""
    control = shutil.which("rabbitmqctl")
    if not usual or control is None or os.geteuid() != 0:
        yield "/"
        return
    name = f"waggle_box_{uuid.uuid4().hex[:10]}"

    def ask(*words: str) -> None:
        subprocess.run([control, *words], check=True, capture_output=True, timeout=60)

    ask("add_vhost", name)
    try:
        ask("set_permissions", "-p", name, "guest", ".*", ".*", ".*")
        yield name
    finally:
        ask("delete_vhost", name)


@contextlib.contextmanager
def _redis_database(port: int) -> Iterator[str]:
    """A database that is empty and that no other run has claimed."""
    for number in range(1, 16):
        with redis.Redis(port=port, db=number) as client:
            empty = client.dbsize() == 0
            if empty and client.set(CLAIM, os.getpid(), nx=True, ex=CLAIMED_SECONDS):
                try:
                    yield str(number)
                finally:
                    client.flushdb()
                return
    pytest.skip("services ring: no database of this Redis is empty")
