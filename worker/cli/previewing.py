"""`waggle sync --preview`: what would be sent and why, to be checked by hand."""

from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any

import click

from db import names
from db.models import User
from db.names_of_feeds import Named
from db.overview import iso
from tasks import days
from worker.cli import failures, output
from worker.cli.house import House

if TYPE_CHECKING:
    from tasks.preview import Planned
    from tasks.runtime import Runtime

Span = tuple[str, str]
"""The first and the last day, YYYYMMDD."""


def show(house: House, found: list[Named], span: Span | None, *, as_json: bool) -> None:
    """Print the days of a sync, or those of `span`; send nothing."""
    from clients.errors import ClientError  # noqa: PLC0415 -- only needed here
    from tasks.gates import DeferredError  # noqa: PLC0415 -- slow to import, only needed here
    from worker import runtime  # noqa: PLC0415 -- as above

    planned: list[tuple[Named, Planned]] = []
    with runtime.build(house.settings, ring=lambda _task, _queue: False) as rt:
        for named in found:
            try:
                planned += [(named, plan) for plan in _plans(rt, named, span)]
            except DeferredError as exc:
                why = f"{output.plain(str(exc))}, until {output.opening(exc.until)}"
                raise failures.Failed(f"{named.name}: {why}") from exc
            except ClientError as exc:
                raise failures.Failed(f"{named.name}: {output.plain(str(exc))}") from exc
            except ValueError as exc:  # a day that has not begun
                raise failures.Refused(f"{named.name}: {exc}") from exc
    if as_json:
        output.document([_document(named, plan) for named, plan in planned])
        return
    with house.ledger.read() as session:  # the zone may have been learned just now
        user = session.get_one(User, found[0].user.id)
    zone = user.timezone or "UTC"
    output.table(
        (
            "feed",
            "day",
            f"from → to ({zone})",
            "the source says",
            "at Beeminder",
            "would",
            "value",
            "comment",
            "why",
        ),
        [_row(named, plan, days.zone(zone)) for named, plan in planned],
        empty="there is no day to look at",
    )
    click.echo("preview: nothing was sent")


def _plans(rt: "Runtime", named: Named, span: Span | None) -> Iterator["Planned"]:
    from tasks import backfill_chunk, preview  # noqa: PLC0415 -- slow to import, only needed here

    feed_id = named.feed.id or 0
    if span is None:
        yield from preview.preview(rt, feed_id)
        return
    # As a backfill goes, save that a running total has to be added up in one go.
    running = named.feed.cursor.get("shape") == "running_total"
    for first, last in [span] if running else backfill_chunk.chunks(*span):
        yield from preview.preview(rt, feed_id, first=first, last=last)


def _document(named: Named, plan: "Planned") -> dict[str, Any]:
    day, point = plan.verdict.day, plan.point
    return {
        "feed": named.name,
        "daystamp": day.daystamp,
        "starts_at": iso(day.starts_at),
        "ends_at": iso(day.ends_at),
        "source_value": plan.verdict.reading.value,
        "there": plan.there,
        "action": plan.action,
        "value": None if point is None else point.value,
        "comment": None if point is None else point.comment,
        "requestid": None if point is None else point.requestid,
        "why": plan.why,
    }


def _row(named: Named, plan: "Planned", tz: tzinfo) -> tuple[object, ...]:
    day, point, reading = plan.verdict.day, plan.point, plan.verdict.reading
    said = _figure(reading.value)
    return (
        named.name,
        names.dashed(day.daystamp),
        f"{_local(day.starts_at, tz)} → {_local(day.ends_at, tz)}",
        f"{said} {reading.unit}" if said and reading.unit else said,
        _figure(plan.there),
        plan.action,
        None if point is None else _figure(point.value),
        None if point is None else point.comment,
        plan.why,
    )


def _figure(value: float | None) -> str | None:
    return None if value is None else f"{value:.12g}"


def _local(at: float, tz: tzinfo) -> str:
    moment = datetime.fromtimestamp(at, tz)
    return moment.strftime("%Y-%m-%d %H:%M:%S" if moment.second else "%Y-%m-%d %H:%M")
