"""Commands run in this process, in a folder of their own, with an environment of their own."""

import json
import logging
import signal
import sys
import threading
import time

import pytest
from click.testing import CliRunner
from cryptography.fernet import Fernet
from kombu.transport import filesystem

from db import tallies
from db.models import Feed, Worker
from db.tallies import Key, Seen
from db.vault import Vault
from simulators.server import LocalServer
from tasks.runtime import Runtime
from tests.world import KEY as WORLD_KEY
from tests.world import World
from worker import logs, redaction
from worker.cli.main import cli

KEY = Fernet.generate_key().decode()
SECRET = "callback-secret-of-the-tests"


@pytest.fixture(autouse=True)
def process_put_back(monkeypatch):
    """Commands set up logging and a broker for their process, which here is the tests' own."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    levels = {name: logging.getLogger(name).level for name in logs.QUIET}
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr(redaction, "_hidden", ())
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    logging.captureWarnings(capture=False)
    filesystem.Transport.global_state.clear()


class Waggle:
    """Runs commands; `env` is what they find in the environment beside what is there anyway."""

    def __init__(self, env):
        self.env = env

    def __call__(self, *arguments, status=0):
        """Run a command, check its exit status, return the result."""
        done = CliRunner().invoke(cli, arguments, env=self.env, prog_name="waggle")
        assert done.exit_code == status, f"{done.exit_code}: {done.output}{done.exception!r}"
        if done.exception is not None:
            assert isinstance(done.exception, SystemExit)
        return done

    def json(self, *arguments, status=0):
        """The one document that a command prints."""
        return json.loads(self(*arguments, "--json", status=status).stdout)

    def refusal(self, *arguments, status=2):
        """The one line on stderr of a command that is refused; nothing is on stdout."""
        done = self(*arguments, status=status)
        assert done.stdout == ""
        assert done.stderr.count("\n") == 1
        assert done.stderr.startswith("waggle: ")
        return done.stderr.removeprefix("waggle: ").rstrip("\n")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory of the commands."""
    made = tmp_path / "folder"
    made.mkdir()
    monkeypatch.chdir(made)
    return made


@pytest.fixture
def waggle(folder, database_url):
    """Commands with a ledger that `ledger` opens too."""
    return Waggle(
        {
            "WAGGLE_HOME": str(folder / "var"),
            "DATABASE_URL": database_url,
            "WAGGLE_SECRET_KEYS": KEY,
            "WAGGLE_CALLBACK_SECRETS": SECRET,
            "WAGGLE_PUBLIC_URL": "https://waggle.example.org",
            "ALICE_TOKEN": "canary-token",
            "PLANT_PASSWORD": "canary-password",
        }
    )


@pytest.fixture
def world(ledger):
    """The world at the time of this machine: commands have no other clock."""
    now = time.time()
    with World(ledger, at=now - 1) as made:
        made.measure(made.series, {now - 60: 2.0, now - 30: 0.5})
        yield made


@pytest.fixture
def here(waggle, world):
    """Commands of that world, which look at today only."""
    waggle.env |= {
        "WAGGLE_SECRET_KEYS": WORLD_KEY,
        "WAGGLE_BEEMINDER_URL": world.beeminder_server.url,
        "WAGGLE_LOOKBACK_DAYS": "0",
    }
    return waggle


@pytest.fixture
def interrupted(monkeypatch):
    """Have Ctrl-C pressed once: at the step of that name, the `time`th time that it is taken."""
    step = Runtime.step
    left = []

    def at(name, time=1):
        left.extend([name] * time)

    def pressed(rt, name):
        if name in left:
            left.remove(name)
            if not left:
                signal.raise_signal(signal.SIGINT)
        step(rt, name)

    monkeypatch.setattr(Runtime, "step", pressed)
    yield at
    assert not left, "that step was never taken"


@pytest.fixture
def vault():
    """What the commands encrypt with."""
    return Vault([KEY])


FILE = """
[users.alice]
token = { env = "ALICE_TOKEN" }

[sources.plant]
provider = "bemserver"
user = "alice"
url = "https://bem.example.org/api/v0"
email = "alice@example.org"
password = { env = "PLANT_PASSWORD" }

[feeds."alice/energy"]
source = "plant"
metric = "timeseries_aggregate"
params = { timeseries = 1 }

[feeds."alice/energy:roof"]
source = "plant"
metric = "timeseries_aggregate"
params = { timeseries = 2 }
"""


@pytest.fixture
def file(folder):
    """A file that declares alice, her plant and two feeds of one goal."""
    made = folder / "waggle.toml"
    made.write_text(FILE)
    return made


@pytest.fixture
def applied(waggle, file):
    """The same, applied."""
    waggle("apply", str(file))
    return waggle


@pytest.fixture
def diagnose(here, door):
    """Run the doctor; returns its findings by what they are about."""

    def diagnosed(*, status):
        found = here.json("doctor", status=status)
        return {finding["what"]: finding for finding in found}

    return diagnosed


class Door:
    """What stands at the public address: our receiver, as far as an empty callback can tell."""

    status = 400

    async def __call__(self, scope, receive, send):
        """Answer."""
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": self.status, "headers": []})
            await send({"type": "http.response.body", "body": b"{}"})


@pytest.fixture
def door(here):
    """A receiver at the public address."""
    made = Door()
    with LocalServer(made) as server:
        here.env["WAGGLE_PUBLIC_URL"] = server.url
        yield made


@pytest.fixture
def staffed(ledger, world):
    """A worker that is alive, where beat rings and nothing is due."""
    with ledger.write() as session:
        session.get_one(Feed, world.feed_id).due_at = 9e9
        tallies.mark(session, {Key(tallies.SWEEP): Seen(time.time())})
        session.add(
            Worker(name="w", queues="urgent,default,bulk", slots=1, started_at=0, seen_at=9e9)
        )
