"""`waggle keys`: looking after the keys that encrypt what is stored."""

import click

from db import rotation
from worker.cli import failures, output, progress_bar
from worker.cli.house import opened

PUT_BACK = (
    "put the old key back behind the new one, or enter them again with `waggle apply`, on the "
    "pages or at /beeminder/connect"
)


@click.group()
def keys() -> None:
    """Look after the keys that encrypt stored tokens and passwords.

    \b
    Example, to replace the key:
      WAGGLE_SECRET_KEYS=new,old in the settings, restart everything
      waggle keys rotate
      waggle keys status          is the old one needed any more?
      WAGGLE_SECRET_KEYS=new in the settings, restart everything
    """  # noqa: D301 -- \b is click's mark


@keys.command()
def rotate() -> None:
    """Re-encrypt every secret under the first of WAGGLE_SECRET_KEYS.

    Everything goes on meanwhile, as long as it was restarted with both keys. If it is killed, the
    same command goes on where it stopped.

    \b
    Example:
      waggle keys rotate
    """  # noqa: D301 -- \b is click's mark
    with opened() as house, progress_bar.shown("rows") as progress:
        done = rotation.run(house.ledger, house.settings.secret_keys, progress=progress)
    before = f", {done.done_before} of them were already" if done.done_before else ""
    click.echo(f"{done.count + done.done_before} secrets are under the first key{before}")
    if done.unreadable:
        raise failures.Failed(
            f"WAGGLE_SECRET_KEYS: no key reads what is stored of {output.some(done.unreadable)}; "
            f"{PUT_BACK}"
        )


@keys.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def status(*, as_json: bool) -> None:
    """Which keys are still needed: how many secrets each of WAGGLE_SECRET_KEYS reads.

    Exit status 1 when there is a secret that none of them reads.

    \b
    Example:
      waggle keys status
    """  # noqa: D301 -- \b is click's mark
    with opened() as house, house.ledger.read() as session:
        found = rotation.standing(session, house.settings.secret_keys)
    if as_json:
        output.document({"secrets_by_key": found.by_key, "unreadable": found.unreadable})
    else:
        for place, count in enumerate(found.by_key, start=1):
            click.echo(f"key {place}: {count} secrets{_advice(place, count)}")
    if found.unreadable:
        raise failures.Failed(
            f"WAGGLE_SECRET_KEYS: no key reads what is stored of {output.some(found.unreadable)}; "
            f"{PUT_BACK}"
        )


def _advice(place: int, count: int) -> str:
    if place == 1:
        return " (the first: it encrypts what is new)"
    return "; `waggle keys rotate` puts them under the first" if count else "; it may be taken out"
