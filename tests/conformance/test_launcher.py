"""The launcher of the real BEMServer: quick again, private if need be, gone afterwards."""

import functools
import os
import signal
import subprocess
import sys
import time

import httpx
import psycopg
import pytest

from simulators import bemserver_seed, postgres, real_bemserver, real_bemserver_install

NOBODY_LISTENS = 1


@pytest.fixture
def home(bem, tmp_path):
    """A home of its own, so that other runs don't disturb, which borrows the installation."""
    (tmp_path / "venv").symlink_to(bem.home / "venv")
    return tmp_path


@pytest.fixture
def exists():
    """Say whether the running PostgreSQL has a database; a private one is gone by then."""
    connection = postgres.running()
    if connection is None:
        pytest.skip("no PostgreSQL runs on 127.0.0.1:5432 that could keep a database")
    return functools.partial(_exists, connection)


def _exists(connection, name):
    with psycopg.connect(connection) as session:
        found = session.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        return found.fetchone() is not None


def test_installing_again_does_nothing(bem):
    """The second installation is silent and quick."""
    said = []
    before = time.monotonic()
    python = real_bemserver_install.ensure(bem.home, say=said.append)
    assert (python.exists(), said) == (True, [])
    assert time.monotonic() - before < 1


def test_lifetimes_and_seed_are_the_callers(bem):
    """A second server has its own lifetimes and data, and its tokens really run out."""
    seed = bemserver_seed.Seed(
        users=(bemserver_seed.User(name="A", email="a@b.test", password="pw", admin=True),),
        campaigns=(bemserver_seed.Campaign(name="C", scopes=("S",)),),
        groups=(),
        series=(
            bemserver_seed.Series(
                name="T", unit="W", campaign="C", scope="S", samples={"Clean": ((0.5, 2.0),)}
            ),
        ),
    )
    with real_bemserver.RealBemserver(
        bem.home, access_lifetime=-1, refresh_lifetime=60, seed=seed
    ) as server:
        login = {"email": "a@b.test", "password": "pw"}
        pair = httpx.post(f"{server.url}/auth/token", json=login, trust_env=False).json()
        dead = {"Authorization": f"Bearer {pair['access_token']}"}
        answer = httpx.get(f"{server.url}/timeseries/", headers=dead, trust_env=False)
        assert answer.json()["errors"] == {"authentication": "expired_token"}
        good = {"Authorization": f"Bearer {server.token('a@b.test')}"}
        series = httpx.get(f"{server.url}/timeseries/", headers=good, trust_env=False).json()
        assert [item["name"] for item in series] == ["T"]


def test_it_leaves_nothing_behind(home, exists):
    """After the block the port is closed, the database dropped and the run's folder gone."""
    with real_bemserver.RealBemserver(home) as server:
        assert exists(server.database)
    assert not exists(server.database)
    assert {path.name for path in home.iterdir()} == {"venv", "venv.lock"}
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.url}/about/", trust_env=False)


def test_a_private_postgresql_serves_when_none_runs(home):
    """Where nothing listens a private PostgreSQL is made, and gone with the server."""
    if postgres.programs() is None:
        pytest.skip("a private PostgreSQL needs `initdb`, which is not installed")
    with real_bemserver.RealBemserver(home, postgres_port=NOBODY_LISTENS) as server:
        assert httpx.get(f"{server.url}/about/", trust_env=False).status_code == 200
    assert {path.name for path in home.iterdir()} == {"venv", "venv.lock"}


def test_a_killed_parent_takes_the_server_along(home, exists):
    """The server ends and drops its database even when its parent is killed."""
    script = (
        "import sys, pathlib; from simulators.real_bemserver import RealBemserver\n"
        "server = RealBemserver(pathlib.Path(sys.argv[1])).__enter__()\n"
        "print(server.url, server.database, flush=True); sys.stdin.read()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, home],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=real_bemserver.INSIDE.parents[1],
    )
    url, database = parent.stdout.readline().decode().split()
    os.kill(parent.pid, signal.SIGKILL)
    parent.communicate()
    until = time.monotonic() + 20
    while exists(database):
        assert time.monotonic() < until, "the database is still there"
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/about/", trust_env=False)
