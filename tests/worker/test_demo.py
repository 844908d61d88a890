"""Promises of the demo around its story; the story itself is played by CI."""

import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from simulators import demo_world
from simulators import main as simulators_main
from simulators.postgres import NoPostgres
from simulators.real_bemserver import StartFailed
from simulators.real_bemserver_install import InstallFailed
from worker import demo, settings
from worker.demo_report import Report
from worker.demo_sources import Plant


def test_the_demo_obeys_nothing_of_this_shell(tmp_path, monkeypatch):
    """A shell that is set up for production: the demo still writes to its own home only."""
    for name in ("DATABASE_URL", "REDIS_URL", "WAGGLE_SECRET_KEYS", "WAGGLE_HOLD_SECONDS"):
        monkeypatch.setenv(name, "postgresql://production/waggle")

    found = settings.load(demo._environment(tmp_path, 8123, "http://127.0.0.1:1"), None)

    assert found.database_url == f"sqlite:///{tmp_path / 'waggle.db'}"
    assert found.broker_url.startswith("filesystem:")
    assert (found.port, found.hold_seconds) == (8123, 25)
    assert found.callback_secrets == (demo.SECRET,)
    assert found.warnings == ()


def test_the_file_of_the_demo_is_what_a_newcomer_would_write(tmp_path):
    """Two goals of one person from one plant, and no secret in the file."""
    plant = Plant("a plant", "http://127.0.0.1:1/api/v0", lambda *_: None)

    text = demo._declaration(tmp_path, plant).read_text()

    declared = tomllib.loads(text)
    assert set(declared["feeds"]) == {f"{demo.USER}/energy", f"{demo.USER}/output"}
    assert declared["sources"]["plant"]["url"] == plant.url
    assert demo_world.PASSWORD not in text
    assert demo_world.BEEMINDER_TOKEN not in text


def test_a_taken_port_is_no_reason_to_fail():
    """Something else listens on the usual port: the demo takes another one."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        wanted = taken.getsockname()[1]
        assert demo._free_port(wanted) not in (0, wanted)


@pytest.mark.parametrize("error", [NoPostgres, InstallFailed, StartFailed, demo.DemoFailed])
def test_what_can_be_told_is_one_line_and_status_1(monkeypatch, capsys, error):
    """A machine without PostgreSQL, a Waggle that does not start: its reason, no traceback."""

    def fail(*_args, **_more):
        raise error("there is no room")

    monkeypatch.setattr(demo, "_running", fail)

    assert demo.run(once=True) == 1
    captured = capsys.readouterr()
    assert captured.err == "there is no room\n"


def test_a_command_that_fails_ends_the_demo_with_its_reason(tmp_path):
    """What the command said is not swallowed."""
    simulators = simulators_main.build()
    plant = Plant("a plant", "http://127.0.0.1:1/api/v0", lambda *_: None)
    environment = demo._environment(tmp_path, 8123, "http://127.0.0.1:1")
    made = demo.Demo(simulators, plant, "http://127.0.0.1:8123", environment, Report())

    with pytest.raises(demo.DemoFailed, match=r"waggle nonsense failed: .*nonsense"):
        made.waggle("nonsense")


def test_a_waggle_that_does_not_start_is_shown_with_its_log(tmp_path):
    """Somebody has the port: the demo says what Waggle said."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        environment = demo._environment(tmp_path, taken.getsockname()[1], "http://127.0.0.1:1")

        with (
            pytest.raises(demo.DemoFailed, match=r"did not become ready(.|\n)*already in use"),
            demo._waggle_up(environment, tmp_path),
        ):
            pytest.fail("it can't be ready")


def test_ctrl_c_ends_the_demo_without_a_traceback(monkeypatch, capsys):
    """That is how it ends: status 0 and nothing on stderr."""

    def interrupted(*_args, **_more):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "_running", interrupted)

    assert demo.run(once=False) == 0
    assert capsys.readouterr().err == ""


def test_the_demo_is_light_until_it_is_played():
    """`waggle demo --help` starts no simulator."""
    done = subprocess.run(
        [sys.executable, "-m", "worker.cli.main", "demo", "--help"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert "--once" in done.stdout
