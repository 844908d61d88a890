"""A wheel built from these sources, and installed alone: no file of the checkout can help it."""

import os
import shutil
import site
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("clients", "db", "simulators", "tasks", "webhooks", "worker")
BESIDE = ("pyproject.toml", "README.md", "LICENSE")
PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
CLEAN = ("PATH", "LANG", "TZ")


def build(folder: Path) -> Path:
    """The wheel of a copy of the sources: neither old build files nor the editable install."""
    sources = folder / "sources"
    ignored = shutil.ignore_patterns("__pycache__")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, sources / name, ignore=ignored)
    for name in BESIDE:
        shutil.copy(ROOT / name, sources / name)
    _do([*PIP, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, sources])
    shutil.rmtree(sources)
    (wheel,) = folder.glob("*.whl")
    return wheel


class Installed:
    """A virtual environment with the wheel; its dependencies are those of the tests' own.

    They are found by a line in a `.pth` file. Such files of that folder itself are not read there,
    so the editable install of the checkout, which is one, is not found.
    """

    def __init__(self, wheel: Path, folder: Path) -> None:
        self.folder = folder
        _do([sys.executable, "-m", "venv", "--without-pip", folder])
        self.python = folder / "bin" / "python"
        packages = next(folder.glob("lib/python*/site-packages"))
        (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()))
        _do([*PIP, "--python", self.python, "install", "--no-deps", wheel])

    @property
    def waggle(self) -> Path:
        """The program, as pipx would put it on the path."""
        return self.folder / "bin" / "waggle"

    def environment(self, **settings: str) -> dict[str, str]:
        """Nothing of whoever runs the tests."""
        return {name: os.environ[name] for name in CLEAN if name in os.environ} | settings


def _do(command: list[str | Path]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
