"""`waggle reconcile`: does Beeminder hold what the ledger says? It works in this process."""

import sys
import time
from collections import Counter
from collections.abc import Sequence

import click

from clients.errors import ClientError
from db import names, reconciling
from db.feeds import FencedError
from db.names import feed_name
from tasks import reconcile as job
from tasks.comparison import Finding, Kind
from tasks.gates import DeferredError
from tasks.reconcile_report import Done, Report, Told
from tasks.repairs import DELETED, Repair
from tasks.runtime import Runtime
from worker.cli import failures, output, working
from worker.cli.house import House, feeds_of, opened

BUSY_SECONDS = 15.0  # a dead worker's lease ends within ten
POLL_SECONDS = 0.2


@click.command()
@click.argument("name", metavar="[USER/GOAL]", required=False)
@click.option("--repair", is_flag=True, help="Write again what is not as the ledger says.")
@click.option("--yes", is_flag=True, help="Also over what a person edited on finished days.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def reconcile(*, name: str | None, repair: bool, yes: bool, as_json: bool) -> None:
    """Compare the ledger with what Beeminder holds; without a name, for every goal.

    Only Waggle's own datapoints are looked at. What a person edited on a finished day is left
    alone until --repair is confirmed; what was deleted is never restored. Exit status: 0 equal or
    repaired, 1 something differs.

    \b
    Examples:
      waggle reconcile
      waggle reconcile alice/energy
      waggle reconcile alice/energy --repair
      waggle reconcile alice/energy --repair --yes
    """  # noqa: D301 -- \b is click's mark
    if yes and not repair:
        raise failures.Refused("--yes confirms a repair: say --repair as well")
    wanted = (Repair.EDITS if yes else Repair.OURS) if repair else Repair.NOTHING
    with opened() as house:
        goals = _goals(house, name)
        with working.here(house) as rt:
            reports, troubles = _all(rt, goals, wanted, as_json=as_json)
    if as_json:
        found = [report.as_json() for report in reports]
        if name is None or found:
            output.document(found if name is None else found[0])
    elif not goals:
        click.echo("there is no goal to reconcile")
    if troubles:
        raise failures.Failed("\n".join(troubles))
    if not all(report.settled for report in reports):
        click.get_current_context().exit(1)


def _goals(house: House, name: str | None) -> list[tuple[int, str]]:
    """(id, name) of the goals that are meant."""
    with house.ledger.read() as session:
        if name is None:
            found = reconciling.goals(session)
        else:
            named = feeds_of(session, name)[0]
            found = [(named.user, named.goal)]
    return [(goal.id or 0, feed_name(user.username, goal.slug, "")) for user, goal in found]


def _all(
    rt: Runtime, goals: Sequence[tuple[int, str]], wanted: Repair, *, as_json: bool
) -> tuple[list[Report], list[str]]:
    """Every goal's report, and what kept others from having one."""
    reports, troubles = [], []
    for goal_id, name in goals:
        rt.step("command.turn")
        try:
            report = _examine(rt, goal_id, name, wanted)
            if not as_json:
                _print(report)
                if wanted == Repair.OURS and _confirmed(report):
                    report = _examine(rt, goal_id, name, Repair.EDITS)
                    _print(report)
        except failures.Failed as trouble:
            troubles.append(trouble.message)
        else:
            reports.append(report)
    return reports, troubles


def _examine(rt: Runtime, goal_id: int, name: str, wanted: Repair) -> Report:
    """A report; waits a little for a worker that has the goal. Raises `Failed`."""
    ends_at = time.monotonic() + BUSY_SECONDS
    try:
        while (report := job.examine(rt, goal_id, repair=wanted)) is None:
            if time.monotonic() >= ends_at:
                raise failures.Failed(f"{name} is being worked on; try again in a minute")
            rt.step("command.turn")
            time.sleep(POLL_SECONDS)
    except FencedError as exc:
        raise failures.Failed(f"{name}: a worker took it over meanwhile; try again") from exc
    except DeferredError as exc:
        why = f"{output.plain(str(exc))}, until {output.opening(exc.until)}"
        raise failures.Failed(f"{name}: {why}") from exc
    except ClientError as exc:
        raise failures.Failed(f"{name}: Beeminder: {output.plain(str(exc))}") from exc
    return report


def _on_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _confirmed(report: Report) -> bool:
    """Ask on a terminal before anybody's edit is written over."""
    edits = [one for one in report.told if one.needs_a_yes]
    if not edits or not _on_terminal():
        return False
    days = ", ".join(names.dashed(one.finding.daystamp) for one in edits)
    return click.confirm(
        f"Write over what was changed on finished days ({days})? Beeminder may derail the goal "
        "for what gets worse."
    )


def _print(report: Report) -> None:
    counts = Counter(one.finding.kind for one in report.told)
    parts = [f"{report.equal} equal"] + [f"{counts[kind]} {kind}" for kind in Kind if counts[kind]]
    click.echo(f"{report.name}: {', '.join(parts)}")
    if not report.told:
        return
    labelled = len(report.feeds) > 1
    columns = ["day", "at Beeminder", "in the ledger", "what", "what was done, or what to do"]
    rows = [_row(report, one) for one in report.told]
    if labelled:
        columns.insert(0, "feed")
        rows = [[report.feed_of(one), *row] for one, row in zip(report.told, rows, strict=True)]
    output.table(columns, rows, empty="")


def _row(report: Report, one: Told) -> list[object]:
    finding = one.finding
    return [
        names.dashed(finding.daystamp),
        _there(finding),
        None if finding.row is None else f"{finding.row.value:.12g}",
        finding.kind.value,
        _advice(report.name, one),
    ]


def _there(finding: Finding) -> str | None:
    if finding.there is None:
        return None
    elsewhere = finding.there.daystamp != finding.daystamp
    day = f" on {names.dashed(finding.there.daystamp)}" if elsewhere else ""
    return f"{finding.there.value:.12g}{day}"


def _advice(name: str, one: Told) -> str:
    """What was done about it, or what a person can do."""
    finding = one.finding
    again = f"`waggle reconcile {name} --repair{' --yes' if one.needs_a_yes else ''}`"
    if one.done == Done.REPAIRED:
        return "written again, and seen there"
    if one.done == Done.FAILED:
        return f"could not be written: {one.why or 'it is not there as it was sent'}"
    if one.done == Done.QUEUED:
        return "goes out with the next push"
    if finding.pinned and one.differs and finding.kind != Kind.FOREIGN:
        return "the day is pinned: left as it is"
    if finding.kind == Kind.DELETED:
        return _of_deleted(name, one)
    return {
        Kind.EDITED: f"left as it is; {again} writes the ledger's value",
        Kind.MOVED: f"the time zone or the deadline has changed; {again} puts it back on its day",
        Kind.MISSING: f"it was confirmed, but never seen there; {again} writes it",
        Kind.LATE: f"an older push of ours came late; {again} writes the ledger's value",
        Kind.FOREIGN: "of older parameters, of a lost ledger or of another Waggle: left alone",
        Kind.PENDING: "is to be written",
        Kind.HELD: f"{_why(finding)}; `waggle approve {name} {finding.daystamp}` sends it",
        Kind.REJECTED: f"Beeminder refused it: {_why(finding)}",
        Kind.LANDED: "",
    }[finding.kind]


def _of_deleted(name: str, one: Told) -> str:
    row = one.finding.row
    if one.done == Done.ACCEPTED:
        return "stays deleted, and is not told any more"
    if not one.finding.finished:
        return "left as it is; a new value of today's would be written"
    if one.done == Done.FROZEN or (row is not None and row.frozen == DELETED):
        return f"stays deleted; `waggle reconcile {name} --repair --yes` says that it is meant"
    return "nothing is concluded from it yet: look again later"


def _why(finding: Finding) -> str:
    return (finding.row.error if finding.row is not None else None) or "no reason is known"
