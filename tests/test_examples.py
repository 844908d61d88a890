"""The files that newcomers copy: the example, and the one in the README."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = (ROOT / "examples" / "sources.toml").read_text(encoding="utf-8")
EXAMPLE = (ROOT / "examples" / "waggle.toml").read_text(encoding="utf-8")
SECRETS = ("PLANT_PASSWORD", "BIME_TOKEN", "BIME_SECRET", "BMPARTS_KEY", "RIME_KEY")
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHOWN = "\n".join(re.findall(r"```toml\n(.*?)```", README, re.DOTALL))


@pytest.mark.parametrize(
    ("text", "made"),
    [
        pytest.param(
            SOURCES,
            [
                *("plant", "boards", "linked", "shop", "etl"),
                *("alice/energy", "alice/dashboards", "alice/people", "alice/orders"),
                *("alice/debt", "alice/rows"),
            ],
            id="sources",
        ),
        pytest.param(
            EXAMPLE,
            ["plant", "alice/energy", "alice/solar:roof", "alice/solar:shed", "alice/water"],
            id="examples",
        ),
        pytest.param(SHOWN, ["plant", "alice/energy"], id="README"),
    ],
)
def test_what_is_shown_is_accepted(tmp_path, text, made):
    """`waggle apply --dry-run` takes the file as it stands, and keeps nothing of it."""
    environment = {
        "WAGGLE_HOME": str(tmp_path / "home"),
        "ALICE_BEEMINDER_TOKEN": "canary-token",
        **dict.fromkeys(SECRETS, "canary-password"),
        "PYTHONPATH": str(ROOT),
    }
    (tmp_path / "waggle.toml").write_text(text, encoding="utf-8")

    def waggle(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "worker.cli.main", *arguments, "--json"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "canary" not in done.stdout + done.stderr
        return json.loads(done.stdout)

    told = waggle("apply", "waggle.toml", "--dry-run")

    created = [change["name"] for change in told["changes"] if change["action"] == "created"]
    assert created == ["alice", *made]
    assert waggle("status")["feeds"] == []


PACKAGE = ROOT / "examples" / "waggle-json"
TOLD = """
[users.alice]
token = "canary-token"

[sources.tank]
provider = "json"
user = "alice"
url = "https://api.example.org/v1"
token = { env = "PLANT_PASSWORD" }

[feeds."alice/tank"]
source = "tank"
metric = "number"
params = { path = "tank", pointer = "/tank/litres", unit = "l" }

[feeds."alice/pages"]
source = "tank"
metric = "number_of_day"
params = { path = "days/{day}", pointer = "/pages/0/read" }
"""


@pytest.fixture
def installed(tmp_path):
    """The example package as `pip install` leaves it, without an index: code and metadata."""
    about = tomllib.loads((PACKAGE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    site = tmp_path / "site"
    shutil.copytree(PACKAGE / "waggle_json", site / "waggle_json")
    metadata = site / f"waggle_json-{about['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {about['name']}\nVersion: {about['version']}\n"
    )
    points = [
        "\n".join([f"[{group}]", *(f"{name} = {value}" for name, value in named.items())])
        for group, named in about["entry-points"].items()
    ]
    (metadata / "entry_points.txt").write_text("\n".join(points) + "\n")

    def python(*arguments, status=0):
        environment = {
            "WAGGLE_HOME": str(tmp_path / "home"),
            "PLANT_PASSWORD": "canary-password",
            "PYTHONPATH": f"{ROOT}:{site}",
        }
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        assert "canary" not in done.stdout + done.stderr
        return done

    return python


def test_the_example_package_joins_by_its_metadata(installed, tmp_path):
    """`waggle metrics` lists it, `waggle apply` takes a file with it, and tells slips in one."""
    listed = json.loads(installed("worker.cli.main", "metrics", "--json").stdout)
    (ours,) = [provider for provider in listed if provider["provider"] == "json"]
    assert [metric["metric"] for metric in ours["metrics"]] == ["number", "number_of_day"]
    assert [setting["name"] for setting in ours["settings"] if setting["secret"]] == ["token"]

    file = tmp_path / "waggle.toml"
    apply = ("worker.cli.main", "apply", "waggle.toml", "--dry-run")
    file.write_text(TOLD, encoding="utf-8")
    told = json.loads(installed(*apply, "--json").stdout)
    created = [change["name"] for change in told["changes"] if change["action"] == "created"]
    assert created == ["alice", "tank", "alice/tank", "alice/pages"]

    file.write_text(TOLD.replace("days/{day}", "days"), encoding="utf-8")
    assert "days would be all alike" in installed(*apply, status=2).stderr


def test_the_example_package_keeps_every_promise(installed):
    """The command that its README shows says ok, line by line."""
    done = installed("worker.cli.main", "provider", "test", "waggle_json:PROVIDER")
    assert {line.split()[0] for line in done.stdout.splitlines()} == {"ok"}


def test_the_example_package_passes_its_own_tests(installed):
    """What newcomers copy beside the code works as well."""
    installed("pytest", "-q", "-p", "no:cacheprovider", str(PACKAGE / "tests"))
