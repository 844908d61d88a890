"""`waggle explain`: the receipt of one day, fit to be pasted into a reply to Beeminder."""

from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from typing import Any

import click

from db import names, receipts
from db.models import Event
from db.models_points import Datapoint, Sending
from db.overview import iso
from db.receipts import Receipt, Sent
from tasks import days
from tasks.days import Window
from worker.cli import daystamps, failures, output
from worker.cli.house import Named, feeds_of, opened

LABEL = 12
MOST_EVENTS = 10
FIRST_MIDNIGHT = 86400


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
        click.echo("\n\n".join("\n".join(_lines(*pair, window)) for pair in known), nl=bool(known))
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
        "waited_seconds": _seconds(event.received_at, event.finished_at),
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


def _seconds(start: float, end: float | None) -> float | None:
    return None if end is None else round(end - start, 3)


def _lines(named: Named, receipt: Receipt, window: Window) -> Iterator[str]:
    tz = days.zone(receipt.user.timezone or "UTC")
    yield f"{named.name} on {names.dashed(receipt.daystamp)}"
    yield ""
    yield from _day(receipt, window, tz)
    for event in receipt.events[-MOST_EVENTS:]:
        yield from _asked(event, tz)
    if len(receipt.events) > MOST_EVENTS:
        yield _line("", f"and {len(receipt.events) - MOST_EVENTS} before these (--json has all)")
    if not receipt.events:
        yield _line("asked by", "no callback that is remembered: the feed's own schedule")
    for sent in receipt.sent:
        yield ""
        yield from _point(sent.point, tz)
        for sending in sent.sendings:
            yield from _sending(sending, tz)
    if not receipt.sent:
        yield ""
        yield _line("datapoint", "none")


def _day(receipt: Receipt, window: Window, tz: tzinfo) -> Iterator[str]:
    day, feed, source = receipt.day, receipt.feed, receipt.source
    starts_at, ends_at = (
        (window.starts_at, window.ends_at) if day is None else (day.starts_at, day.ends_at)
    )
    yield _line("starts", _time(starts_at, tz))
    yield _line("ends", _time(ends_at, tz))
    changed = (
        ""
        if (starts_at, ends_at) == (window.starts_at, window.ends_at)
        else "; one of them has changed since, the day keeps its bounds"
    )
    yield _line("zone", receipt.user.timezone or "not known yet, UTC is assumed")
    yield _line("deadline", f"{_deadline(receipt.goal.deadline)}{changed}")
    params = ", ".join(f"{key}={value}" for key, value in sorted(feed.params.items()))
    yield _line("counted", f"{feed.metric} of {source.name} ({source.provider}): {params or '-'}")
    if day is None or day.seen_at is None:
        yield _line("source said", "nothing: this ledger has not read the day")
    else:
        said = "nothing" if day.value is None else f"{day.value:.12g} {day.unit or ''}".strip()
        yield _line("source said", f"{said}, read {_time(day.seen_at, tz)}")
    if day is not None and day.note:
        yield _line("", day.note)
    if day is not None and day.pinned:
        yield _line("pinned", "by a person: the day is left as it is at Beeminder")


def _asked(event: Event, tz: tzinfo) -> Iterator[str]:
    yield _line("asked by", f"{event.kind} {event.id}, received {_time(event.received_at, tz)}")
    ended = "" if event.finished_at is None else f" {_time(event.finished_at, tz)}"
    waited = _seconds(event.received_at, event.finished_at)
    yield _line("", f"{event.state}{ended}" + ("" if waited is None else f", after {waited:g} s"))


def _point(point: Datapoint, tz: tzinfo) -> Iterator[str]:
    yield _line("datapoint", f"requestid {point.requestid}: {point.state}")
    if point.error:
        yield _line("  why", point.error)
    if point.held_at is not None:
        yield _line("  held", f"{point.value:.12g}, since {_time(point.held_at, tz)}")
    if point.approved_hash == point.content_hash:
        yield _line("  approved", "by a person")
    if point.dropped_hash is not None:
        yield _line("  dropped", "a correction, by a person")
    yield _line("  there", _there(point, tz))


def _there(point: Datapoint, tz: tzinfo) -> str:
    known_id = f", Beeminder's id {point.beeminder_id}" if point.beeminder_id else ""
    value = "not known" if point.landed_value is None else f"{point.landed_value:.12g}"
    if point.frozen is not None:
        return f"{value if point.frozen == 'edited' else '-'}, {point.frozen} by a person{known_id}"
    if point.landed_hash is None:
        return "nothing of ours" if point.sent_value is None else "not known: no answer came"
    if point.sent_at is None:
        return f"{value}, found there and not sent by this ledger{known_id}"
    landed = "" if point.landed_at is None else f", landed {_time(point.landed_at, tz)}"
    return f"{value}{landed}{known_id}"


def _sending(sending: Sending, tz: tzinfo) -> Iterator[str]:
    yield _line("  sent", f"{sending.value:.12g} {_time(sending.sent_at, tz)}, {sending.comment!r}")
    if sending.answered_at is None:
        yield _line(
            "", f"no answer: it may have arrived{f' ({sending.error})' if sending.error else ''}"
        )
        return
    told = [sending.status or "answered"]
    if sending.request_id:
        told.append(f"request id {sending.request_id}")
    told.append(f"after {_seconds(sending.sent_at, sending.answered_at):g} s")
    if sending.error:
        told.append(sending.error)
    yield _line("", ", ".join(told))


def _line(label: str, text: str) -> str:
    return f"{label:{LABEL}}{output.plain(text)}".rstrip()


def _time(at: float, tz: tzinfo) -> str:
    """UTC, with the person's local time beside it where that is another."""
    utc = f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"
    local = datetime.fromtimestamp(at, tz)
    return utc if str(tz) == "UTC" else f"{utc} ({local:%Y-%m-%d %H:%M:%S %z})"


def _deadline(seconds: int) -> str:
    """`-7200` as the time of the clock at which the day ends."""
    minutes = seconds % FIRST_MIDNIGHT // 60
    clock = f"{minutes // 60:02}:{minutes % 60:02}"
    return f"{clock} {'of the next day' if seconds >= 0 else ''}".strip() + f" ({seconds} s)"
