"""`waggle restore`: a backup into a database, all of it or nothing."""

import itertools
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

import click

from db import backup_file, restoring
from db import schema as tables
from db.backup_file import Reader
from db.restoring import Restored
from worker import keyfiles, settings
from worker.cli import backing_up, failures, output, progress_bar, questions
from worker.cli.house import House, opened

FERNET = re.compile(r"(?<![\w-])[\w-]{43}=(?![\w=-])")
LOST = (
    "Without that key nothing can be sent for these people before they have connected again, and "
    "no source read before its login was entered again"
)
FIRST_LOOK = (
    "Every goal is looked at before anything is written to it: what was sent since the backup is "
    "recognised, and what differs on a finished day is held."
)


@click.command()
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--keys-from", type=click.Path(path_type=Path), help="A .env, key file or backup.")
@click.option("--without-secrets", is_flag=True, help="Go on without what no key reads.")
@click.option("--replace", is_flag=True, help="Take the place of what is there, after a copy.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def restore(
    *,
    path: Path,
    keys_from: Path | None,
    without_secrets: bool,
    replace: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Put a backup into the database at DATABASE_URL, all of it or nothing.

    Everything has to be stopped, and the database empty. It may be the other kind of database than
    the backup is of. A backup of an older version is brought to this one. What only the keys in the
    backup (or in --keys-from) read is rewritten under the first key of this home.

    \b
    Examples:
      waggle restore waggle-backup-20261130-081500.zip
      waggle restore waggle.zip --keys-from old/secret.key
      waggle restore waggle.zip --replace
    """  # noqa: D301 -- \b is click's mark
    with backup_file.reading(path) as backup:
        _verify(backup)
        others = [*_keys_of(backup), *(_keys_in(keys_from) if keys_from else ())]
        _ask(backup, replace=replace, without_secrets=without_secrets, yes=yes)
        _bring_keys(backup, others)
        with opened() as house:
            copy = _copy(house) if replace else None
            try:
                with progress_bar.shown("rows") as progress:
                    done = restoring.load(
                        house.ledger,
                        backup,
                        now=house.now(),
                        keys=house.settings.secret_keys,
                        others=others,
                        without_secrets=without_secrets,
                        replace=replace,
                        progress=progress,
                    )
            except restoring.NotEmptyError as exc:
                raise failures.Refused(
                    f"{exc}; --replace puts the backup in its place, after a copy of it"
                ) from exc
            except restoring.UnreadableError as exc:
                raise failures.Refused(
                    f"{exc}: {output.some(exc.whose)}. Nothing was changed. --keys-from FILE names "
                    "a .env, key file or backup that has the key. "
                    f"{LOST}: --without-secrets goes on"
                ) from exc
            with house.ledger.write() as session:
                house.did(session, "restore", path.name, made_at=backup.manifest.created_at)
            strange = _other_callback_secret(house, backup)
    if as_json:
        output.document(
            {
                "rows": done.rows,
                "migrated": done.migrated,
                "rotated": done.rotated,
                "emptied": done.emptied,
                "copy": None if copy is None else str(copy),
            }
        )
    else:
        _tell(backup, done, copy)
    if strange:
        click.echo(f"waggle: {strange}", err=True)


def _verify(backup: Reader) -> None:
    parts = len(backup.manifest.tables)
    with progress_bar.shown("tables checked") as progress:
        for number, _ in enumerate(backup.verify(), start=1):
            progress(number, parts)
    tables.check(backup.manifest.schema, "the backup")


def _ask(backup: Reader, *, replace: bool, without_secrets: bool, yes: bool) -> None:
    asked = []
    if replace:
        asked.append(
            f"Put the backup of {backup.manifest.created_at} in the place of what is in the "
            "database? A copy of that is made first."
        )
    if without_secrets:
        asked.append(f"Go on without what no key reads? {LOST}.")
    if not all(questions.agreed(asked, yes=yes)):
        raise failures.Failed("nothing was changed")


def _keys_of(backup: Reader) -> Sequence[str]:
    return FERNET.findall(backup.keys().get("WAGGLE_SECRET_KEYS", ""))


def _keys_in(path: Path) -> Sequence[str]:
    """The keys in a backup, a `.env` or a key file. Raises `Refused` where there is none."""
    if zipfile.is_zipfile(path):
        with backup_file.reading(path) as other:
            found = _keys_of(other)
    else:
        try:
            found = FERNET.findall(path.read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeDecodeError) as exc:
            raise failures.Refused(f"--keys-from {path}: it can not be read") from exc
    if not found:
        raise failures.Refused(
            f"--keys-from {path}: there is no key in it; it is a .env with WAGGLE_SECRET_KEYS, a "
            "secret.key, or a backup that was made with --with-keys"
        )
    return found


def _bring_keys(backup: Reader, keys: Sequence[str]) -> None:
    """A home without keys of its own gets those of the backup, and the address it is called at."""
    env = settings.environment()
    placeholders = {
        "WAGGLE_SECRET_KEYS": keyfiles.new_key(),
        "WAGGLE_CALLBACK_SECRETS": keyfiles.new_secret(),
    }
    home = settings.load({**env, **placeholders}, dotenv=None).home
    secrets = backup.keys().get("WAGGLE_CALLBACK_SECRETS", "")
    if keys and "WAGGLE_SECRET_KEYS" not in env:
        keyfiles.obtain(home, "secret.key", lambda: ",".join(keys))
    if secrets and not env.keys() & {"WAGGLE_CALLBACK_SECRETS", "WAGGLE_CALLBACK_SECRET"}:
        keyfiles.obtain(home, "callback.secret", lambda: secrets)


def _copy(house: House) -> Path:
    """What is there now, before it goes."""
    now = house.now()
    wanted = house.settings.home / backing_up.named("before-restore", now)
    tried = (wanted.with_stem(f"{wanted.stem}-{again}") for again in itertools.count(2))
    path = next(name for name in itertools.chain([wanted], tried) if not name.exists())
    backing_up.write(house, path, now=now, with_keys=False)
    return path


def _other_callback_secret(house: House, backup: Reader) -> str | None:
    """What was registered at Beeminder, where this home does not listen to it."""
    theirs = backup.keys().get("WAGGLE_CALLBACK_SECRETS", "").split(",")
    if not theirs[0] or set(theirs) <= set(house.settings.callback_secrets):
        return None
    return (
        "the addresses that are registered at Beeminder have another secret than this home: put "
        "WAGGLE_CALLBACK_SECRETS of the keys.json in the backup behind it, or register anew"
    )


def _tell(backup: Reader, done: Restored, copy: Path | None) -> None:
    click.echo(f"restored: {backing_up.told(backup.manifest)}")
    if copy is not None:
        click.echo(f"what was there before is in {copy} (without its keys)")
    if done.migrated:
        click.echo(f"brought from revision {backup.manifest.schema} to {tables.HEAD}")
    if done.rotated:
        click.echo(f"{done.rotated} secrets were rewritten under the first key of this home")
    if done.emptied:
        click.echo(f"to connect or enter again: {output.some(done.emptied)}")
    click.echo(FIRST_LOOK)
    click.echo(
        "People who left after the backup was made are in it again: `waggle person delete` them."
    )
