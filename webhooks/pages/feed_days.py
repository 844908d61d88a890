"""The receipt of a day: fit to be pasted into a reply to Beeminder, and as a line of time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import tzinfo

from starlette.responses import Response

from db import names, receipts, receipts_told
from db.receipts import Receipt
from webhooks import errors, found_feeds, sessions, standing, visits, words
from webhooks.visits import Visit


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened at `at` (UTC seconds); `look` is good, warn, bad or empty."""

    at: float
    text: str
    look: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """One feed's receipt: the text, what happened when, and whether the day is pinned."""

    name: str
    path: str
    text: str
    moments: list[Moment]
    pinned: bool


def day(visit: Visit) -> Response:
    """`/feeds/{user}/{goal}/days/{daystamp}`: what is known of a day, of each feed of the goal."""
    with visit.receiver.ledger.read() as session:
        found = found_feeds.of(visit, session)
        bounds = found_feeds.day(visit, found, visit.path("daystamp"))
        if bounds is None or bounds.daystamp != visit.path("daystamp"):
            raise errors.NotFoundError
        made = [receipts.receipt(session, feed_id, bounds.daystamp) for feed_id in found.ids]
    known = [receipt for receipt in made if receipt.is_known]
    alone = len(found.feeds) == 1 and found_feeds.place(visit).label is None
    zone = sessions.zone(found.user.timezone)
    told = [
        Told(
            found.name(receipt.feed),
            standing.path(found.user.username, found.goal.slug, receipt.feed.label)
            + ("" if alone or receipt.feed.label else ":"),
            "\n".join(_text(receipt, (bounds.starts_at, bounds.ends_at), zone)),
            sorted(_moments(receipt), key=lambda moment: moment.at),
            receipt.day is not None and receipt.day.pinned,
        )
        for receipt in known
    ]
    goal = names.feed_name(found.user.username, found.goal.slug, "")
    return visit.page(
        "feed/day.html",
        title=f"{goal} on {words.day(bounds.daystamp)} · Waggle",
        goal=goal,
        back=found_feeds.place(visit).path,
        daystamp=bounds.daystamp,
        bounds=bounds,
        receipts=told,
    )


def _text(receipt: Receipt, bounds: tuple[float, float], zone: tzinfo) -> Iterator[str]:
    yield receipts_told.title(receipt)
    yield ""
    for line in receipts_told.lines(receipt, bounds, zone):
        yield f"{line.label:12}{line.text}".rstrip()


def _moments(receipt: Receipt) -> Iterator[Moment]:
    read = receipt.day
    if read is not None and read.seen_at is not None:
        said = "nothing" if read.value is None else f"{words.number(read.value)} {read.unit or ''}"
        yield Moment(read.seen_at, f"{receipt.source.name} said {said.strip()}")
    for event in receipt.events[-receipts_told.MOST_EVENTS :]:
        yield Moment(event.received_at, f"{words.kind(event.kind)}: event {event.id}")
        if event.finished_at is not None:
            waited = words.lasted(event.finished_at - event.received_at)
            look = "good" if event.state == "done" else "bad"
            told = f"answered ({words.state(event.state)}) after {waited}"
            yield Moment(event.finished_at, told, look)
    for sent in receipt.sent:
        point = sent.point
        for sending in sent.sendings:
            yield Moment(sending.sent_at, f"sent {words.number(sending.value)} to Beeminder")
            if sending.answered_at is not None:
                status = sending.status or "answered"
                number = f", request id {sending.request_id}" if sending.request_id else ""
                wrong = f": {sending.error}" if sending.error else ""
                look = "bad" if sending.error else "good"
                yield Moment(sending.answered_at, f"Beeminder: {status}{number}{wrong}", look)
        if point.held_at is not None:
            told = f"kept back {words.number(point.value)}: {point.error or 'no reason is known'}"
            yield Moment(point.held_at, told, "warn")


ROUTES = (visits.page("/feeds/{user}/{goal}/days/{daystamp}", day),)
