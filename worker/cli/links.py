"""What the commands about links share: a goal as it is there, and the runtime to change it with."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click
from sqlmodel import col, select

import clients
from clients.errors import ClientError
from db.models import Source
from db.models_points import Day
from db.states import FeedState
from tasks import datasource, fit, jobs
from tasks.beeminder import Access
from tasks.fit import Fit
from tasks.gates import DeferredError
from tasks.providers import ValueKind
from tasks.runtime import Runtime
from worker import runtime
from worker.cli import failures, output
from worker.cli.house import House, Named, feeds_of, opened

CALL_SECONDS = 15.0
UNLINKED = "unlinked"


@dataclass(frozen=True, slots=True)
class Link:
    """A goal as it is at Beeminder, and how the values of its feeds would be sent to it."""

    name: str
    goal: clients.GoalWithRoad
    feeds: Sequence[Named]
    kinds: Sequence[ValueKind]
    fits: Sequence[Fit]
    units: Sequence[str | None]


@contextmanager
def working(name: str) -> Iterator[tuple[House, Runtime, list[Named]]]:
    """The house, a runtime that works in this process, and the feeds that are meant."""
    with opened() as house:
        with house.ledger.read() as session:
            found = feeds_of(session, name)
        with runtime.build(house.settings, ring=lambda _task, _queue: False) as rt:
            try:
                yield house, rt, found
            except (ClientError, DeferredError) as exc:
                raise failures.Failed(f"{name}: {output.plain(str(exc))}") from exc


def whole_goal(house: House, found: Sequence[Named]) -> list[Named]:
    """All feeds of the goal that these are on: how it counts concerns each of them."""
    with house.ledger.read() as session:
        return feeds_of(session, f"{found[0].user.username}/{found[0].goal.slug}")


def linkable(found: Sequence[Named]) -> list[Named]:
    """The feeds that are active, or were unlinked by a person, who wants them back."""
    active = [
        named
        for named in found
        if named.feed.state != FeedState.STOPPED or named.feed.reason == UNLINKED
    ]
    if not active:
        named = found[0]
        raise failures.Failed(
            f"{named.name} is stopped ({named.feed.reason}): `waggle apply` or a new connection "
            "brings it back"
        )
    return active


def look(rt: Runtime, access: Access, feeds: Sequence[Named]) -> Link:
    """Read the goal at Beeminder. Raises `Failed`, `clients.errors` and `DeferredError`."""
    slug = feeds[0].goal.slug
    goal = access.call(lambda client: client.goal_with_road(slug), deadline=CALL_SECONDS)
    if feeds[0].goal.beeminder_id not in (None, goal.id):
        raise failures.Failed(
            f"{slug} is another goal now: it was renamed at Beeminder, and the next sync finds it"
        )
    name = f"{feeds[0].user.username}/{slug}"
    kinds, fits, units = [], [], []
    for named in feeds:
        with rt.ledger.read() as session:
            source = session.get_one(Source, named.feed.source_id)
            unit = session.exec(
                select(Day.unit)
                .where(col(Day.feed_id) == named.feed.id, col(Day.unit).is_not(None))
                .order_by(col(Day.daystamp).desc())
            ).first()
        _, params = jobs.metric_of(jobs.provider_of(rt, source), named.feed)
        kinds.append(params.value_kind())
        units.append(unit)
        fits.append(
            fit.fit(
                kind=kinds[-1],
                kyoom=goal.kyoom,
                aggday=goal.aggday,
                odom=goal.odom,
                feeds=len(feeds),
                accept=named.feed.options.get("accept_aggday", False),
                unit=unit,
                gunits=goal.gunits,
                name=name,
            )
        )
    return Link(name, goal, feeds, kinds, fits, units)


def show(rt: Runtime, looked: Link) -> None:
    """How the goal counts, what it is sent, and who feeds it, for people."""
    goal = looked.goal
    click.echo(f"{looked.name}: {fit.counts(kyoom=goal.kyoom, aggday=goal.aggday)}")
    rows = [
        (named.name, kind, unit, goal.gunits, "nothing" if found.problem else found.shape.value)
        for named, kind, unit, found in zip(
            looked.feeds, looked.kinds, looked.units, looked.fits, strict=True
        )
    ]
    output.table(("feed", "is a", "unit", "goal's unit", "is sent"), rows, empty="")
    texts = [text for found in looked.fits for text in (*found.warnings, found.problem) if text]
    for text in dict.fromkeys(texts):  # what is true of several feeds is said once
        click.echo(f"  {output.plain(text)}")
    source = datasource.shown(goal.autodata)
    ours = rt.options.app_name and datasource.same(goal.autodata, rt.options.app_name)
    click.echo(f"data source: {output.plain(source)}{', which is Waggle' if ours else ''}")


def feeds_as_json(looked: Link) -> list[dict[str, Any]]:
    """How each feed is sent."""
    return [
        {
            "feed": named.name,
            "kind": kind,
            "unit": unit,
            "shape": found.shape.value,
            "warnings": list(found.warnings),
            "problem": found.problem,
        }
        for named, kind, unit, found in zip(
            looked.feeds, looked.kinds, looked.units, looked.fits, strict=True
        )
    ]
