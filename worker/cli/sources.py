"""`waggle source`: what is at a source, so that people find the ids that their file names."""

from collections.abc import Sequence
from dataclasses import asdict

import click
import httpx
from sqlmodel import Session, col, select

from clients.errors import ClientError
from db.models import Source, User
from db.vault import VaultError
from tasks import reaching
from tasks.gates import DeferredError
from tasks.providers import Found, Looks
from worker import runtime
from worker.cli import diagnosis, failures, output
from worker.cli.house import opened

SEPARATOR = "/"


@click.group()
def source() -> None:
    """Look at the sources that `waggle apply` made.

    \b
    Example:
      waggle source check plant
    """  # noqa: D301 -- \b is click's mark


@source.command()
@click.argument("name", metavar="NAME")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def check(*, name: str, as_json: bool) -> None:
    """Log in to a source, read one page of each list, and say what is there.

    NAME is the source's name in the file, or USER/NAME where two people have one of that name.
    What is shown under "id" is what a feed's params name. Nothing is changed there or here.

    \b
    Examples:
      waggle source check plant
      waggle source check alice/plant --json
    """  # noqa: D301 -- \b is click's mark
    with opened() as house:
        with house.ledger.read() as session:
            row, owner = named(session, name)
        with runtime.build(house.settings, ring=lambda _task, _queue: False) as rt:
            try:
                provider, connection = reaching.reach(rt, row)
                found = connection.look() if isinstance(connection, Looks) else None
            except (ClientError, DeferredError, VaultError, httpx.HTTPError) as error:
                case = diagnosis.failed(f"source {row.name}", error, diagnosis.ADDRESS_REMEDY)
                raise failures.Failed(told(case)) from None
    if as_json:
        output.document(
            {
                "source": row.name,
                "user": owner,
                "provider": provider.name,
                "found": None if found is None else [asdict(one) for one in found],
            }
        )
        return
    click.echo(f"source {row.name} of {owner}: {provider.title} answers, the login works")
    if found is None:
        click.echo(f"{provider.title} does not list what is there; its own pages do")
        return
    _show(found)


def told(case: diagnosis.Case) -> str:
    """What a call that failed comes to, in one line."""
    remedy = f"; {case.remedy}" if case.remedy else ""
    return f"{case.what}: {case.text}{remedy}"


def named(session: Session, name: str) -> tuple[Source, str]:
    """The source of that name and its owner's; raises `Refused` for none or more than one."""
    owner, _, bare = name.lower().rpartition(SEPARATOR)
    rows = session.exec(select(Source, User).join(User, col(Source.user_id) == col(User.id))).all()
    found = [
        (row, user.username)
        for row, user in rows
        if row.name == bare and owner in ("", user.username.lower())
    ]
    if not found:
        names = {row.name for row, _ in rows}
        raise failures.Refused(f"there is no source {name!r}{failures.nearest(bare, names)}")
    if len(found) > 1:
        full = ", ".join(sorted(f"{username}{SEPARATOR}{bare}" for _, username in found))
        raise failures.Refused(f"several people have a source {bare!r}; name one of: {full}")
    return found[0]


def _show(found: Sequence[Found]) -> None:
    output.table(
        ("kind", "id", "name", "more"),
        [(one.kind, one.id, one.name or None, one.detail or None) for one in found],
        empty="nothing is there yet, or this login may see none of it",
    )
