"""`waggle backup`: everything that the ledger knows, in one file, while everything runs."""

from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import click

from db import backups, tallies
from db.backup_file import Manifest
from worker.cli import output, progress_bar
from worker.cli.house import House, opened

WITH_KEYS = (
    "The keys are in it: whoever has this file reads every token and password, and can write to "
    "people's goals. Keep it as you keep those."
)
WITHOUT_KEYS = (
    "The keys are NOT in it: tokens and passwords in it can be read only with the "
    "WAGGLE_SECRET_KEYS of today ({where}). Keep these apart from it, or make one with --with-keys."
)


@click.command()
@click.argument("path", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@click.option("--with-keys", is_flag=True, help="Put the keys that read its secrets into it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def backup(*, path: Path | None, with_keys: bool, as_json: bool) -> None:
    """Write everything that the ledger knows into one file, while everything runs.

    The file is a ZIP of JSON lines with a manifest; `waggle restore` puts it into SQLite or
    PostgreSQL, whichever it came from. Without FILE it gets a name by the time.

    \b
    Examples:
      waggle backup
      waggle backup /backups/waggle.zip
      waggle backup --with-keys everything.zip
    """  # noqa: D301 -- \b is click's mark
    with opened() as house:
        now = house.now()
        made = path or named("backup", now)
        manifest = write(house, made, now=now, with_keys=with_keys)
        with house.ledger.write() as session:
            size = made.stat().st_size
            tallies.mark(session, {tallies.Key(tallies.BACKUP): tallies.Seen(now, float(size))})
        where = keys_are_in(house)
    if as_json:
        output.document(
            {
                "file": str(made),
                "bytes": size,
                "rows": {name: table.rows for name, table in manifest.tables.items()},
                "keys": with_keys,
                "schema": manifest.schema,
                "created_at": manifest.created_at,
            }
        )
        return
    click.echo(f"{made}: {told(manifest)}, {_size(size)}")
    for name, why in manifest.left_out.items():
        click.echo(f"  left out: {name} ({why})")
    click.echo(WITH_KEYS if with_keys else WITHOUT_KEYS.format(where=where))


def named(what: str, now: float) -> Path:
    """A file name in the working directory that says when it was made."""
    return Path(f"waggle-{what}-{datetime.fromtimestamp(now, UTC):%Y%m%d-%H%M%S}.zip")


def write(house: House, path: Path, *, now: float, with_keys: bool) -> Manifest:
    """Make a backup, with a bar of how far it is. Raises `BackupError`."""
    keys = None
    if with_keys:
        keys = {
            "WAGGLE_SECRET_KEYS": ",".join(house.settings.secret_keys),
            "WAGGLE_CALLBACK_SECRETS": ",".join(house.settings.callback_secrets),
        }
    with progress_bar.shown("rows") as progress:
        return backups.write(
            house.ledger,
            path,
            version=metadata.version("waggle-server"),
            now=now,
            keys=keys,
            progress=progress,
        )


def keys_are_in(house: House) -> str:
    """Where the keys of this home are, in words."""
    made = house.settings.home / "secret.key"
    return str(made) if made.exists() else "in the settings"


def told(manifest: Manifest) -> str:
    """What is in a backup, in words."""
    counts = {name: table.rows for name, table in manifest.tables.items()}
    parts = [
        f"{counts.get(table, 0)} {words}"
        for table, words in (
            ("user", "people"),
            ("source", "sources"),
            ("feed", "feeds"),
            ("datapoint", "datapoints"),
            ("event", "events"),
        )
    ]
    return f"{', '.join(parts)}; {manifest.rows} rows in all"


def _size(count: int) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:  # noqa: PLR2004 -- SI
            return f"{count:.3g} {unit}"
        count = count / 1000  # type: ignore[assignment]  # shown, not counted with
    return f"{count:.3g} GB"
