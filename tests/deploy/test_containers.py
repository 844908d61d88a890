"""Dockerfile and compose files say what they should, in the words of the tools that read them."""

import os
import re
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.deploy import lines
from tests.deploy.installed import PACKAGES
from tests.deploy.lines import COMPOSE, DEPLOY, ROOT
from worker import settings

BIN = Path(sys.executable).parent
DOCKERFILE = DEPLOY / "Dockerfile"
STOP_SECONDS = 10  # in which every process of ours is gone
DURATION = re.compile(r"(\d+)s")


def program(name: str) -> str:
    """A program of the tests' environment, or of the machine."""
    found = str(BIN / name) if (BIN / name).exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not here: its package has no wheel for this machine")
    return found


def stages() -> list[str]:
    """The Dockerfile, stage by stage."""
    return re.split(r"^FROM ", DOCKERFILE.read_text(), flags=re.MULTILINE)[1:]


def test_hadolint_finds_nothing() -> None:
    """The Dockerfile keeps all of its rules; none is switched off."""
    command = [program("hadolint"), "--no-color", str(DOCKERFILE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert "hadolint ignore" not in DOCKERFILE.read_text()


def test_the_image_runs_as_nobody_in_particular_and_keeps_its_data() -> None:
    """The last stage: a number as user, /data as home and volume, health, and nothing to build."""
    build, last = stages()
    assert [stage.split()[0] for stage in (build, last)] == ["python:3.11-slim-bookworm"] * 2
    assert "--require-hashes" in build
    instructions = [line.split(maxsplit=1) for line in last.splitlines()[1:] if line[:1].isupper()]
    said = dict(instructions)
    assert said["USER"] == "10001:10001"
    assert said["VOLUME"] == said["WORKDIR"] == "/data"
    assert "WAGGLE_HOME=/data" in last
    assert said["ENTRYPOINT"] == '["waggle"]'
    assert "pip" not in last
    assert "curl" not in last
    copied = [rest for word, rest in instructions if word == "COPY"]
    assert copied == ["--from=build /opt/waggle /opt/waggle"]


def healthy(port: int, folder: Path) -> subprocess.CompletedProcess[str]:
    """What the health check of the image says of what listens there."""
    words = re.search(r'HEALTHCHECK.*?CMD \["python", "-c", "(.*?)"\]', stages()[1], re.DOTALL)
    assert words is not None
    return subprocess.run(
        [sys.executable, "-c", words[1]],
        env={"PORT": str(port), "PATH": os.environ["PATH"]},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_health_check_asks_what_it_should(tmp_path: Path) -> None:
    """Healthy where /healthz answers 200 at PORT; not where nothing listens, or it answers 503."""

    class Handler(BaseHTTPRequestHandler):
        status = 200

        def do_GET(self) -> None:
            self.send_response(self.status if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        found = healthy(server.server_port, tmp_path)
        Handler.status = 503
        ill = healthy(server.server_port, tmp_path)
        server.shutdown()
    gone = healthy(server.server_port, tmp_path)

    assert (found.returncode, found.stderr) == (0, "")
    assert (ill.returncode, gone.returncode) == (1, 1)
    assert "Connection refused" in gone.stderr


def test_what_is_copied_into_the_image_is_let_through() -> None:
    """All packages, their locks, and nothing of what a person may have beside them."""
    let_through = {
        line[1:]
        for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    assert "*" in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    copied = {
        word
        for line in stages()[0].splitlines()
        if line.startswith("COPY")
        for word in line.split()[1:-1]
    }
    assert let_through == copied
    assert copied >= set(PACKAGES)
    assert all((ROOT / name).exists() for name in copied)


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_compose_understands_its_files(path: Path, tmp_path: Path) -> None:
    """With the examples in the place of the files that a person fills in."""
    for found in DEPLOY.iterdir():
        if found.is_file():
            shutil.copy(found, tmp_path / found.name.removesuffix(".example"))
    command = [program("docker-compose"), "--file", path.name, "config", "--quiet"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_every_service_is_stopped_in_time_and_comes_back(path: Path) -> None:
    """Time to hand leases back, restarts, no database port for the world, no secret in the file."""
    for name, service in lines.compose(path)["services"].items():
        (seconds,) = DURATION.findall(service["stop_grace_period"])
        assert int(seconds) >= STOP_SECONDS, name
        assert service["restart"] == ("no" if name == "release" else "unless-stopped"), name
        assert ":" in service["image"], name
        ours = service["image"].startswith("waggle:")
        assert ours or "ports" not in service, name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        assert service["env_file"] == ("waggle.env" if ours else "servers.env"), name
        if ours:
            assert service["cap_drop"] == ["ALL"]
            assert service["read_only"] is True
            assert service["init"] is True  # what a worker leaves behind when it is killed
    assert not re.search(r"PASSWORD|SECRET", path.read_text())


def test_the_processes_of_the_servers_are_those_of_the_procfile() -> None:
    """Each line of the Procfile has its service, and each service of ours its line."""
    procfile = dict(
        line.split(": waggle ") for line in (ROOT / "Procfile").read_text().splitlines()
    )
    services = lines.compose(DEPLOY / "compose.servers.yaml")["services"]
    ours = {
        name: " ".join(service["command"])
        for name, service in services.items()
        if service["image"].startswith("waggle:")
    }
    assert ours == procfile


def test_the_example_of_settings_holds_settings() -> None:
    """Each name is a setting, also of the lines that are commented out, and none is a warning."""
    example = DEPLOY / "waggle.env.example"
    text = re.sub(r"^#([A-Z_]+=)", r"\1", example.read_text(), flags=re.MULTILINE)
    names = set(re.findall(r"^([A-Z_]+)=", text, re.MULTILINE))
    known = {
        str(alias)
        for field in settings.Settings.model_fields.values()
        for alias in field.validation_alias.choices  # type: ignore[union-attr] # all have choices
    }
    assert names
    assert names <= known
