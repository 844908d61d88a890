"""Commands by which a person decides about a day: approve, pin."""

from dataclasses import dataclass

import click
from sqlmodel import Session, col

from db import approvals, feeds, names, workers
from db.models import Feed
from db.models_points import Datapoint
from db.names_of_feeds import Named
from db.states import DatapointState, FeedState
from tasks.days import Window
from worker.cli import daystamps, failures, output, ringing
from worker.cli.house import feeds_of, opened

ASLEEP = (FeedState.PAUSED, FeedState.STOPPED)


@dataclass(frozen=True, slots=True)
class Correction:
    """A held datapoint as a person sees it before they decide."""

    name: str
    daystamp: str
    there: float | None
    value: float
    why: str


@click.command()
@click.argument("name", metavar="USER/GOAL")
@click.argument("day", metavar="[DAY]", required=False)
@click.option("--all", "every_day", is_flag=True, help="All that is held, instead of one day.")
@click.option("--drop", is_flag=True, help="Leave what is at Beeminder; don't ask again.")
def approve(*, name: str, day: str | None, every_day: bool, drop: bool) -> None:
    """Send a held correction, or drop it.

    A correction of a finished day is held when it would make the day worse, empty it, or is one
    of many: Beeminder may derail the goal for it. DAY is 2026-11-20, 20261120, today or yesterday.

    \b
    Examples:
      waggle approve alice/energy 2026-11-19
      waggle approve alice/energy yesterday --drop
      waggle approve alice/energy --all
    """  # noqa: D301 -- \b is click's mark
    if (day is None) != every_day:
        raise failures.Refused("name one day, or --all for every day that is held")
    with opened() as house:
        now = house.now()
        with house.ledger.write() as session:
            found = feeds_of(session, name)
            alive = workers.alive(session, now)
            daystamp = None
            if day is not None:
                daystamp = _window(day, found, now).daystamp
            ids = [named.feed.id or 0 for named in found]
            held = approvals.held(session, ids, for_update=True)
            about = [row for row in held if daystamp in (None, row.daystamp)]
            if not about:
                raise failures.Refused(_nothing(name, daystamp, held))
            shown = _corrections(found, about)
            decide = approvals.drop if drop else approvals.approve
            rows = decide(session, ids, daystamp=daystamp, now=now)
            on = [] if drop else [_read_on(session, named, rows, now) for named in found]
        if any(row.state == DatapointState.PENDING for row in rows):
            with ringing.ringer(house.settings) as ring:
                ring("push", "default")
                if any(on):
                    ring("backfill", "bulk")
    _table(shown)
    count = "1 correction" if len(shown) == 1 else f"{len(shown)} corrections"
    click.echo(f"{count} {'dropped: what is at Beeminder stays' if drop else 'approved'}")
    for again in filter(None, on):
        click.echo(again)
    if not drop:
        _asleep(found, {row.name for row in shown})
    if not drop and not alive:
        click.echo("waggle: no worker is running, so it is sent later: `waggle up`", err=True)


@click.command()
@click.argument("name", metavar="USER/GOAL")
@click.argument("day", metavar="DAY")
@click.option("--off", is_flag=True, help="Take the pin away.")
def pin(*, name: str, day: str, off: bool) -> None:
    """Leave a day as it is at Beeminder, whatever the source says; also today.

    What waits to be sent for the day is not sent. DAY is 2026-11-20, 20261120, today or
    yesterday.

    \b
    Examples:
      waggle pin alice/energy today
      waggle pin alice/energy 2026-11-19 --off
    """  # noqa: D301 -- \b is click's mark
    with opened() as house:
        now = house.now()
        with house.ledger.write() as session:
            found = feeds_of(session, name)
            window = _window(day, found, now)
            feeds.lock(session, col(Feed.id).in_([named.feed.id for named in found]))
            kept_back = {
                named.name: approvals.pin(
                    session,
                    named.feed.id or 0,
                    daystamp=window.daystamp,
                    pinned=not off,
                    bounds=(window.starts_at, window.ends_at),
                    now=now,
                )
                for named in found
            }
    date = names.dashed(window.daystamp)
    for feed, rows in kept_back.items():
        if off:
            click.echo(f"{feed}: {date} is no longer pinned; the next sync looks at it again")
            continue
        what = "; what waited to be sent is not" if rows else ""
        click.echo(f"{feed}: {date} is left as it is at Beeminder{what}")


def _read_on(session: Session, named: Named, rows: list[Datapoint], now: float) -> str | None:
    wanted = approvals.read_on(session, named.feed, rows, now=now)
    if wanted is None:
        return None
    first = names.dashed(wanted.next_day)
    return f"{named.name}: days from {first} on build on each other and are read again"


def _window(day: str, found: list[Named], now: float) -> Window:
    return daystamps.chosen(day, user=found[0].user, goal=found[0].goal, now=now)


def _corrections(found: list[Named], rows: list[Datapoint]) -> list[Correction]:
    names = {named.feed.id: named.name for named in found}
    return [
        Correction(
            names[row.feed_id],
            row.daystamp or "",
            row.landed_value,
            row.value,
            row.error or "no reason is known",
        )
        for row in rows
    ]


def _table(rows: list[Correction]) -> None:
    output.table(
        ("feed", "day", "at Beeminder", "new value", "why it is held"),
        [
            (
                row.name,
                names.dashed(row.daystamp),
                None if row.there is None else f"{row.there:.12g}",
                f"{row.value:.12g}",
                row.why,
            )
            for row in rows
        ],
        empty="",
    )


def _nothing(name: str, daystamp: str | None, held: list[Datapoint]) -> str:
    if not held:
        return f"nothing of {name} is held"
    stamps = sorted({row.daystamp or "" for row in held})
    shown = ", ".join(names.dashed(stamp) for stamp in stamps[:8])
    more = "" if len(stamps) <= 8 else f" and {len(stamps) - 8} more"  # noqa: PLR2004 -- a line's worth
    return f"nothing of {name} is held on {names.dashed(daystamp or '')}; held: {shown}{more}"


def _asleep(found: list[Named], approved: set[str]) -> None:
    for named in found:
        if named.name in approved and named.feed.state in ASLEEP:
            click.echo(
                f"waggle: {named.name} is {named.feed.state}: sent once it runs again "
                f"(`waggle resume {named.name}`)",
                err=True,
            )
