"""`waggle apply`: the file and the ledger brought into line."""

from pathlib import Path

import click

from tasks import declare, declare_file, providers
from tasks.declare_problems import DeclarationError
from worker import runtime, settings
from worker.cli import failures, output
from worker.cli.house import House, opened


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--prune", is_flag=True, help="Stop feeds that are not in the file.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def apply(*, file: Path, dry_run: bool, prune: bool, as_json: bool) -> None:
    """Make users, sources and feeds what FILE says, and print what changed.

    Applying the same file again changes nothing. Nothing is removed unless --prune is given, and
    then feeds are stopped, not deleted. Nothing is synced: a new feed is due at once.

    \b
    Examples:
      waggle apply waggle.toml --dry-run
      waggle apply waggle.toml
    """  # noqa: D301 -- \b is click's mark
    text = _read(file)
    with opened() as house:
        declaration = declare_file.parse(
            text,
            file=str(file),
            env=settings.environment(),
            providers=providers.table(),
            addresses=runtime.addresses(house.settings),
            now=house.now(),
        )
        try:
            applied = declare.apply(
                house.ledger,
                house.vault,
                declaration,
                now=house.now(),
                prune=prune,
                dry_run=dry_run,
            )
        except DeclarationError as exc:
            raise DeclarationError([f"{file}: {line}" for line in exc.problems]) from exc
        # A hook that a dry run made is kept nowhere: its address would not work.
        hooks = {} if dry_run else applied.hooks
        reminders = {name: reminder_url(house, hook) for name, hook in hooks.items()}
    if as_json:
        output.document(
            {
                "dry_run": dry_run,
                "changes": applied.as_json(),
                "unlisted": list(applied.unlisted),
                "reminders": reminders,
            }
        )
        return
    for change in applied.changes:
        details = f"  ({', '.join(change.details)})" if change.details else ""
        click.echo(f"{change.action:9}  {change.kind:6}  {change.name}{details}")
    if not applied.changes:
        click.echo("the file declares nothing")
    if dry_run:
        click.echo("dry run: nothing was changed")
    for name in applied.unlisted:
        click.echo(f"not in the file, goes on: {name} (--prune stops it)")
    for name, url in reminders.items():
        click.echo(f"reminder URL of {name}, to be pasted at Beeminder: {url}")


def reminder_url(house: House, hook: str) -> str:
    """Where Beeminder sends a person's reminders."""
    return f"{house.settings.public_url}/beeminder/reminder/{hook}"


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as exc:
        raise failures.Refused(f"{file}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise failures.Refused(f"{file}: is not UTF-8 text") from exc
