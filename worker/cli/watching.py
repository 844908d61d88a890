"""`waggle run`: a run that a person wants to see is followed, also where no feed counts it."""

from collections.abc import Sequence
from typing import Literal, cast

import click
import httpx
from sqlmodel import col, select

from clients.errors import ClientError, NotFound
from clients.rime import Run
from clients.rime_paths import Kind
from db import runs_found, workers
from db.models import Source
from db.models_runs import Run as Row
from db.runs import Seen
from db.runs_found import Found
from db.vault import VaultError
from tasks import reaching
from tasks.gates import DeferredError
from tasks.live import view
from tasks.live.view import View
from tasks.metrics import rime_checks
from tasks.metrics.rime_history import Place
from tasks.metrics.rime_reader import Reader
from tasks.runs import PROVIDER
from worker import runtime
from worker.cli import diagnosis, failures, output, sources
from worker.cli.house import House, opened
from worker.cli.looking import as_json

HOW_TO_LOOK = "`waggle runs --follow` shows how it goes on"


@click.group()
def run() -> None:
    """Follow runs that you name.

    \b
    Example:
      waggle run watch shop run_000123
    """  # noqa: D301 -- \b is click's mark


@run.command()
@click.argument("name", metavar="SOURCE")
@click.argument("run_id", metavar="RUN")
@click.option("--connector", metavar="ID", help="The connector whose run it is.")
@click.option("--pipeline", metavar="ID", help="The pipeline whose run it is.")
@click.option("--project", metavar="ID", help="Its project (default: the one of the source).")
@as_json
def watch(
    *,
    name: str,
    run_id: str,
    connector: str | None,
    pipeline: str | None,
    project: str | None,
    as_json: bool,
) -> None:
    """Follow a run of a RIME source to its end.

    SOURCE is the source's name in the file, or USER/NAME where two people have one of that name.
    Without --connector and --pipeline it is a run of the one whose runs the source's feeds count.
    The run is read once, so a wrong id is told now; one that is over is told and not followed.

    \b
    Examples:
      waggle run watch shop run_000123
      waggle run watch alice/shop run_000123 --pipeline nightly
    """  # noqa: D301 -- \b is click's mark
    with opened() as house:
        with house.ledger.read() as session:
            row, owner = sources.named(session, name)
            counted = runs_found.places(session, row.id or 0)
            alive = workers.alive(session, house.now())
        _may_be_followed(row)
        place = _place(row, connector, pipeline, counted)
        project = None if project is None else _id("--project", project)
        found, project = _read(house, row, place, _id("RUN", run_id), project)
        seen = view.seen(view.snapshot(View(run=found.id), found, now=house.now()))
        what = f"run {found.id} of {place.kind} {place.id}"
        outcome = "over" if found.is_over else _follow(house, row, place, project, found)
    if as_json:
        output.document(
            {
                "run": found.id,
                "source": row.name,
                "user": owner,
                "project": project,
                "connector": place.id if place.kind == "connector" else None,
                "pipeline": place.id if place.kind == "pipeline" else None,
                "state": seen.state,
                "rows": seen.rows,
                "followed": outcome in ("new", "known"),
            }
        )
        return
    told = {
        "over": f"{what} is over: {_how(seen)}. There is nothing to follow",
        "ended": f"{what} was followed to an end before, and is not followed again: {_how(seen)}",
        "known": f"{what} is followed already: {_how(seen)}. {HOW_TO_LOOK}",
        "new": f"{what} is followed from now on: {_how(seen)}. {HOW_TO_LOOK}",
    }
    click.echo(output.plain(told[outcome]))
    if outcome in ("new", "known") and not alive:
        click.echo(
            "waggle: no worker is running, so nothing is followed yet: start one with `waggle up`",
            err=True,
        )


def _may_be_followed(row: Source) -> None:
    if row.provider != PROVIDER:
        raise failures.Refused(
            f"source {row.name} is one of {row.provider!r}: only runs of RIME can be followed"
        )


def _id(name: str, given: str) -> str:
    """An id as the source takes it."""
    try:
        return rime_checks.id_of(given)
    except ValueError as error:
        raise failures.Refused(f"{name}: {error}") from None


def _place(
    row: Source,
    connector: str | None,
    pipeline: str | None,
    counted: Sequence[tuple[str, str]],
) -> Place:
    """Whose run it is: as it is said, or the only one that the source's feeds count."""
    if connector is not None and pipeline is not None:
        raise failures.Refused("--connector and --pipeline exclude each other: a run has one owner")
    if connector is not None:
        return Place("connector", _id("--connector", connector))
    if pipeline is not None:
        return Place("pipeline", _id("--pipeline", pipeline))
    if not counted:
        raise failures.Refused(
            f"no feed counts runs of source {row.name}: say whose run it is with --connector ID or "
            f"--pipeline ID (`waggle source check {row.name}` lists them)"
        )
    if len(counted) > 1:
        ways = output.some([f"--{kind} {of}" for kind, of in counted])
        raise failures.Refused(f"feeds of source {row.name} count several: say which, {ways}")
    kind, of = counted[0]
    return Place(cast("Kind", kind), of)


def _read(
    house: House, row: Source, place: Place, run_id: str, project: str | None
) -> tuple[Run, str]:
    """The run as it is at the source, and its project."""
    with runtime.build(house.settings, ring=lambda _task, _queue: False) as rt:
        try:
            _, connection = reaching.reach(rt, row)
            reader = cast("Reader", connection)
            where = project or reader.project
            try:
                return reader.client.run(where, place.kind, place.id, run_id), where
            except NotFound as error:
                raise failures.Refused(
                    f"there is no run {run_id!r} of {place.kind} {place.id} in project {where}: "
                    f"are the ids right? ({error})"
                ) from None
        except (ClientError, DeferredError, VaultError, httpx.HTTPError) as error:
            case = diagnosis.failed(f"source {row.name}", error, diagnosis.ADDRESS_REMEDY)
            raise failures.Failed(sources.told(case)) from None


def _follow(
    house: House, row: Source, place: Place, project: str, found: Run
) -> Literal["new", "known", "ended"]:
    """Add it; "known" where it is followed already, "ended" where it was to an end."""
    wanted = Found(
        project=project,
        connector=place.id if place.kind == "connector" else None,
        pipeline=place.id if place.kind == "pipeline" else None,
        run_id=found.id,
        started_at=found.started,
        by_hand=True,
    )
    with house.ledger.write() as session:
        if runs_found.find(session, row.id or 0, [wanted], house.now()):
            return "new"
        ended_at = session.connection().execute(
            select(col(Row.finished_at)).where(
                col(Row.source_id) == row.id, col(Row.run_id) == found.id
            )
        )
        return "known" if ended_at.scalar_one() is None else "ended"


def _how(seen: Seen) -> str:
    return seen.state if seen.rows is None else f"{seen.state}, {seen.rows:,.0f} rows"
