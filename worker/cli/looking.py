"""Commands that only look: events, event, datapoints."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from db import overview
from db.states import EventState
from worker.cli import failures, output
from worker.cli.house import feeds_of, opened

Command = TypeVar("Command", bound=Callable[..., Any])

as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document.")


def at_most(default: int | None) -> Callable[[Command], Command]:
    """The option --limit."""
    shown = "all" if default is None else str(default)
    return click.option(
        "--limit",
        type=click.IntRange(min=1),
        default=default,
        help=f"At most so many rows (default: {shown}).",
    )


def in_the_way(row: dict[str, Any], error: str | None) -> str | None:
    """What a row waits for; its last error beside it, which may be older."""
    wait = row["waits_for"]
    if wait is None:
        return error
    told = f"waits for a limit: {wait['gate']}, until {output.when(wait['until'])}"
    return told if error is None else f"{told}; {error}"


@click.command()
@as_json
@click.option("--state", type=click.Choice([state.value for state in EventState]), default=None)
@at_most(50)
def events(*, as_json: bool, state: str | None, limit: int) -> None:
    """What came in, newest first.

    \b
    Examples:
      waggle events --state failed
      waggle events --json --limit 5
    """  # noqa: D301 -- \b is click's mark
    with opened() as house, house.ledger.read() as session:
        found = overview.events(session, house.now(), state=state, limit=limit)
    if as_json:
        output.document(found)
        return
    output.table(
        ("id", "kind", "feed", "state", "attempts", "deferrals", "received", "error"),
        [
            (
                row["id"],
                row["kind"],
                row["feed"],
                row["state"],
                row["attempts"],
                row["deferrals"],
                output.when(row["received_at"]),
                in_the_way(row, (row["error"] or {}).get("message")),
            )
            for row in found
        ],
        empty="nothing came in" if state is None else f"no event is {state}",
    )


@click.command()
@click.argument("event_id", metavar="ID")
@as_json
def event(*, event_id: str, as_json: bool) -> None:
    """One event with its payload, which holds no secret.

    \b
    Example:
      waggle event 01kaf0w5m2v6x3c8d9e7g4h1jk
    """  # noqa: D301 -- \b is click's mark
    with opened() as house, house.ledger.read() as session:
        found = overview.event(session, house.now(), event_id.strip().lower())
    if found is None:
        raise failures.Refused(f"there is no event {event_id!r}; `waggle events` lists them")
    if as_json:
        output.document(found)
        return
    shown = found | {"waits_for": in_the_way(found, None)}
    for key, value in shown.items():
        click.echo(f"{key:12} {'-' if value is None else output.plain(str(value))}")


@click.command()
@click.argument("name", metavar="USER/GOAL")
@as_json
@at_most(None)
def datapoints(*, name: str, as_json: bool, limit: int | None) -> None:
    """What was sent to a goal, when, and its state; the newest day first.

    `value` is what the source came to, beside it is what is known to be at Beeminder.

    \b
    Examples:
      waggle datapoints alice/energy
      waggle datapoints alice/energy:roof --json
    """  # noqa: D301 -- \b is click's mark
    with opened() as house, house.ledger.read() as session:
        names = {named.feed.id or 0: named.name for named in feeds_of(session, name)}
        found = overview.datapoints(session, names, limit=limit)
    if as_json:
        output.document(found)
        return
    output.table(
        ("feed", "day", "value", "at Beeminder", "state", "sent", "requestid", "comment", "why"),
        [
            (
                row["feed"],
                row["daystamp"],
                f"{row['value']:.12g}",
                None if row["landed_value"] is None else f"{row['landed_value']:.12g}",
                row["state"],
                output.when(row["sent_at"]),
                row["requestid"],
                row["comment"],
                row["why"],
            )
            for row in found
        ],
        empty=f"nothing was sent to {name} yet",
    )
