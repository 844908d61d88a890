"""Brokers for machines that have the programs but where nothing listens on the usual ports."""

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

START_SECONDS = 60.0
STOP_SECONDS = 20.0
RABBITMQ_PROGRAMS = ("/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server")


def listens(port: int) -> bool:
    """Is there a service on this loopback port?"""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def program(kind: str) -> str | None:
    """The server program of this kind of broker, None where it is not installed."""
    names = {"redis": ("redis-server",), "rabbitmq": RABBITMQ_PROGRAMS}[kind]
    return next((found for found in map(shutil.which, names) if found), None)


@contextlib.contextmanager
def running(kind: str, home: Path) -> Iterator[int]:
    """A server of this run's own, with everything it writes under `home`; yields its port."""
    found = program(kind)
    assert found is not None
    home.mkdir(parents=True, exist_ok=True)
    port = _free_port()
    if kind == "redis":
        command = [found, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(home)]
        with _serving([*command, "--save", "", "--appendonly", "no"], {}, home, port):
            yield port
        return
    with _serving([found], _rabbitmq_environment(home, port), home, port):
        yield port


def _rabbitmq_environment(home: Path, port: int) -> dict[str, str]:
    (home / "plugins").write_text("[].\n")  # none: the management plugin has a port of its own
    return {
        "HOME": str(home),  # the cookie of this node alone
        "RABBITMQ_NODENAME": f"waggle_{secrets.token_hex(4)}@localhost",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_DIST_PORT": str(_free_port()),
        "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_CONFIG_FILE": str(home / "none"),
        "RABBITMQ_CONF_ENV_FILE": os.devnull,
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
        "RABBITMQ_PID_FILE": str(home / "pid"),
        "ERL_CRASH_DUMP": os.devnull,  # it would be written into the folder that tests run in
    }


@contextlib.contextmanager
def _serving(
    command: Sequence[str], environment: dict[str, str], home: Path, port: int
) -> Iterator[None]:
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, env=os.environ | environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        ends_at = time.monotonic() + START_SECONDS
        while not listens(port):
            told = (home / "server.log").read_text(errors="replace")[-2000:]
            assert process.poll() is None, told
            assert time.monotonic() < ends_at, told
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
