"""`make demo`: everything for real on this machine, and a look at what happened to each callback.

The simulators run in this process, Waggle runs as its users run it (`waggle up`, on the embedded
default, in a fresh home), and the simulated Beeminder calls it over HTTP. At the end what the
ledger says is compared with what Beeminder holds.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from simulators import demo_world
from simulators import main as simulators_main
from simulators.beeminder_calls import CallResult
from simulators.faults import Fault
from simulators.main import Simulators
from simulators.postgres import NoPostgres
from simulators.real_bemserver import StartFailed
from simulators.real_bemserver_install import InstallFailed
from simulators.server import LocalServer
from worker import demo_report, demo_sources
from worker.demo_sources import Plant
from worker.supervisor import PYTHON

READY_SECONDS = 60.0
FOREIGN = ("WAGGLE_", "DATABASE_URL", "BROKER_URL", "CLOUDAMQP_URL", "RABBITMQ_URL", "REDIS_URL")
CROWD = 20
DAY = 86400.0
USER = demo_world.USERNAME
SECRET = "demo-callback-secret-0123456789abcdef"  # noqa: S105 -- made up, for loopback only


@dataclass(slots=True)
class Demo:
    """A running demo; `answers` are what Beeminder got for its calls."""

    simulators: Simulators
    plant: Plant
    waggle_url: str
    environment: dict[str, str]
    report: demo_report.Report
    answers: list[tuple[str, CallResult]] = field(default_factory=list)

    def refresh(self, slug: str, story: str) -> None:
        """Beeminder asks for fresh data of a goal, and waits for the answer."""
        self._note(story, self.simulators.beeminder.calls.refresh(USER, slug))

    def crowd(self, slug: str, story: str) -> None:
        """Many refreshes of one goal at once."""
        results: list[CallResult] = []
        press = self.simulators.beeminder.calls.refresh
        threads = [
            threading.Thread(target=lambda: results.append(press(USER, slug))) for _ in range(CROWD)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for number, result in enumerate(results):
            self._note(story if number == 0 else "", result, quiet=number > 0)

    def remind(self, slug: str, story: str) -> None:
        """A reminder goes to the person's hook."""
        hook = self.waggle("hook", USER).strip().splitlines()[-1].split()[-1]
        self._note(story, self.simulators.beeminder.calls.remind(USER, slug, url=hook))

    def command(self, *arguments: str, story: str) -> None:
        """What a person does on the command line, and what that prints."""
        self.report.command(story, " ".join(arguments), self.waggle(*arguments))

    def waggle(self, *arguments: str) -> str:
        """Run a command of Waggle's; its standard output."""
        done = subprocess.run(  # noqa: S603 -- our own command line
            [*PYTHON, "worker.cli.main", *arguments],
            env=self.environment,
            cwd=self.environment["WAGGLE_HOME"],  # no `.env` of this folder counts
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            message = f"waggle {' '.join(arguments)} failed: {done.stderr.strip()}"
            raise DemoFailed(message)
        return done.stdout

    def _note(self, story: str, result: CallResult, *, quiet: bool = False) -> None:
        self.answers.append((story, result))
        if not quiet:
            self.report.call(story, result)


class DemoFailed(Exception):  # noqa: N818 -- says what happened
    """The demo could not be played to its end."""


def run(*, once: bool, real: bool = False) -> int:
    """Play the demo; returns the exit status. `once`: end by itself, else wait for Ctrl-C."""
    report = demo_report.Report()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like a Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with _running(report, real=real) as demo:
            _play(demo)
            good = _settle(demo)
            if not once:
                report.pages(demo.waggle_url, demo.environment["WAGGLE_BEEMINDER_URL"])
                report.login(demo.waggle("login", "--user", USER).strip().splitlines()[-1])
                _wait_for_end()
            return 0 if good else 1
    except (NoPostgres, InstallFailed, StartFailed, DemoFailed) as error:
        report.failed(str(error))
        return 1
    except KeyboardInterrupt:
        return 0


def _play(demo: Demo) -> None:
    faults, now = demo.simulators.faults, time.time()
    demo.report.heading()
    demo.refresh("energy", "first refresh: today and the two days before")
    demo.refresh("output", "the other goal, whose day ends at 3 in the morning")
    demo.plant.grow(demo_world.HOME_SERIES, now - 60, 0.25)
    demo.refresh("energy", "a new reading at the meter: the same datapoint grows")
    demo.refresh("energy", "nothing new: nothing is written")
    demo.plant.grow(demo_world.HOME_SERIES, now - 50, 0.25)
    faults.add(Fault(method="POST", path="/datapoints", status=503, retry_after="1"))
    demo.refresh("energy", "Beeminder says 503, Retry-After: 1")
    demo.plant.grow(demo_world.HOME_SERIES, now - 40, 0.25)
    faults.add(Fault(action="lose_reply", method="POST", path="/datapoints"))
    demo.refresh("energy", "Beeminder's reply is lost after it wrote")
    faults.add(Fault(path="/bemserver/", status=500))
    demo.refresh("energy", "the source fails once")
    demo.crowd("energy", f"{CROWD} refreshes at the same moment")
    past = now - 2 * DAY
    day = datetime.fromtimestamp(past, ZoneInfo(demo_world.ZONE)).date().isoformat()
    demo.plant.grow(demo_world.HOME_SERIES, past, 3.0)
    demo.refresh("energy", "3 kWh more on a day that is over: it could derail, so it is kept back")
    demo.command("approve", f"{USER}/energy", day, story="somebody says that it is right")
    demo.plant.grow(demo_world.ROOF_SERIES, now - 30, 0.5)
    demo.remind("output", "a reminder: `output` is about to derail")


def _settle(demo: Demo) -> bool:
    """Wait until nothing is under way, then compare the two sides."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        status = json.loads(demo.waggle("status", "--json"))
        inbox = status["inbox"]
        if inbox["received"] == inbox["working"] == status["outbox"]["pending"] == 0:
            break
        time.sleep(0.2)
    answered = all(result.status in (200, 202) for _, result in demo.answers)
    same = True
    for slug in ("energy", "output"):
        ours = {
            point["requestid"]: point["value"]
            for point in json.loads(demo.waggle("datapoints", f"{USER}/{slug}", "--json"))
            if point["state"] == "landed"
        }
        theirs = {
            point.requestid: point.value
            for point in demo.simulators.beeminder.state.datapoints(USER, slug)
            if point.requestid is not None
        }
        same = same and ours == theirs and bool(ours)
        demo.report.goal(slug, demo.simulators.beeminder.state.datapoints(USER, slug), ours, theirs)
    demo.report.verdict(answered=answered, same=same, callbacks=len(demo.answers))
    return answered and same


@contextlib.contextmanager
def _running(report: demo_report.Report, *, real: bool) -> Iterator[Demo]:
    home = Path("var/demo").absolute()
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True, mode=0o700)
    port = _free_port(8000)
    url = f"http://127.0.0.1:{port}"
    simulators = simulators_main.build(
        autofetch_url=f"{url}/beeminder/autofetch/{SECRET}",
        deauthorize_url=f"{url}/beeminder/deauthorized/{SECRET}",
        redirect_uri=f"{url}/beeminder/callback",
    )
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(LocalServer(simulators.app, "127.0.0.1", _free_port(8100)))
        plant = (
            stack.enter_context(demo_sources.real(Path("var/bemserver"), report.step))
            if real
            else demo_sources.simulated(simulators, server.url)
        )
        report.step(f"simulated Beeminder at {server.url}, {plant.kind} at {plant.url}")
        environment = _environment(home, port, server.url)
        demo = Demo(simulators, plant, url, environment, report)
        stack.enter_context(_waggle_up(environment, home))
        report.step(f"waggle up: ready at {url}")
        report.step(demo.waggle("apply", str(_declaration(home, plant))).rstrip())
        yield demo


def _environment(home: Path, port: int, beeminder: str) -> dict[str, str]:
    app = demo_world.APP_NAME
    ours = {
        "WAGGLE_HOME": str(home),
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "WAGGLE_BEEMINDER_URL": beeminder,
        "WAGGLE_CALLBACK_SECRETS": SECRET,
        "WAGGLE_BEEMINDER_APP_NAME": app,
        "WAGGLE_BEEMINDER_CLIENT_ID": f"id-of-{app}",
        "WAGGLE_LOG_LEVEL": "info",
        "DEMO_BEEMINDER_TOKEN": demo_world.BEEMINDER_TOKEN,
        "DEMO_PLANT_PASSWORD": demo_world.PASSWORD,
    }
    # The demo is the embedded default whatever this shell is set up for.
    return {
        name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)
    } | ours


def _declaration(home: Path, plant: Plant) -> Path:
    """The file that links the demo's user: what a newcomer would write."""
    feeds = "".join(
        f'\n[feeds."{USER}/{slug}"]\nsource = "plant"\nmetric = "timeseries_aggregate"\n'
        f'params = {{ timeseries = "{series}", campaign = "{campaign}" }}\n'
        for slug, series, campaign in (
            ("energy", demo_world.HOME_SERIES, "Rue des Lilas"),
            ("output", demo_world.ROOF_SERIES, "Workshop"),
        )
    )
    file = home / "waggle.toml"
    file.write_text(
        f'[users.{USER}]\ntoken = {{ env = "DEMO_BEEMINDER_TOKEN" }}\n'
        f'\n[sources.plant]\nprovider = "bemserver"\nuser = "{USER}"\nurl = "{plant.url}"\n'
        f'email = "{demo_world.EMAIL}"\npassword = {{ env = "DEMO_PLANT_PASSWORD" }}\n{feeds}'
    )
    return file


@contextlib.contextmanager
def _waggle_up(environment: dict[str, str], home: Path) -> Iterator[None]:
    log = home / "waggle.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(  # noqa: S603 -- our own command line
            [*PYTHON, "worker.cli.main", "up"],
            env=environment,
            cwd=home,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
    try:
        line = _first_line(process)
        if not line.startswith("ready "):
            message = f"waggle up did not become ready; the end of {log}:\n{_tail(log)}"
            raise DemoFailed(message)
        yield
    finally:
        process.terminate()
        process.wait(15)
        if process.stdout is not None:
            process.stdout.close()


def _first_line(process: subprocess.Popen[bytes]) -> str:
    if process.stdout is None:
        return ""
    return process.stdout.readline().decode()


def _tail(log: Path, lines: int = 12) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def _free_port(wanted: int) -> int:
    """The wanted port, or another one if it is taken."""
    for port in (wanted, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    message = "no free port on 127.0.0.1"
    raise DemoFailed(message)


def _wait_for_end() -> None:
    threading.Event().wait()
