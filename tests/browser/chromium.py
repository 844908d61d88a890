"""The browser of the ring: Debian's Chromium, driven by Playwright; nothing is downloaded."""

import os
import shutil
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")


def arguments() -> list[str]:
    """What it is started with: root has no user namespace to lock itself into."""
    given = ["--disable-dev-shm-usage", "--force-color-profile=srgb", "--hide-scrollbars"]
    return [*given, "--no-sandbox"] if os.geteuid() == 0 else given


def found() -> Path | None:
    """The one that CHROMIUM names, else the first that is installed; None where there is none."""
    named = os.environ.get("CHROMIUM")
    names = (named,) if named else NAMES
    return next((Path(path) for name in names if (path := shutil.which(name))), None)


def path() -> Path:
    """The same; skips by name and reason where there is none."""
    program = found()
    if program is None:
        named = os.environ.get("CHROMIUM")
        pytest.skip(
            f"browser ring: CHROMIUM names {named}, which is no program"
            if named
            else "browser ring: there is no chromium (Debian: chromium; or name one: CHROMIUM=…)"
        )
    return program
