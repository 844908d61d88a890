"""Keys that a first start makes for itself, so that two processes starting at once agree.

A key is written to a file of its own name first and then linked to its final name: the link either
comes into being whole, or is there already because somebody was faster.
"""

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from cryptography.fernet import Fernet

from worker.setting_types import SettingsError


def new_key() -> str:
    """A fresh Fernet key."""
    return Fernet.generate_key().decode()


def new_secret() -> str:
    """A fresh secret that can stand in a path: 192 random bits."""
    return secrets.token_urlsafe(24)


def make_home(home: Path) -> None:
    """The folder of everything embedded, for its owner only. Raises `SettingsError`."""
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as exc:
        raise SettingsError(_cannot(home, exc)) from exc


def obtain(home: Path, name: str, make: Callable[[], str]) -> str:
    """The text of this key file, which is made (mode 0600) if there is none."""
    make_home(home)
    path = home / name
    try:
        if not path.exists():
            _create(path, make())
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise SettingsError(_cannot(path, exc)) from exc
    if not text:
        raise SettingsError(f"WAGGLE_HOME: {path} is empty; put the key back, or remove the file")
    return text


def read(
    home: Path, name: str, make: Callable[[], str], parse: Callable[[str], tuple[str, ...]]
) -> tuple[str, ...]:
    """What `parse` finds in this key file; its `ValueError` does not show the text.

    Raises `SettingsError`.
    """
    text = obtain(home, name, make)
    try:
        return parse(text)
    except ValueError as exc:
        raise SettingsError(f"WAGGLE_HOME: {home / name}: {exc}") from None


def _create(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # somebody was faster: theirs counts
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # what is encrypted with a key is lost with it
    finally:
        os.close(folder)


def _cannot(path: Path, exc: Exception) -> str:
    why = exc.strerror if isinstance(exc, OSError) else "not a text of plain letters"
    return f"WAGGLE_HOME: {path}: {why}; example: WAGGLE_HOME=/var/lib/waggle"
