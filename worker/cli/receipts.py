"""`waggle explain`: the receipt of one day, fit to be pasted into a reply to Beeminder."""

from collections.abc import Iterator
from typing import Any

import click

from db import names, receipts, receipts_told
from db.models import Event
from db.names_of_feeds import Named
from db.overview import iso
from db.receipts import Receipt, Sent
from tasks import days
from tasks.days import Window
from worker.cli import daystamps, failures, output
from worker.cli.house import feeds_of, opened

LABEL = 12


@click.command()
@click.argument("name", metavar="USER/GOAL")
@click.argument("day", metavar="DAY")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def explain(*, name: str, day: str, as_json: bool) -> None:
    """The receipt of one day: what was read, who asked, what was sent and answered, and when.

    DAY is 2026-11-20, 20261120, today or yesterday. The text holds no secret.

    \b
    Examples:
      waggle explain alice/energy yesterday
      waggle explain alice/energy 2026-11-19 --json
    """  # noqa: D301 -- \b is click's mark
    with opened() as house, house.ledger.read() as session:
        found = feeds_of(session, name)
        window = daystamps.chosen(day, user=found[0].user, goal=found[0].goal, now=house.now())
        made = [
            (named, receipts.receipt(session, named.feed.id or 0, window.daystamp))
            for named in found
        ]
    known = [(named, receipt) for named, receipt in made if receipt.is_known]
    if as_json:
        output.document([_document(named, receipt, window) for named, receipt in known])
    else:
        shown = ["\n".join(_lines(receipt, window)) for _, receipt in known]
        click.echo("\n\n".join(shown), nl=bool(known))
    if not known:
        raise failures.Failed(
            f"nothing is known of {name} on {names.dashed(window.daystamp)}: the day was "
            "neither read nor sent"
        )


def _document(named: Named, receipt: Receipt, window: Window) -> dict[str, Any]:
    day, feed = receipt.day, receipt.feed
    return {
        "feed": named.name,
        "daystamp": receipt.daystamp,
        "starts_at": iso(window.starts_at if day is None else day.starts_at),
        "ends_at": iso(window.ends_at if day is None else day.ends_at),
        "timezone": receipt.user.timezone,
        "deadline": receipt.goal.deadline,
        "source": receipt.source.name,
        "provider": receipt.source.provider,
        "metric": feed.metric,
        "params": feed.params,
        "value": None if day is None else day.value,
        "unit": None if day is None else day.unit,
        "note": None if day is None else day.note,
        "seen_at": None if day is None else iso(day.seen_at),
        "pinned": day is not None and day.pinned,
        "events": [_event(event) for event in receipt.events],
        "datapoints": [_datapoint(sent) for sent in receipt.sent],
    }


def _event(event: Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "kind": event.kind,
        "state": event.state,
        "received_at": iso(event.received_at),
        "finished_at": iso(event.finished_at),
        "waited_seconds": receipts_told.seconds(event.received_at, event.finished_at),
    }


def _datapoint(sent: Sent) -> dict[str, Any]:
    point = sent.point
    return {
        "requestid": point.requestid,
        "value": point.value,
        "comment": point.comment,
        "state": point.state,
        "why": point.error,
        "frozen": point.frozen,
        "approved": point.approved_hash == point.content_hash,
        "landed_value": point.landed_value,
        "landed_at": iso(point.landed_at),
        "beeminder_id": point.beeminder_id,
        "sendings": [
            {
                "value": sending.value,
                "comment": sending.comment,
                "sent_at": iso(sending.sent_at),
                "answered_at": iso(sending.answered_at),
                "status": sending.status,
                "request_id": sending.request_id,
                "error": sending.error,
            }
            for sending in sent.sendings
        ],
    }


def _lines(receipt: Receipt, window: Window) -> Iterator[str]:
    tz = days.zone(receipt.user.timezone or "UTC")
    yield receipts_told.title(receipt)
    yield ""
    told = receipts_told.lines(
        receipt, (window.starts_at, window.ends_at), tz, all_events="--json has all"
    )
    for line in told:
        yield f"{line.label:{LABEL}}{output.plain(line.text)}".rstrip()
