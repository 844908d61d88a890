"""One installation of Waggle in a folder of its own, and the simulators that it talks to."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from zoneinfo import ZoneInfo

import httpx

from simulators.main import BEMSERVER_PREFIX, build
from simulators.server import LocalServer

BIN = Path(sys.executable).parent
SECRET = "callback-secret-of-the-black-box-0123456789"
TOKEN = "canary-personal-token"
PASSWORD = "canary-plant-password"
PATIENCE = 40.0


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def noon_zone() -> str:
    """A time zone in which it is about noon: no test meets the end of a day."""
    ahead = 12 - datetime.now(UTC).hour
    return f"Etc/GMT{-ahead:+d}"  # POSIX counts westward


class House:
    """alice, her goals `energy` and `output`, and a plant with two meters."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.zone = noon_zone()
        self.processes: list[subprocess.Popen[bytes]] = []
        self._stack = contextlib.ExitStack()
        self._settings = settings

    def __enter__(self) -> Self:
        self.sims = build(
            autofetch_url=f"{self.url}/beeminder/autofetch/{SECRET}",
            deauthorize_url=f"{self.url}/beeminder/deauthorized/{SECRET}",
            redirect_uri=f"{self.url}/beeminder/callback",
            world=False,
        )
        self.server = self._stack.enter_context(LocalServer(self.sims.app))
        self.http = self._stack.enter_context(
            httpx.Client(base_url=self.url, timeout=40, limits=httpx.Limits(max_connections=None))
        )
        self.environment = self._environment()
        self._fill()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self.processes:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(12)
            if process.poll() is None:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
        self._stack.close()

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
        return kept | {
            "WAGGLE_HOME": str(self.folder / "home"),
            "PORT": str(self.port),
            "WAGGLE_BEEMINDER_URL": self.server.url,
            "WAGGLE_CALLBACK_SECRETS": SECRET,
            "WAGGLE_BEEMINDER_APP_NAME": "waggle",
            "WAGGLE_BEEMINDER_CLIENT_ID": "waggle",
            "ALICE_TOKEN": TOKEN,
            "PLANT_PASSWORD": PASSWORD,
            **self._settings,
        }

    def _fill(self) -> None:
        state = self.sims.beeminder.state
        self.sims.beeminder.register_app(
            "waggle",
            client_id="waggle",
            autofetch_url=f"{self.url}/beeminder/autofetch/{SECRET}",
            deauthorize_url=f"{self.url}/beeminder/deauthorized/{SECRET}",
            redirect_uri=f"{self.url}/beeminder/callback",
        )
        state.add_user("alice", timezone=self.zone, token=TOKEN)
        for slug in ("energy", "output"):
            state.add_goal("alice", slug, kyoom=True, aggday="sum", autodata="waggle")
        plant = self.sims.bemserver.state
        plant.add_user("alice@example.org", PASSWORD)
        self.series = plant.add_series("Main meter", campaign="Home").id
        self._values = {time.time() - 120: 1.5, time.time() - 60: 1.0}
        self.measure(self._values)

    def measure(self, values: dict[float, float]) -> None:
        """The meter has these values now."""
        self.sims.bemserver.state.set_values(self.series, list(values.items()), data_state="Clean")

    def grow(self, by: float) -> float:
        """The meter counts on; the sum of all that it has counted."""
        self._values[time.time() - 5] = by
        self.measure(self._values)
        return sum(self._values.values())

    def declare(self, *slugs: str, text: str = "") -> Path:
        """The file that links these goals to the meter."""
        feeds = "".join(
            f'[feeds."alice/{slug}"]\nsource = "plant"\nmetric = "timeseries_aggregate"\n'
            f"params = {{ timeseries = {self.series} }}\n"
            for slug in slugs
        )
        file = self.folder / "waggle.toml"
        file.write_text(
            f'[users.alice]\ntoken = {{ env = "ALICE_TOKEN" }}\n'
            f'[sources.plant]\nprovider = "bemserver"\nuser = "alice"\n'
            f'url = "{self.server.url}{BEMSERVER_PREFIX}"\nemail = "alice@example.org"\n'
            f'password = {{ env = "PLANT_PASSWORD" }}\n{feeds}{text}'
        )
        return file

    def run(self, *arguments: str, status: int | None = 0) -> subprocess.CompletedProcess[str]:
        """A command of Waggle's; its exit status is checked."""
        done = subprocess.run(
            [BIN / "waggle", *arguments],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert status is None or done.returncode == status, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def json(self, *arguments: str) -> Any:
        """What a command says with --json."""
        return json.loads(self.run(*arguments, "--json").stdout)

    def start(self, *arguments: str, **settings: str) -> subprocess.Popen[bytes]:
        """A process of Waggle's in a session of its own; its log is in `log`."""
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [BIN / "waggle", *arguments],
                env=self.environment | settings,
                cwd=self.folder,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def up(self, **settings: str) -> subprocess.Popen[bytes]:
        """`waggle up`, ready."""
        process = self.start("up", **settings)
        assert process.stdout is not None
        line = process.stdout.readline().decode()
        assert line == f"ready {self.url}\n", line + self.log()
        return process

    def kill(self) -> None:
        """Everything that `waggle up` started is gone at once, without a word."""
        up = self.processes[-1]
        for pid in [*self.children(), up.pid]:
            os.kill(pid, signal.SIGKILL)
        up.wait()

    def stop(self) -> int:
        """End the last process as a service manager would; its exit status."""
        self.processes[-1].send_signal(signal.SIGTERM)
        return self.processes[-1].wait(20)

    def log(self) -> str:
        """What all processes have logged so far."""
        return (self.folder / "log").read_text(errors="replace")

    def today(self) -> str:
        """The daystamp of a goal whose day ends at midnight."""
        return datetime.now(ZoneInfo(self.zone)).strftime("%Y%m%d")

    def autofetch(self, slug: str = "energy", **more: Any) -> httpx.Response:
        """Beeminder's callback."""
        data = {"username": "alice", "slug": slug}
        return self.http.post(f"/beeminder/autofetch/{SECRET}", data=data, **more)

    def ours(self, slug: str = "energy") -> dict[str, float]:
        """What Beeminder holds of ours, by requestid."""
        points = self.sims.beeminder.state.datapoints("alice", slug)
        return {point.requestid: point.value for point in points if point.requestid}

    def children(self) -> list[int]:
        """The processes that `waggle up` has started."""
        up = self.processes[-1].pid
        found = Path(f"/proc/{up}/task/{up}/children").read_text()
        return [int(pid) for pid in found.split()]

    def workers(self) -> list[int]:
        """Those of them that are workers, by the names that they have given themselves."""
        named = ((pid, Path(f"/proc/{pid}/comm").read_text()) for pid in self.children())
        return [pid for pid, name in named if name == "waggle worker\n"]

    def wait(self, until: Callable[[], object]) -> None:
        """Wait for something of another process to become true; bounded, polls."""
        ends_at = time.monotonic() + PATIENCE
        while not until():
            assert time.monotonic() < ends_at, "it did not happen in time" + self.log()[-3000:]
            time.sleep(0.05)
