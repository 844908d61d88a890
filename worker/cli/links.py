"""What the commands about links share: a goal as it is there, and the runtime to change it with."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from clients.errors import ClientError
from db.names_of_feeds import Named
from tasks import datasource, fit, linking
from tasks.gates import DeferredError
from tasks.linking import Link
from tasks.runtime import Runtime
from worker import runtime
from worker.cli import failures, output
from worker.cli.house import House, feeds_of, opened


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
    """`linking.linkable`, of which there has to be one at least."""
    active = linking.linkable(found)
    if not active:
        named = found[0]
        raise failures.Failed(
            f"{named.name} is stopped ({named.feed.reason}): `waggle apply` or a new connection "
            "brings it back"
        )
    return active


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
