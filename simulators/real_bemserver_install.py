"""The virtual environment in which the real BEMServer lives, apart from ours.

It needs about 300 MB and half a minute the first time; later calls only compare a stamp.
"""

import fcntl
import hashlib
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

LOCK = Path(__file__).with_name("bemserver.lock")
SECONDS = 900.0


class InstallFailed(RuntimeError):  # noqa: N818 - says what happened
    """pip could not install the pinned packages; the message ends with what pip said."""


def ensure(home: Path, *, say: Callable[[str], None], lock: Path = LOCK) -> Path:
    """Return the Python of an environment under `home` that holds exactly what `lock` names.

    `say` gets progress lines when there is something to do. Several processes may call this at
    once: one installs, the others wait. An interrupted installation is begun afresh.
    """
    home.mkdir(parents=True, exist_ok=True)
    folder, stamp = home / "venv", home / "venv" / ".installed"
    python = folder / "bin" / "python"
    wanted = hashlib.sha256(
        f"{sys.version} {sys.base_prefix} ".encode() + lock.read_bytes()
    ).hexdigest()
    with (home / "venv.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if python.exists() and stamp.exists() and stamp.read_text() == wanted:
            return python
        say(f"real BEMServer: making a virtual environment in {folder}")
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, symlinks=True, with_pip=True)
        say("real BEMServer: installing the pinned packages (half a minute or more, only once)")
        _install(python, lock)
        stamp.write_text(wanted)
        say("real BEMServer: installed")
    return python


def _install(python: Path, lock: Path) -> None:
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(  # noqa: S603 - our own interpreter and lock file
        [*command, "--no-input", "--require-hashes", "--requirement", str(lock)],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if not line.startswith("WARNING")]
        raise InstallFailed(
            f"pip could not install what {lock.name} names: {' '.join(errors)[-500:]}"
        )
