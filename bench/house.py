"""One installation of Waggle, made for a measurement, and the commands that run in it."""

import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench import processes
from bench.places import Place

ROOT = Path(__file__).parents[1]
SECRET = "a-callback-secret-of-the-bench-0123456789"  # noqa: S105 -- made up, for loopback only
STARTS_WITHIN = 60.0


class BenchFailed(Exception):  # noqa: N818 -- says what happened
    """Nothing can be measured; the message says why."""


class House:
    """Its folder, its environment and its address; `settings` are added to those of the place."""

    def __init__(self, folder: Path, place: Place, **settings: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._up: subprocess.Popen[bytes] | None = None
        self.port = processes.free_port()
        self.home = folder / "home"
        self.ledger_url = place.waggle.get("DATABASE_URL", f"sqlite:///{self.home / 'waggle.db'}")
        self.environment = processes.environment(
            **{
                "WAGGLE_HOME": str(self.home),
                "WAGGLE_LOG_LEVEL": "warning",
                "WAGGLE_CALLBACK_SECRETS": SECRET,
                "PORT": str(self.port),
                "PYTHONPATH": str(ROOT),
                **place.waggle,
                **settings,
            }
        )

    @property
    def callback_url(self) -> str:
        """Where Beeminder's autofetch callbacks go."""
        return f"http://127.0.0.1:{self.port}/beeminder/autofetch/{SECRET}"

    def command(self, *arguments: str) -> Sequence[str]:
        """A `waggle` command, for `processes.running`."""
        return [sys.executable, "-m", "worker.cli.main", *arguments]

    def run(self, *arguments: str) -> str:
        """Run a command to its end; its standard output. Raises `BenchFailed`."""
        done = subprocess.run(
            self.command(*arguments),
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise BenchFailed(f"waggle {arguments[0]}: {done.stderr.strip()}")
        return done.stdout

    def start(self, stack: ExitStack) -> None:
        """`waggle up`, until the stack ends or it is told to `stop`. Raises `BenchFailed`."""
        up = processes.running(
            [self.command("up")], folder=self.folder, environment=self.environment
        )
        (self._up,) = stack.enter_context(up)
        self.wait()

    def stop(self) -> None:
        """End what was started."""
        if self._up is not None:
            self._up.terminate()
            self._up.wait()

    def wait(self) -> None:
        """Until its receiver listens. Raises `BenchFailed`."""
        try:
            processes.wait_for_port(self.port, STARTS_WITHIN)
        except TimeoutError as error:
            raise BenchFailed(f"{error}:\n{processes.tail(self.folder)}") from None
