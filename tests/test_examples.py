"""The example that newcomers copy."""

import json
import subprocess
import sys
from pathlib import Path

FILE = Path(__file__).parents[1] / "examples" / "waggle.toml"


def test_the_example_is_accepted(tmp_path):
    """`waggle apply --dry-run` takes the file as it is, and keeps nothing of it."""
    environment = {
        "WAGGLE_HOME": str(tmp_path / "home"),
        "ALICE_BEEMINDER_TOKEN": "canary-token",
        "PLANT_PASSWORD": "canary-password",
    }

    def waggle(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "worker.cli.main", *arguments, "--json"],
            cwd=tmp_path,
            env=environment | {"PYTHONPATH": str(FILE.parents[1])},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "canary" not in done.stdout + done.stderr
        return json.loads(done.stdout)

    told = waggle("apply", str(FILE), "--dry-run")

    assert [(change["name"], change["action"]) for change in told["changes"]] == [
        ("alice", "created"),
        ("plant", "created"),
        ("alice/energy", "created"),
        ("alice/solar:roof", "created"),
        ("alice/solar:shed", "created"),
    ]
    assert waggle("status")["feeds"] == []
