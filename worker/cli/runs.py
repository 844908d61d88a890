"""`waggle runs`: runs that are followed, once or for as long as somebody looks."""

import time

import click

from db import overview
from worker.cli import failures, output, runs_followed, runs_told, sources
from worker.cli.house import opened
from worker.cli.looking import as_json, at_most


@click.command()
@as_json
@click.option("--source", "name", metavar="NAME", help="Only runs of this source.")
@click.option("--follow", is_flag=True, help="Show how they go on, until Ctrl-C.")
@click.option("--until-idle", is_flag=True, help="With --follow: until nothing runs any more.")
@at_most(50)
def runs(*, as_json: bool, name: str | None, follow: bool, until_idle: bool, limit: int) -> None:
    """Runs that are or were followed, the latest first.

    With --follow those that run are on top, with what ended in the last minutes below; where
    stdout is no terminal, each change is a line. NAME is the source's name in the file, or
    USER/NAME where two people have one of that name.

    \b
    Examples:
      waggle runs --limit 5
      waggle runs --follow --source shop
      waggle runs --follow --until-idle > runs.log
    """  # noqa: D301 -- \b is click's mark
    if until_idle and not follow:
        raise failures.Refused("--until-idle goes with --follow")
    if follow and as_json:
        raise failures.Refused("--json prints once: it does not go with --follow")
    with opened() as house:
        source_id = None
        if name is not None:
            with house.ledger.read() as session:
                source_id = sources.named(session, name)[0].id
        if follow:
            look = runs_followed.looking(house, source_id=source_id, limit=limit)
            with runs_followed.shown() as show:
                runs_followed.follow(look, show, until_idle=until_idle, sleep=time.sleep)
            return
        with house.ledger.read() as session:
            found = overview.runs(session, limit=limit, source_id=source_id)
    if as_json:
        output.document(found)
        return
    output.table(
        runs_told.COLUMNS, [runs_told.cells(run) for run in found], empty="no run was followed yet"
    )
