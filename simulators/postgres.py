"""A PostgreSQL for tests and demos: the one that runs here, or a private one.

Nothing is installed and nothing outside the given folder (or the system's temporary folder) is
written. A private server asks for a password made for it, and ends with the process that began it.
"""

import contextlib
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import psycopg
from psycopg import sql

PORT = 5432
INSTALLED = sorted(Path("/usr/lib/postgresql").glob("[1-9][0-9]/bin"), reverse=True)
"""Where Debian keeps the programs of each version, newest first."""

# A shell that outlives nobody: it ends PostgreSQL when its standard input closes, which happens
# also when the process that began it is killed.
GUARD = '"$@" & child=$!; cat > /dev/null; kill -INT "$child"; wait "$child"'
SECONDS = 30.0


class NoPostgres(RuntimeError):  # noqa: N818 - named by what the person lacks
    """There is no PostgreSQL to use; the message is one line that says what to install."""


@contextlib.contextmanager
def server(home: Path, *, port: int = PORT, folders: Sequence[Path] | None = None) -> Iterator[str]:
    """Give the connection string of a server on which databases may be made.

    `port` is where a running one is looked for on 127.0.0.1 (user postgres, no password or the one
    in PGPASSWORD); `folders` are searched for `initdb` instead of the usual ones.
    """
    connection = running(port)
    if connection is not None:
        yield connection
        return
    folder = programs(folders)
    if folder is None:
        raise NoPostgres(
            f"no PostgreSQL: none lets user postgres in on 127.0.0.1:{port} and `initdb` is not "
            "installed; install one, for example with `apt install postgresql`"
        )
    with _private(home, folder) as private:
        yield private


@contextlib.contextmanager
def database(connection: str, *, prefix: str) -> Iterator[str]:
    """Make an empty database `<prefix>_<random>`, give its name, drop it at the end."""
    name = f"{prefix}_{secrets.token_hex(6)}"
    with psycopg.connect(connection, autocommit=True) as session:
        session.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(
                sql.Identifier(name)
            )
        )
    try:
        yield name
    finally:
        with psycopg.connect(connection, autocommit=True) as session:
            session.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )


def running(port: int = PORT) -> str | None:
    """Return the connection string of a server that lets user postgres in here, None otherwise."""
    connection = f"host=127.0.0.1 port={port} user=postgres dbname=postgres connect_timeout=3"
    return connection if _answers(connection) else None


def programs(folders: Sequence[Path] | None = None) -> Path | None:
    """Return the first folder that has the programs of PostgreSQL, None when none has."""
    if folders is None:
        found = shutil.which("initdb")
        folders = [Path(found).resolve().parent] if found else []
        folders = [*folders, *INSTALLED]
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    return None


def _answers(connection: str) -> bool:
    try:
        with psycopg.connect(connection) as session:
            row = session.execute("SELECT rolcreatedb FROM pg_roles WHERE rolname = current_user")
            return row.fetchone() == (True,)
    except psycopg.OperationalError:
        return False


@contextlib.contextmanager
def _private(home: Path, binaries: Path) -> Iterator[str]:
    owner = _owner()
    with tempfile.TemporaryDirectory(prefix="postgres-", dir=_reachable(home, owner)) as text:
        folder, password = Path(text), secrets.token_urlsafe(18)
        secret, log = folder / "password", folder / "log"
        secret.write_text(password)
        log.touch()
        if owner is not None:
            for path in (folder, secret, log):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        _initialise(folder, binaries=binaries, owner=owner)
        port = _free_port()
        connection = (
            f"host=127.0.0.1 port={port} user=postgres password={password} dbname=postgres "
            "connect_timeout=3"
        )
        guard = _start(folder, binaries=binaries, owner=owner, port=port)
        try:
            _wait(connection, log)
            yield connection
        finally:
            guard.communicate(timeout=SECONDS)


def _initialise(folder: Path, *, binaries: Path, owner: pwd.struct_passwd | None) -> None:
    done = _run(
        [
            str(binaries / "initdb"),
            *("--pgdata", str(folder / "data"), "--pwfile", str(folder / "password")),
            *("--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8"),
            *("--no-locale", "--no-sync"),
        ],
        folder=folder,
        owner=owner,
    )
    _, errors = done.communicate(timeout=SECONDS)
    if done.returncode:
        said = errors.decode(errors="replace").strip()[-300:]
        raise NoPostgres(f"no PostgreSQL: initdb failed: {said}")


def _start(
    folder: Path, *, binaries: Path, owner: pwd.struct_passwd | None, port: int
) -> subprocess.Popen[bytes]:
    options = (
        f"listen_addresses=127.0.0.1 port={port} unix_socket_directories= "
        "fsync=off full_page_writes=off max_connections=60 logging_collector=off"
    )
    arguments = [part for option in options.split() for part in ("-c", option)]
    command = [str(binaries / "postgres"), "-D", str(folder / "data"), *arguments]
    with (folder / "log").open("ab") as log:
        return _run(["/bin/sh", "-c", GUARD, "sh", *command], folder=folder, owner=owner, out=log)


def _run(
    command: list[str],
    *,
    folder: Path,
    owner: pwd.struct_passwd | None,
    out: IO[bytes] | None = None,
) -> subprocess.Popen[bytes]:
    # Its own session: Ctrl-C in a terminal must not reach it before we are done with it.
    return subprocess.Popen(  # noqa: S603 - programs found above, fixed arguments
        command,
        cwd=folder,
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        stdin=subprocess.PIPE,
        stdout=out or subprocess.PIPE,
        stderr=out or subprocess.PIPE,
        start_new_session=True,
        user=None if owner is None else owner.pw_uid,
        group=None if owner is None else owner.pw_gid,
        extra_groups=None if owner is None else [],
    )


def _wait(connection: str, log: Path) -> None:
    until = time.monotonic() + SECONDS
    while not _answers(connection):
        if time.monotonic() > until:
            tail = log.read_text(errors="replace").strip()[-300:]
            raise NoPostgres(f"no PostgreSQL: the private one did not start: {tail}")
        time.sleep(0.05)


def _owner() -> pwd.struct_passwd | None:
    # PostgreSQL refuses to run as root.
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise NoPostgres("no PostgreSQL: as root it needs a user `postgres` or `nobody` to run as")


def _reachable(home: Path, owner: pwd.struct_passwd | None) -> Path | None:
    # Another user can't get into a closed folder; None stands for the system's temporary one.
    home.mkdir(parents=True, exist_ok=True)
    home = home.resolve()
    closed = owner is not None and any(
        not path.stat().st_mode & 0o001 for path in (home, *home.parents)
    )
    return None if closed else home


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
