"""What has to hold at the end of a run: each function gives the sentences that say what broke.

All of it is pure: it looks at the simulators' memory and at what was written down on the way.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from simulators.beeminder_state import Change, Datapoint
from simulators.rime_state import Run
from tests.blackbox.house import SECRET
from tests.chaos.callers import Callback
from tests.chaos.keeper import Life
from tests.chaos.weather import Arrival, Told

PREFIX = "wg-"
ANSWERS = (200, 503)
ON_ITS_WAY = 0.5  # seconds: a request may have left before a refusal was read
STATES = {
    "Completed": "completed",
    "Partially failed": "partially_failed",
    "Failed": "failed",
    "Cancelled": "cancelled",
    "Running": "running",
}
TRACEBACK = b"Traceback (most recent call last)"


def equal(
    name: str, expected: Sequence[Mapping[str, float]], points: Iterable[Datapoint]
) -> Iterator[str]:
    """A goal holds one point for each day of each feed, with what the source says: `expected`."""
    held: dict[str, list[float]] = defaultdict(list)
    for point in points:
        if not (point.requestid or "").startswith(PREFIX):
            yield f"{name} {point.daystamp}: a point without our requestid: {point.value}"
        held[point.daystamp].append(point.value)
    wanted: dict[str, list[float]] = defaultdict(list)
    for feed in expected:
        for day, value in feed.items():
            wanted[day].append(value)
    for day in sorted(held.keys() | wanted.keys()):
        if sorted(held[day]) != sorted(wanted[day]):
            yield (
                f"{name} {day}: Beeminder holds {sorted(held[day])}, "
                f"the sources say {sorted(wanted[day])}"
            )


def never_twice(name: str, feeds: int, history: Iterable[Change]) -> Iterator[str]:
    """At no time were there more points on a day than feeds; none of ours was taken away."""
    live: dict[str, set[str]] = defaultdict(set)
    for change in history:
        if change.kind == "created":
            live[change.daystamp].add(change.id)
        if change.kind == "deleted":
            yield f"{name} {change.daystamp}: a point was deleted"
        if len(live[change.daystamp]) > feeds:
            yield f"{name} {change.daystamp}: {len(live[change.daystamp])} points of {feeds} feeds"


def answered(callbacks: Iterable[Callback], served: Mapping[int, bool]) -> Iterator[str]:
    """Each callback whose connection survived has one of the answers that there are.

    `served` says by the number of a callback whether one receiver listened all the time.
    """
    for number, callback in enumerate(callbacks):
        if callback.status is None:
            if callback.error == "ReadTimeout" or served[number]:
                took = callback.ended - callback.sent
                yield f"{callback.goal.name}: {callback.error} after {took:.1f} s"
        elif callback.status not in ANSWERS:
            yield f"{callback.goal.name}: answered {callback.status} {callback.said}"


def fresh(
    callbacks: Iterable[Callback], histories: Mapping[str, Sequence[Change]]
) -> Iterator[str]:
    """Who was told 200 had the source's value on the goal before the answer came."""
    for callback in callbacks:
        if callback.status != 200:
            continue
        best = most(histories[callback.goal.name], callback)
        if best < callback.asked:
            yield (
                f"{callback.goal.name}: 200 with {best} on the goal, "
                f"the source had {callback.asked} when it was asked"
            )


def most(history: Iterable[Change], callback: Callback) -> float:
    """The most that stood on the callback's day between its sending and its answer."""
    values: dict[str, float] = {}
    best = 0.0
    for change in history:
        if change.at > callback.ended_at:
            break
        if change.at > callback.at:
            best = max(best, sum(values.values()))
        if change.daystamp == callback.day and change.kind != "duplicate":
            values[change.id] = change.value
    return max(best, sum(values.values()))


class Span(NamedTuple):
    """From one instant to another, for the accounts whose key begins so."""

    began: float
    ended: float
    keys: str = ""


def early(
    told: Sequence[Told],
    arrivals: Sequence[Arrival],
    *,
    unheard: Sequence[Span],
    late: Sequence[Span],
    when: Callable[[float], str] = "at {:.2f}".format,
) -> Iterator[str]:
    """No request comes before a time that its account was told.

    What is told in a span of `unheard` could not be written down: who heard it died, stood still or
    had no ledger. A request that arrives in one of `late` had left before. `when` says in words
    when something was told (UTC seconds).
    """
    by_key: dict[str, list[Told]] = defaultdict(list)
    for one in told:
        if not within(one, unheard):
            by_key[one.key].append(one)
    for request in arrivals:
        if within(request, late):
            continue
        for one in by_key[request.key]:
            if one.at + ON_ITS_WAY < request.at < one.until - 0.001:
                yield (
                    f"{request.path.split('?')[0]}: {one.until - request.at:.2f} s early, "
                    f"told {request.at - one.at:.2f} s before, {when(one.at)}"
                )
                break


def within(one: Told | Arrival, spans: Iterable[Span]) -> bool:
    """Did this happen in one of them?"""
    return any(
        span.began <= one.at <= span.ended and one.key.startswith(span.keys) for span in spans
    )


def ended(events: Iterable[Mapping[str, object]], stored: int) -> Iterator[str]:
    """Each event has ended well, and there are no fewer than were said to be stored."""
    states: Counter[str] = Counter()
    for event in events:
        states[str(event["state"])] += 1
        if event["state"] != "done":
            yield f"event {event['id']} is {event['state']}: {event['error']}"
    if states.total() < stored:
        yield f"{stored} callbacks were said to be stored, {states.total()} events are there"


def followed(rows: Iterable[Mapping[str, Any]], runs: Iterable[Run]) -> Iterator[str]:
    """Each run that there was before the trouble ended once, when and as the source says."""
    known = {row["run_id"]: row for row in rows}
    for run in runs:
        row, wanted = known.pop(run.id, None), STATES[run.status]
        if row is None or row["finished_at"] is None:
            yield f"{run.id} is {run.status}, and nobody has seen its end: {row}"
        elif (row["state"], row["rows"], int(row["finished_at"])) != (
            wanted,
            run.rows,
            int(run.finished_at or 0.0),
        ):
            yield f"{run.id} is {run.status} with {run.rows} rows at {run.finished_at}: {row}"
    for row in known.values():
        yield f"nobody has started run {row['run_id']}"


def lived(lives: Iterable[Life], away: Iterable[tuple[float, float]]) -> Iterator[str]:
    """Nobody ends by themselves, but for who starts while there is no ledger: `away`."""
    away = list(away)
    for life in lives:
        if life.ended is None or life.ours:
            continue
        at_start = life.ready is None and life.process.returncode == 1
        if not (at_start and any(a <= life.ended and b >= life.began for a, b in away)):
            lasted = life.ended - life.began
            yield f"{life.name} ended by itself after {lasted:.1f} s: {life.process.returncode}"


def quiet_logs(logs: Mapping[str, bytes]) -> Iterator[str]:
    """Nobody was shown a traceback."""
    for name, text in logs.items():
        for part in text.split(TRACEBACK)[1:]:
            last = next(
                (line for line in part.splitlines()[1:] if line and not line.startswith(b" ")), b""
            )
            yield f"{name}: a traceback: {last.decode(errors='replace')[:200]}"


def no_secrets(kept: Mapping[str, bytes], secrets: Iterable[str]) -> Iterator[str]:
    """No token, password or callback secret stands in a log or in the ledger."""
    for secret in [*secrets, SECRET]:
        for name, text in kept.items():
            if secret.encode() in text:
                at = text.index(secret.encode())
                yield f"{name} holds a secret: {text[max(0, at - 60) : at + 20]!r}"
