"""`waggle status`: how everything stands, with what needs a person on top."""

from collections.abc import Sequence
from typing import Any

import click

from db import held_up, needs, overview, runs_listed, workers
from db.needs import Need
from worker.cli import backfilling, gates, live_progress, output
from worker.cli.house import opened
from worker.cli.looking import as_json, at_most, in_the_way

DAY = 86400.0
SUSPECT = "at work when a worker died, tried again alone"
SET_ASIDE = "killed its worker again and again, not tried any more"


@click.command()
@as_json
@at_most(None)
def status(*, as_json: bool, limit: int | None) -> None:
    """Users, sources and feeds; inbox and outbox; the age of the oldest due work.

    \b
    Examples:
      waggle status
      waggle status --json | jq '.feeds[] | select(.state != "active")'
    """  # noqa: D301 -- \b is click's mark
    with opened() as house:
        now = house.now()
        with house.ledger.read() as session:
            found = overview.status(session, now, limit=limit)
            needed = needs.of(session, now)
            alive = workers.alive(session, now)
            going = list(backfilling.lines(session))
            limited = held_up.gates(session, now, notable=True)
            broken = held_up.broken(session)
            suspects, set_aside = held_up.dangerous(session)
            deferred, callbacks = held_up.deferred(session, now - DAY)
            stale, given_up = runs_listed.troubles(session, now)
    limited = [gate for gate in limited if gate.since is not None or gates.slowed(gate, now)]
    rate = house.settings.beeminder_rate
    if as_json:
        output.document(
            found
            | {
                "notices": [_notice(need) for need in needed],
                "gates": [gates.document(gate, now, rate) for gate in limited],
                "breakers": [gates.breaker_document(*each) for each in broken],
                "suspects": suspects,
                "set_aside": set_aside,
                "deferred": {"callbacks": callbacks, "times": deferred},
                "runs": {
                    "stale": live_progress.document(stale),
                    "given_up": live_progress.document(given_up),
                },
            }
        )
        return
    _section("needs you", [_need(need) for need in needed])
    _section("limits", [f"{gate.name}  {gates.told(gate, now, rate)}" for gate in limited])
    _section("no answer", [f"{name}  {gates.breaker_told(each, now)}" for name, each in broken])
    output.table(
        ("feed", "state", "last sync", "next sync", "pending", "waits, last error"),
        [
            (
                row["feed"],
                row["state"],
                output.when(row["last_synced_at"]),
                output.when(row["next_sync_at"]),
                row["pending"],
                in_the_way(row, row["last_error"]),
            )
            for row in found["feeds"]
        ],
        empty="no feeds yet: describe them in a file and run `waggle apply FILE`",
    )
    click.echo()
    for kind, name in (("users", "username"), ("sources", "name")):
        shown = ", ".join(f"{row[name]} ({row['state']})" for row in found[kind])
        click.echo(f"{kind:8} {shown or 'none'}")
    for kind in ("inbox", "outbox"):
        counts = {key: value for key, value in found[kind].items() if key != "oldest_due_seconds"}
        click.echo(f"{kind:8} " + "  ".join(f"{key} {value}" for key, value in counts.items()))
    for line in going:
        click.echo(f"{'backfill':8} {line}")
    if deferred:
        click.echo(f"{'deferred':8} by limits: {_times(callbacks, deferred)} in 24 h")
    if suspects:
        click.echo(f"{'suspect':8} {output.some(suspects)}: {SUSPECT}")
    if set_aside:
        click.echo(f"{'aside':8} {output.some(set_aside)}: {SET_ASIDE}; {try_again(set_aside)}")
    for runs, what, remedy in (
        (stale, live_progress.STALE, live_progress.STALE_REMEDY),
        (given_up, live_progress.GIVEN_UP, live_progress.GIVEN_UP_REMEDY),
    ):
        if runs:
            click.echo(f"{'runs':8} {live_progress.told(runs, what)}; {remedy}")
    late = found["inbox"]["oldest_due_seconds"]
    click.echo(f"{'due':8} oldest work waits for {late:.1f} s")
    hint = "" if alive else ": nothing is synced (`waggle up`)"
    click.echo(f"{'workers':8} {alive} alive{hint}")


def try_again(names: Sequence[str]) -> str:
    """What a person does about feeds that were set aside."""
    name = names[0] if len(names) == 1 else "USER/GOAL"
    return (
        f"`waggle sync {name} --preview` shows how it ends, "
        f"`waggle resume {name}` has it tried again"
    )


def _times(callbacks: int, times: int) -> str:
    """`1 callback`, `2 callbacks, 5 times`."""
    who = "1 callback" if callbacks == 1 else f"{callbacks} callbacks"
    return who if times == callbacks else f"{who}, {times} times"


def _notice(need: Need) -> dict[str, Any]:
    return {
        "subject": need.subject,
        "kind": need.kind,
        "message": need.message,
        "since": overview.iso(need.since),
    }


def _need(need: Need) -> str:
    since = output.when(overview.iso(need.since))
    return f"{since}  {need.subject}  {output.plain(need.message)}"


def _section(title: str, lines: list[str]) -> None:
    """Lines under their title; nothing at all where there are none."""
    if not lines:
        return
    click.secho(title, bold=True)
    for line in lines:
        click.echo(f"  {line}")
    click.echo()
