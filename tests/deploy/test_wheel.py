"""The wheel alone, in an empty folder, is all of Waggle."""

import contextlib
import json
import re
import signal
import sqlite3
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from db import schema
from tests.blackbox.house import free_port
from tests.deploy.installed import PACKAGES, ROOT, Installed, build

pytestmark = [pytest.mark.blackbox, pytest.mark.timeout(180)]

NOT_SHIPPED = {"__pycache__"}
TRAP = 'raise RuntimeError("this file is of somebody else")\n'


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built once for this module."""
    return build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Installed where a person might."""
    return Installed(wheel, tmp_path_factory.mktemp("100% mine") / "environment")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder of a person who has modules named like our packages."""
    made = tmp_path / "folder"
    made.mkdir()
    for name in PACKAGES:
        (made / f"{name}.py").write_text(TRAP)
    return made


def test_every_file_of_the_packages_is_in_the_wheel(wheel: Path) -> None:
    """Templates, static files, migrations, locks: what is in the sources is shipped, byte by byte.

    And nothing else: no test, and no module that is gone.
    """
    with zipfile.ZipFile(wheel) as packed:
        found = {
            name: packed.read(name)
            for name in packed.namelist()
            if ".dist-info/" not in name and not name.endswith("/")
        }
    sources = {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and not NOT_SHIPPED & set(path.parts)
    }
    sources.pop("simulators/bemserver.in")  # what its lock is compiled from

    assert sorted(found) == sorted(sources)
    assert [name for name in found if found[name] != sources[name]] == []


def test_it_is_the_wheel_that_runs(installed: Installed, folder: Path) -> None:
    """All six packages come from its environment; none from the checkout or the folder."""
    asked = "import " + ", ".join(PACKAGES) + "\n"
    asked += "".join(f"print({name}.__file__)\n" for name in PACKAGES)
    done = subprocess.run(
        [installed.python, "-P", "-c", asked],
        cwd=folder,
        env=installed.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    lines = done.stdout.split("\n")[:-1]
    assert len(lines) == len(PACKAGES)
    assert all(Path(line).is_relative_to(installed.folder) for line in lines)


@contextlib.contextmanager
def up(installed: Installed, folder: Path) -> Iterator[str]:
    """`waggle up`, ready; its address."""
    port = free_port()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [installed.waggle, "up", "--port", str(port)],
            cwd=folder,
            env=installed.environment(),
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline().decode()
        assert line == f"ready http://127.0.0.1:{port}\n", (folder / "log").read_text()
        yield line.split()[1]
    finally:
        process.send_signal(signal.SIGTERM)
        status = process.wait(20)
        process.stdout.close()
    assert status == 0
    assert "Traceback" not in (folder / "log").read_text()


def test_it_serves_on_the_embedded_default(installed: Installed, folder: Path) -> None:
    """`waggle up` makes the tables, answers, and its pages have their styles and scripts."""
    with up(installed, folder) as url, httpx.Client(base_url=url) as http:
        assert http.get("/healthz").status_code == 200
        page = http.get("/")
        assert page.status_code == 200
        parts = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
        assert {part.partition("?")[0].rpartition(".")[2] for part in parts} >= {"css", "js"}
        for part in parts:
            answer = http.get(part)
            assert (answer.status_code, answer.content != b"") == (200, True), part
        with contextlib.closing(sqlite3.connect(folder / "var" / "waggle.db")) as ledger:
            assert ledger.execute("SELECT version_num FROM alembic_version").fetchall() == [
                (schema.HEAD,)
            ]


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["metrics"], ["status"]], ids=" ".join
)
def test_commands_answer_in_an_empty_folder(
    installed: Installed, folder: Path, arguments: list[str]
) -> None:
    """What needs no running Waggle works at once."""
    done = subprocess.run(
        [installed.waggle, *arguments],
        cwd=folder,
        env=installed.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_processes_of_its_own_do_not_look_into_the_folder(
    installed: Installed, folder: Path
) -> None:
    """What understands the addresses of `WAGGLE_NOTIFY` is a process that we start: it is ours."""
    done = subprocess.run(
        [installed.waggle, "doctor", "--json"],
        cwd=folder,
        env=installed.environment(WAGGLE_NOTIFY="json://127.0.0.1:9"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    found = {row["what"]: row for row in json.loads(done.stdout)}
    assert found["WAGGLE_NOTIFY"]["state"] == "ok", found["WAGGLE_NOTIFY"]


def test_the_demo_needs_no_checkout(installed: Installed, folder: Path) -> None:
    """Simulators, `waggle up`, callbacks and the comparison at the end, out of the wheel."""
    done = subprocess.run(
        [installed.waggle, "demo", "--once"],
        cwd=folder,
        env=installed.environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "Traceback" not in done.stderr
