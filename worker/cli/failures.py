"""What goes wrong on the command line: one line on stderr and the right exit status."""

import contextlib
import difflib
import sys
from collections.abc import Iterable, Iterator
from typing import IO, Any

import click

# What these say is what to do.
THAT_SAY_ALL = (
    ("db.schema", "SchemaError"),
    ("db.copies", "CopyError"),
    ("worker.broker", "QueueError"),
)
# What they say is what was wrong with the input.
WRONG_INPUT = (
    ("worker.setting_types", "SettingsError"),
    ("tasks.declare_problems", "DeclarationError"),
    ("db.backup_file", "BackupError"),
)
FULL = ("too many clients", "remaining connection slots", "too many connections")
TOO_MANY = (
    "each process keeps up to 11 connections (docs/scaling.md has the sums): raise PostgreSQL's "
    "max_connections, run fewer processes, or put a pooler before it"
)


class Failed(click.ClickException):
    """It failed: exit status 1."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the lines, each with our name in front."""
        for line in self.message.splitlines():
            click.echo(f"waggle: {line}", file=file, err=file is None)


class Refused(Failed):
    """The input was wrong and nothing was changed: exit status 2."""

    exit_code = 2


def nearest(name: str, known: Iterable[str]) -> str:
    """How a complaint about an unknown name goes on."""
    names = sorted(known)
    near = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    if near:
        return f"; did you mean {near[0]!r}?"
    if not names:
        return "; there is none yet: `waggle apply` makes them"
    shown = ", ".join(names[:8])
    return f"; there is: {shown}{', …' if len(names) > 8 else ''}"  # noqa: PLR2004 -- a line's worth


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Turn what a person can mend into `Failed` or `Refused`; everything else goes on up."""
    try:
        yield
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except Exception as exc:
        known = _known(exc)
        if known is None:
            raise
        raise known from exc


def _known(exc: Exception) -> Failed | None:
    # By name of the module that raised it: nothing is imported that is not there already.
    if any(_is(exc, module, name) for module, name in WRONG_INPUT):
        return Refused(str(exc))
    if any(_is(exc, *name) for name in THAT_SAY_ALL):
        return Failed(str(exc))
    if _is(exc, "db.vault", "VaultError"):
        return Failed(f"WAGGLE_SECRET_KEYS: {exc}")
    if _is(exc, "sqlalchemy.exc", "DBAPIError") or _is(exc, "sqlalchemy.exc", "ArgumentError"):
        line = _first_line(exc)
        if any(full in line for full in FULL):
            line += f"; {TOO_MANY}"
        return Failed(f"the database at DATABASE_URL: {line}")
    return None


def _is(exc: Exception, module: str, name: str) -> bool:
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(exc, getattr(loaded, name))


def _first_line(exc: Exception) -> str:
    from worker import redaction  # noqa: PLC0415 -- only a failure needs it

    original = getattr(exc, "orig", None) or exc
    lines = [line.strip() for line in str(original).splitlines() if line.strip()]
    return redaction.text(lines[0] if lines else type(original).__name__)
