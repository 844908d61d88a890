"""`waggle keys`: looking after the keys that encrypt what is stored."""

import click

from db import rotation
from worker.cli import failures
from worker.cli.house import opened


@click.group()
def keys() -> None:
    """Look after the keys that encrypt stored tokens and passwords.

    \b
    Example, to replace the key:
      WAGGLE_SECRET_KEYS=new,old in the settings, restart everything
      waggle keys rotate
      WAGGLE_SECRET_KEYS=new in the settings, restart everything
    """  # noqa: D301 -- \b is click's mark


@keys.command()
def rotate() -> None:
    """Re-encrypt every secret under the first of WAGGLE_SECRET_KEYS."""
    with opened() as house, house.ledger.write() as session:
        done = rotation.rotate(session, house.vault)
    click.echo(f"{done.count} secrets are under the first key")
    if done.unreadable:
        raise failures.Failed(
            f"WAGGLE_SECRET_KEYS: no key reads what is stored of {', '.join(done.unreadable)}; "
            "put the old key back behind the new one, or enter them again with `waggle apply`"
        )
