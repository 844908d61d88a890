"""The receipt of a day in words: for a terminal, for a page, and to be pasted into a reply.

Each line is a label and a text; a label may be empty where the text goes on with the line before.
The texts hold no secret, but what sources and people call their things: whoever shows them makes
them plain.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from db import names
from db.models import Event
from db.models_points import Datapoint, Sending
from db.receipts import Receipt

MOST_EVENTS = 10
FIRST_MIDNIGHT = 86400


@dataclass(frozen=True, slots=True)
class Line:
    """One line; an empty one stands between what belongs together."""

    label: str = ""
    text: str = ""


def title(receipt: Receipt) -> str:
    """Which feed and which day it is about."""
    name = names.feed_name(receipt.user.username, receipt.goal.slug, receipt.feed.label)
    return f"{name} on {names.dashed(receipt.daystamp)}"


def lines(
    receipt: Receipt,
    bounds: tuple[float, float],
    tz: tzinfo,
    *,
    all_events: str = "`waggle explain --json` has all",
) -> Iterator[Line]:
    """Everything that is known of the day.

    `bounds`: its start and end (UTC seconds) by zone and deadline of now. `all_events`: where the
    events are that do not fit.
    """
    yield from _day(receipt, bounds, tz)
    for event in receipt.events[-MOST_EVENTS:]:
        yield from _asked(event, tz)
    if len(receipt.events) > MOST_EVENTS:
        yield Line("", f"and {len(receipt.events) - MOST_EVENTS} before these ({all_events})")
    if not receipt.events:
        yield Line("asked by", "no callback that is remembered: the feed's own schedule")
    for sent in receipt.sent:
        yield Line()
        yield from _point(sent.point, tz)
        for sending in sent.sendings:
            yield from _sending(sending, tz)
    if not receipt.sent:
        yield Line()
        yield Line("datapoint", "none")


def seconds(start: float, end: float | None) -> float | None:
    """How long it took, to the millisecond; None while it has not ended."""
    return None if end is None else round(end - start, 3)


def _day(receipt: Receipt, bounds: tuple[float, float], tz: tzinfo) -> Iterator[Line]:
    day, feed, source = receipt.day, receipt.feed, receipt.source
    starts_at, ends_at = bounds if day is None else (day.starts_at, day.ends_at)
    yield Line("starts", _time(starts_at, tz))
    yield Line("ends", _time(ends_at, tz))
    changed = (
        ""
        if (starts_at, ends_at) == bounds
        else "; one of them has changed since, the day keeps its bounds"
    )
    yield Line("zone", receipt.user.timezone or "not known yet, UTC is assumed")
    yield Line("deadline", f"{_deadline(receipt.goal.deadline)}{changed}")
    params = ", ".join(f"{key}={value}" for key, value in sorted(feed.params.items()))
    yield Line("counted", f"{feed.metric} of {source.name} ({source.provider}): {params or '-'}")
    if day is None or day.seen_at is None:
        yield Line("source said", "nothing: this ledger has not read the day")
    else:
        said = "nothing" if day.value is None else f"{day.value:.12g} {day.unit or ''}".strip()
        yield Line("source said", f"{said}, read {_time(day.seen_at, tz)}")
    if day is not None and day.note:
        yield Line("", day.note)
    if day is not None and day.pinned:
        yield Line("pinned", "by a person: the day is left as it is at Beeminder")


def _asked(event: Event, tz: tzinfo) -> Iterator[Line]:
    yield Line("asked by", f"{event.kind} {event.id}, received {_time(event.received_at, tz)}")
    ended = "" if event.finished_at is None else f" {_time(event.finished_at, tz)}"
    waited = seconds(event.received_at, event.finished_at)
    yield Line("", f"{event.state}{ended}" + ("" if waited is None else f", after {waited:g} s"))


def _point(point: Datapoint, tz: tzinfo) -> Iterator[Line]:
    yield Line("datapoint", f"requestid {point.requestid}: {point.state}")
    if point.error:
        yield Line("  why", point.error)
    if point.held_at is not None:
        yield Line("  held", f"{point.value:.12g}, since {_time(point.held_at, tz)}")
    if point.approved_hash == point.content_hash:
        yield Line("  approved", "by a person")
    if point.dropped_hash is not None:
        yield Line("  dropped", "a correction, by a person")
    yield Line("  there", there(point, tz))


def there(point: Datapoint, tz: tzinfo) -> str:
    """What is at Beeminder of this datapoint, as far as it is known."""
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


def _sending(sending: Sending, tz: tzinfo) -> Iterator[Line]:
    yield Line("  sent", f"{sending.value:.12g} {_time(sending.sent_at, tz)}, {sending.comment!r}")
    if sending.answered_at is None:
        yield Line(
            "", f"no answer: it may have arrived{f' ({sending.error})' if sending.error else ''}"
        )
        return
    told = [sending.status or "answered"]
    if sending.request_id:
        told.append(f"request id {sending.request_id}")
    told.append(f"after {seconds(sending.sent_at, sending.answered_at):g} s")
    if sending.error:
        told.append(sending.error)
    yield Line("", ", ".join(told))


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
