"""Writing `.env`: what we set goes in, everything else in the file stays as it is."""

import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from worker.cli import failures

ASSIGNMENT = re.compile(r"\s*(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=")
TITLE = "# Settings of Waggle; every one is explained in docs/settings.md"


def write(path: Path, values: Mapping[str, str]) -> None:
    """Set these names in the file, which only its owner may read; all of it or nothing."""
    replaced = (
        {*values, "WAGGLE_CALLBACK_SECRET"} if "WAGGLE_CALLBACK_SECRETS" in values else values
    )
    kept = [line for line in _lines(path) if _name(line) not in replaced]
    lines = [*(kept or [TITLE]), *(f"{name}={value}" for name, value in values.items())]
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as exc:
        draft.unlink(missing_ok=True)
        raise failures.Failed(f"{path.absolute()}: {exc.strerror}") from exc


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines() if path.exists() else []
    except (OSError, UnicodeDecodeError) as exc:
        raise failures.Failed(f"{path.absolute()}: cannot be read: {exc}") from exc


def _name(line: str) -> str | None:
    found = ASSIGNMENT.match(line)
    return found["name"] if found else None
