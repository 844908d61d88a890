"""An earlier Waggle out of the history of this repository, run beside the one under test."""

import os
import re
import subprocess
import sys
import tarfile
import time
from io import BytesIO
from pathlib import Path

import pytest

from tests.blackbox.house import House

ROOT = Path(__file__).parents[2]
PACKAGES = ("clients", "db", "simulators", "tasks", "webhooks", "worker")
COMMIT = "the commit before"
SCHEMA = "the last one with other tables"
PATIENCE = 40.0


def checkout(which: str, folder: Path) -> Path:
    """The packages of an earlier revision; skips where its history is not here, and says why."""
    revision = "HEAD~1" if which == COMMIT else _before_the_last_change_of_tables()
    packed = _git("archive", revision, *PACKAGES)
    with tarfile.open(fileobj=BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def head(checked_out: Path) -> str:
    """The newest revision of the tables that a checkout knows."""
    versions = checked_out / "db" / "migrations" / "versions"
    return max(path.name.partition("_")[0] for path in versions.glob("[0-9]*.py"))


class Process:
    """One process of a House with a log of its own; `checked_out`: run from there."""

    def __init__(
        self, house: House, name: str, *arguments: str, checked_out: Path = ROOT, port: int = 0
    ) -> None:
        self.log_file = house.folder / f"{name}.log"
        environment = house.environment | {"PYTHONPATH": str(checked_out), "PORT": str(port)}
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "worker.cli.main", *arguments],
                env=environment,
                cwd=house.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        house.processes.append(self.process)
        (house.folder / "log").touch()  # what the house itself would show

    def log(self) -> str:
        """What it has said so far."""
        return self.log_file.read_text(errors="replace")

    def stop(self) -> None:
        """End it as a service manager would: it has to be gone in ten seconds, without a fuss."""
        began = time.monotonic()
        self.process.terminate()
        assert self.process.wait(20) == 0, self.log()[-3000:]
        assert time.monotonic() - began < 10
        assert "Traceback" not in self.log()


def _before_the_last_change_of_tables() -> str:
    """The last revision without any of the migrations that came after its own tables."""
    said = re.compile(r'^HEAD = "(\d+)"$', re.MULTILINE)
    set_by = _git("log", "-1", "--format=%H", "-G^HEAD = ", "--", "db/schema.py").decode().strip()
    (known,) = said.findall(_git("show", f"{set_by}~1:db/schema.py").decode())
    files = sorted((ROOT / "db" / "migrations" / "versions").glob("[0-9]*.py"))
    later = [str(path.relative_to(ROOT)) for path in files if path.name.partition("_")[0] > known]
    added = _git("log", "--reverse", "--format=%H", "--diff-filter=A", "--", *later)
    return f"{added.decode().split()[0]}~1"


def _git(*arguments: str) -> bytes:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-C", str(ROOT), *arguments]
    try:
        done = subprocess.run(command, env=clean, capture_output=True, timeout=60, check=False)
    except FileNotFoundError:
        pytest.skip("upgrade: git is not installed, so there is no earlier version to run")
    if done.returncode != 0:
        why = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        pytest.skip(f"upgrade: the history of this checkout has no earlier version: {why}")
    return done.stdout
