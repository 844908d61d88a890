"""Promises of the command line as a whole: quick, complete, and never a traceback."""

import importlib
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from worker.cli import main

ROOT = Path(__file__).parents[3]
BY_CONTRACT = [
    *("init", "apply", "up", "status", "sync", "events", "event", "replay", "datapoints", "runs"),
    *("pause", "resume", "metrics", "login", "hook", "doctor", "simulate", "demo", "migrate"),
    *("web", "worker", "beat", "progress", "keys", "provider"),
]


def run(*arguments, cwd, **env):
    """The real program in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "worker.cli.main", *arguments],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **env},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_lists_every_command_in_a_moment(tmp_path):
    """`waggle --help` needs neither Celery nor the database, and names all commands."""
    started = time.monotonic()
    done = run("--help", cwd=tmp_path)
    took = time.monotonic() - started
    assert done.returncode == 0
    for name in BY_CONTRACT:
        assert f"\n  {name} " in done.stdout
    assert took < 3  # 0.1 s on an idle machine
    loaded = run_python("import worker.cli.main, sys; print(*sys.modules)", cwd=tmp_path)
    assert not {"celery", "sqlalchemy", "pydantic", "httpx"} & set(loaded.split())
    assert list(tmp_path.iterdir()) == []


def run_python(code, *, cwd):
    """What this code prints."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT)},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout


@pytest.mark.parametrize("name", BY_CONTRACT)
def test_every_command_is_there_with_help_and_its_one_line(waggle, name):
    """Each name in the table is a command of its module whose help says the same and more."""
    module, line = main.COMMANDS[name]
    command = getattr(importlib.import_module(f"worker.cli.{module}"), name)
    assert command.name == name
    assert command.help
    assert line.endswith(".")
    assert "Usage: waggle" in waggle(name, "--help").stdout


def test_commands_with_arguments_show_examples():
    """Whoever reads the help of a command with arguments finds one to copy."""
    for name, (module, _) in main.COMMANDS.items():
        command = getattr(importlib.import_module(f"worker.cli.{module}"), name)
        if any(not getattr(param, "is_flag", False) for param in command.params):
            assert "Example" in command.help or name == "web"


def test_an_unknown_command_is_told_with_the_nearest(waggle):
    """A slip is exit status 2 and one line."""
    assert "did you mean 'status'?" in waggle.refusal("statsu")


def test_a_bad_setting_is_one_line_and_nothing_is_made(folder, waggle):
    """Exit status 2, the name of the setting, and no home on disk."""
    waggle.env["WAGGLE_LOOKBACK_DAYS"] = "many"
    line = waggle.refusal("status")
    assert line.startswith("WAGGLE_LOOKBACK_DAYS: has to be a whole number")
    assert list(folder.iterdir()) == []


def test_an_odd_setting_is_a_warning_beside_the_answer(waggle):
    """A warning is on stderr; stdout stays one JSON document."""
    waggle.env["WAGGLE_LOKBACK_DAYS"] = "3"
    done = waggle("status", "--json")
    assert "did you mean WAGGLE_LOOKBACK_DAYS?" in done.stderr
    assert done.stdout.startswith("{")


@pytest.mark.parametrize(
    "url", ["postgresql://waggle:canary-pw@127.0.0.1:1/x", "sqlite:////proc/nowhere/waggle.db"]
)
def test_a_database_out_of_reach_is_one_line_with_the_setting(waggle, url):
    """Exit status 1, DATABASE_URL is named, the password is not."""
    waggle.env["DATABASE_URL"] = url
    line = waggle.refusal("status", status=1)
    assert "DATABASE_URL" in line
    assert "canary" not in line


def test_a_file_that_is_no_database_is_one_line(waggle, folder):
    """Something else at the place of the database is told, not overwritten."""
    (folder / "notes.txt").write_text("my notes " * 500)
    waggle.env["DATABASE_URL"] = f"sqlite:///{folder}/notes.txt"
    assert "DATABASE_URL" in waggle.refusal("status", status=1)
    assert (folder / "notes.txt").read_text().startswith("my notes")


def test_another_key_is_told_with_its_setting(applied):
    """A stored secret that can't be read says which setting is to blame."""
    applied.env["WAGGLE_SECRET_KEYS"] = "A" * 43 + "="
    assert "WAGGLE_SECRET_KEYS" in applied.refusal("hook", "alice", status=1)


def test_the_real_program_answers_and_refuses(tmp_path):
    """In a process of its own: an empty home is set up, statuses and streams are right."""
    done = run("status", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert '"oldest_due_seconds": 0.0' in done.stdout
    assert (tmp_path / "var" / "waggle.db").exists()
    refused = run("sync", "alice/energy", cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("waggle: there is no user 'alice'")
    wrong = run("status", cwd=tmp_path, PORT="x")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)


def test_migrate_says_so(waggle):
    """`waggle migrate` is quiet about how, and says that it is done."""
    assert "up to date" in waggle("migrate").stdout


def test_an_unknown_queue_is_refused(waggle):
    """A worker that listens to nothing would look alive and do nothing."""
    assert "there is no queue 'urgnt'" in waggle("worker", "--queues", "urgnt", status=2).stderr


def test_a_port_in_use_is_one_line(waggle):
    """`waggle simulate` on a taken port says so."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert port in waggle.refusal("simulate", "--port", port, status=1)


def test_up_needs_a_port_that_can_be_found(waggle):
    """Port 0 is refused in one line before anything starts."""
    assert waggle.refusal("up", "--port", "0").startswith("PORT: 0 is a port that nobody")
