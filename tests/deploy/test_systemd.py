"""The units are what systemd understands, and leave a process little to do harm with."""

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.lines import DEPLOY

SYSTEMD = DEPLOY / "systemd"
SHARED = SYSTEMD / "waggle-.service.d" / "common.conf"
PROGRAM = "/opt/waggle/bin/waggle"
UNITS = (
    "waggle.service",
    "waggle.target",
    "waggle-web@8000.service",
    "waggle-worker@1.service",
    "waggle-beat.service",
    "waggle-progress@1.service",
)
WORST = 20  # tenths, of what `systemd-analyze security` calls exposure; 100 is bare


class Unit(configparser.RawConfigParser):
    """A unit file: names keep their case, and may come more than once."""

    def optionxform(self, optionstr: str) -> str:
        """As it is."""
        return optionstr


def unit(path: Path) -> Unit:
    """A unit file, read."""
    found = Unit(strict=False, delimiters=("=",), interpolation=None)
    found.read_string(path.read_text())
    return found


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units as they would be installed, on a machine that has the program."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed (Debian: systemd)")
    folder = tmp_path / "units"
    shutil.copytree(SYSTEMD, folder)
    for path in folder.glob("*.service"):
        text = path.read_text()
        assert PROGRAM in text
        path.write_text(text.replace(PROGRAM, shutil.which("true") or "/bin/true"))
    return folder


def analyze(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What systemd says of these units, beside those of the machine."""
    return subprocess.run(
        [shutil.which("systemd-analyze") or "systemd-analyze", *arguments],
        env={"SYSTEMD_UNIT_PATH": f"{folder}:", "PATH": "/usr/bin:/bin", "SYSTEMD_COLORS": "0"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_systemd_understands_every_unit(units: Path) -> None:
    """No unknown name, no bad value, no unit that is missing."""
    done = analyze(units, "verify", "--man=no", *UNITS)
    ours = [line for line in done.stderr.splitlines() if "waggle" in line or str(units) in line]
    assert (done.returncode, ours) == (0, [])


@pytest.mark.parametrize("name", [name for name in UNITS if name.endswith(".service")])
def test_a_service_can_do_little_harm(units: Path, name: str) -> None:
    """By systemd's own measure, also where the rules come from the drop-in that all share."""
    done = analyze(units, "security", "--offline=true", "--no-pager", f"--threshold={WORST}", name)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr


def test_the_one_unit_is_as_strict_as_the_many() -> None:
    """`waggle.service` says for itself what the others share."""
    one, shared = unit(SYSTEMD / "waggle.service"), unit(SHARED)
    alone = dict(one["Service"])
    assert alone.pop("ExecStart") == f"{PROGRAM} up"
    assert alone == dict(shared["Service"])
    assert one["Unit"]["StartLimitIntervalSec"] == shared["Unit"]["StartLimitIntervalSec"] == "0"


def test_services_come_back_and_are_given_time_to_end() -> None:
    """A database that is away is waited for; a stop may hand leases back before SIGKILL."""
    shared = unit(SHARED)["Service"]
    assert shared["Restart"] == "always"
    assert shared["RestartPreventExitStatus"] == "2"
    assert int(shared["TimeoutStopSec"]) > 10
    assert shared["User"] == "waggle"
    assert shared["EnvironmentFile"] == "/etc/waggle/waggle.env"


def test_a_target_stops_and_starts_what_belongs_to_it() -> None:
    """Each process of this machine is part of `waggle.target`, and wanted by it once enabled."""
    for path in SYSTEMD.glob("waggle-*.service"):
        found = unit(path)
        assert found["Unit"]["PartOf"] == found["Install"]["WantedBy"] == "waggle.target"
