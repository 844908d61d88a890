"""`waggle link --fix-goal`: how a goal would count, and what that would do to its past days."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

import clients
from clients.errors import Forbidden, Rejected
from tasks import days, fit, holdings, mend
from tasks.beeminder import Access
from tasks.fit import Fit, Shape
from tasks.mend import Counting, Outlook
from tasks.providers import ValueKind
from worker.cli import failures, output

CALL_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Mending:
    """A change of a goal's way of counting, and what it would do."""

    before: Counting
    after: Counting
    outlook: Outlook
    mixed: int  # points of ours that were sent in another shape and stay as they are

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        seen = self.outlook
        return {
            "aggday": [self.before.aggday, self.after.aggday],
            "kyoom": [self.before.kyoom, self.after.kyoom],
            "curval": [seen.curval, seen.curval_after],
            "refused": seen.refused,
            "days": [
                {
                    "daystamp": row.daystamp,
                    "now": row.now,
                    "after": row.after,
                    "line": row.line,
                    "red": row.red_after,
                }
                for row in seen.rows
            ],
        }


def needed(fits: Sequence[Fit], kinds: Sequence[ValueKind]) -> bool:
    """Is anything sent otherwise than it is, or not at all?"""
    return any(
        found.problem is not None
        or found.shape is not (Shape.EVENTS if kind == "events" else Shape.AS_IS)
        for found, kind in zip(fits, kinds, strict=True)
    )


def look(
    access: Access,
    goal: clients.GoalWithRoad,
    kinds: Sequence[ValueKind],
    fits: Sequence[Fit],
    *,
    now: float,
    timezone: str,
) -> Mending:
    """What would fit, and what it would do. Raises `Failed` where nothing would."""
    before = Counting(goal.aggday or "", kyoom=goal.kyoom)
    after = mend.better(kinds, before, feeds=len(kinds))
    if after is None:
        raise failures.Failed(
            f"no way of counting would fit all feeds of {goal.slug}: give them goals of their own"
        )
    points = holdings.all_points(access, goal.slug)
    shaped = any(found.shape in (Shape.RUNNING, Shape.DIFFERENCE) for found in fits)
    return Mending(
        before,
        after,
        mend.outlook(goal, points, after, now=now, tz=days.zone(timezone)),
        mixed=sum(holdings.is_ours(point) for point in points) if shaped else 0,
    )


def show(found: Mending) -> None:
    """The past days both ways, for people."""
    seen = found.outlook
    click.echo(f"now:   {fit.counts(kyoom=found.before.kyoom, aggday=found.before.aggday)}")
    click.echo(f"after: {fit.counts(kyoom=found.after.kyoom, aggday=found.after.aggday)}")
    if seen.rows:
        output.table(
            ("day", "the goal now", "after", "bright red line", ""),
            [
                (
                    row.daystamp,
                    _number(row.now),
                    _number(row.after),
                    _number(row.line),
                    "red" if row.red_after else "",
                )
                for row in seen.rows
            ],
            empty="",
        )
        click.echo(f"current value: {_number(seen.curval)} now, {_number(seen.curval_after)} after")
    if seen.red_today:
        click.echo("today would be red: there is time until the deadline to mend that")
    if found.mixed:
        click.echo(
            f"{found.mixed} points of Waggle's were sent for the way the goal counts now; the "
            "next sync sends those of the last days anew, older ones stay as they are"
        )


def change(access: Access, slug: str, found: Mending) -> str | None:
    """Make the change; why it was refused, or None. Nothing else depends on it."""
    aggday = found.after.aggday if found.after.aggday != found.before.aggday else None
    kyoom = found.after.kyoom if found.after.kyoom != found.before.kyoom else None
    try:
        goal = access.call(
            lambda client: client.change_goal(slug, aggday=aggday, kyoom=kyoom),
            deadline=CALL_SECONDS,
        )
    except (Rejected, Forbidden) as exc:
        return (
            f"Beeminder does not let it be changed ({output.plain(str(exc))}): it may need a paid "
            "plan there. Nothing was changed, and Waggle goes on sending what fits"
        )
    if Counting(goal.aggday or "", kyoom=goal.kyoom) != found.after:
        return "Beeminder took the change and shows another one: look at the goal's settings there"
    return None


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.10g}"
