"""Where both sides keep their work: files of this machine, or PostgreSQL and RabbitMQ."""

import contextlib
import secrets
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from psycopg import conninfo

from bench import processes
from simulators import postgres

RABBITMQ_PORT = 5672
SECONDS = 60.0


class Missing(Exception):  # noqa: N818 -- says what the machine lacks
    """There is no such server on this machine; the message is one line."""


@dataclass(frozen=True, slots=True)
class Place:
    """Settings of Waggle, and those of the peer's Celery that name its broker."""

    name: str
    waggle: dict[str, str]
    celery: dict[str, object]


@contextlib.contextmanager
def embedded(folder: Path) -> Iterator[Place]:
    """SQLite and a queue of files; for the peer the queue alone."""
    queue = folder / "peer-queue"
    queue.mkdir(parents=True)
    yield Place(
        "SQLite + files",
        {},
        {
            "broker_url": "filesystem://localhost",
            "broker_transport": "bench.peer_broker:Transport",
            "broker_transport_options": {
                "data_folder_in": str(queue),
                "data_folder_out": str(queue),
                "polling_interval": 0.02,
            },
        },
    )


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[dict[str, object]]:
    """A Redis of our own, for a peer's Celery: the settings that name it. Raises `Missing`."""
    program = shutil.which("redis-server")
    if program is None:
        raise Missing("redis-server is not installed (Debian: redis-server)")
    folder.mkdir(parents=True)
    port = processes.free_port()
    words = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    words += ["--save", "", "--appendonly", "no"]
    with processes.running([words], folder=folder, environment=processes.environment()):
        processes.wait_for_port(port, SECONDS)
        yield {"broker_url": f"redis://127.0.0.1:{port}/0"}


@contextlib.contextmanager
def servers(folder: Path) -> Iterator[Place]:
    """A database and virtual hosts of our own, gone at the end. Raises `Missing`."""
    with contextlib.ExitStack() as stack:
        try:
            connection = stack.enter_context(postgres.server(folder))
        except postgres.NoPostgres as error:
            raise Missing(str(error)) from error
        name = stack.enter_context(postgres.database(connection, prefix="waggle_bench"))
        ours, theirs = stack.enter_context(vhost()), stack.enter_context(vhost())
        where = conninfo.conninfo_to_dict(connection)
        password = f":{where['password']}" if where.get("password") else ""
        url = f"postgresql://{where['user']}{password}@{where['host']}:{where['port']}/{name}"
        yield Place(
            "PostgreSQL + RabbitMQ",
            {"DATABASE_URL": url, "BROKER_URL": amqp(ours)},
            {"broker_url": amqp(theirs)},
        )


PLACES: dict[str, Callable[[Path], contextlib.AbstractContextManager[Place]]] = {
    "embedded": embedded,
    "servers": servers,
}


def amqp(name: str) -> str:
    """The address of a virtual host."""
    return f"amqp://guest:guest@127.0.0.1:{RABBITMQ_PORT}/{name}"


@contextlib.contextmanager
def vhost() -> Iterator[str]:
    """A virtual host of the RabbitMQ that listens, gone at the end. Raises `Missing`."""
    control = shutil.which("rabbitmqctl")
    with socket.socket() as probe:
        listens = probe.connect_ex(("127.0.0.1", RABBITMQ_PORT)) == 0
    if not listens or control is None:
        raise Missing(f"no RabbitMQ on 127.0.0.1:{RABBITMQ_PORT} with a `rabbitmqctl` beside it")
    name = f"waggle_bench_{secrets.token_hex(5)}"

    def ask(*words: str) -> None:
        try:
            subprocess.run([control, *words], check=True, capture_output=True, timeout=SECONDS)
        except subprocess.CalledProcessError as error:
            text = error.stderr.decode(errors="replace").strip().splitlines()
            raise Missing(f"rabbitmqctl {words[0]}: {text[0] if text else error}") from error

    ask("add_vhost", name)
    try:
        ask("set_permissions", "-p", name, "guest", ".*", ".*", ".*")
        yield name
    finally:
        ask("delete_vhost", name)
