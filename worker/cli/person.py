"""`waggle person`: what is known of somebody, for them; and all of it gone, when they leave."""

import os
import secrets
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import click

from db import exporting, persons
from db.models import User
from tasks import leaving
from tasks.leaving import Left
from worker import runtime
from worker.cli import failures, output, questions
from worker.cli.house import opened, user_named


@click.group()
def person() -> None:
    """Everything about one person: to hand out, or to delete.

    \b
    Examples:
      waggle person export alice
      waggle person delete alice
    """  # noqa: D301 -- \b is click's mark


@person.command()
@click.argument("username", metavar="USER")
@click.argument("path", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
def export(*, username: str, path: Path | None) -> None:
    """Write everything that is known about a person as one JSON document.

    Without FILE it goes to stdout. Secrets are left out.

    \b
    Examples:
      waggle person export alice alice.json
      waggle person export alice | jq .feed
    """  # noqa: D301 -- \b is click's mark
    with opened() as house:
        with house.ledger.read() as session:
            user = user_named(session, username)
            counts = persons.counts(session, user)
        version = metadata.version("waggle-server")
        pieces = exporting.document(house.ledger, user, version=version)
        if path is None:
            for piece in pieces:
                click.echo(piece, nl=False)
            return
        _write(path, pieces)
    rows = sum(counts[name] for name in exporting.tables())
    click.echo(f"{path}: {rows} rows about {output.plain(user.username)}; {exporting.LEFT_OUT}")


@person.command()
@click.argument("username", metavar="USER")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def delete(*, username: str, yes: bool, as_json: bool) -> None:
    """Stop feeding a person's goals, give their data sources back, and delete all that is known.

    What was sent to Beeminder is the person's and stays there. What operators did to their things
    stays in the log, without the name.

    \b
    Examples:
      waggle person delete alice
      waggle person delete alice --yes
    """  # noqa: D301 -- \b is click's mark
    with opened() as house:
        with house.ledger.read() as session:
            user = user_named(session, username)
            counts = persons.counts(session, user)
        if not all(questions.agreed([_question(user, counts)], yes=yes)):
            click.echo("nothing was changed")
            return
        with runtime.build(house.settings, ring=lambda _task, _queue: False) as rt:
            left = leaving.leave(
                rt,
                user.id or 0,
                record=lambda session: house.did(session, "person.delete", persons.GONE),
            )
    if as_json:
        still_set = [{"goal": slug, "why": why} for slug, why in left.still_set]
        output.document({"rows": left.rows, "data_sources_not_given_back": still_set})
    else:
        _tell(user, left)
    if left.still_set:
        raise failures.Failed(
            "\n".join(
                f"{user.username}/{slug}: its data source could not be given back "
                f"({output.plain(why)}): its settings at Beeminder can"
                for slug, why in left.still_set
            )
        )


def _question(user: User, counts: dict[str, int]) -> str:
    return (
        f"Delete {user.username} with {counts['source']} sources, {counts['feed']} feeds, "
        f"{counts['datapoint']} datapoints and {counts['event']} events of the ledger? Datapoints "
        "at Beeminder stay. This can't be undone."
    )


def _tell(user: User, left: Left) -> None:
    name = output.plain(user.username)
    click.echo(f"{name} is deleted: {sum(left.rows.values())} rows")
    click.echo(
        "Backups that were made before have them still. While they stand in the TOML file "
        "`waggle apply` makes them anew."
    )
    if user.token_kind == "oauth":  # noqa: S105 -- a kind, not a token
        click.echo(f"{name} can take the access away at Beeminder too, among the authorized apps.")


def _write(path: Path, pieces: Iterable[str]) -> None:
    """All of it or nothing, for its owner only; never over another file."""
    if path.exists():
        raise failures.Refused(f"{path} is there already; say another name")
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    except OSError as exc:
        raise failures.Failed(f"{path} can not be written: {exc.strerror}") from exc
    finally:
        draft.unlink(missing_ok=True)
