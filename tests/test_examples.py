"""The files that newcomers copy: the example, and the one in the README."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLE = (ROOT / "examples" / "waggle.toml").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHOWN = "\n".join(re.findall(r"```toml\n(.*?)```", README, re.DOTALL))


@pytest.mark.parametrize(
    ("text", "feeds"),
    [
        pytest.param(
            EXAMPLE,
            ["alice/energy", "alice/solar:roof", "alice/solar:shed", "alice/water"],
            id="examples",
        ),
        pytest.param(SHOWN, ["alice/energy"], id="README"),
    ],
)
def test_what_is_shown_is_accepted(tmp_path, text, feeds):
    """`waggle apply --dry-run` takes the file as it stands, and keeps nothing of it."""
    environment = {
        "WAGGLE_HOME": str(tmp_path / "home"),
        "ALICE_BEEMINDER_TOKEN": "canary-token",
        "PLANT_PASSWORD": "canary-password",
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
    assert created == ["alice", "plant", *feeds]
    assert waggle("status")["feeds"] == []
