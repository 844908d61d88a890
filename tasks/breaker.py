"""When a breaker opens and closes. Pure: health, an outcome and a random number in, health out.

It opens on failure over time and rate, never on a mere count: trouble has lasted for ten minutes,
four in five of its outcomes, the younger the heavier, were failures, and these were spread over
that time: a moment in which fifty fail is one moment. Where little is tried it is enough that an
hour and a half went by without an answer. What fails now and then is forgotten. While it is open
one success closes it; failures space the probes.
"""

import random
from dataclasses import replace
from enum import StrEnum

from db.breakers import PROBE_SECONDS, WELL, Health

HALF_LIFE = 300.0  # an outcome counts half as much after so many seconds
TROUBLE_SECONDS = 600.0  # while trouble is younger, callbacks are tried every 30 s at most
SHARE = 0.8  # of failures
MOMENT = 30.0  # seconds since the outcome before that a failure stands for at most
LEAST_SECONDS = 150.0  # one try a minute, the slowest while trouble is young, comes to 180
# Retries of old work are up to a quarter of an hour apart, and so never spread. Longer than an
# hour: who is read once an hour and answers is in no trouble.
LONG_SECONDS = 5400.0
NO_ANSWER = 0.05  # what one weighs after 21 minutes
FORGOTTEN = 2.0  # seconds; less is over: one failure is, after 20 minutes without another
PAUSE_FLOOR = 60.0
PAUSE_CAP = 900.0


class State(StrEnum):
    """What a breaker lets through: all, nothing until its time has come, a probe."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half open"


def state(health: Health, now: float) -> State:
    """How a breaker stands; half open: a probe is due or under way."""
    if health.opened_at is None:
        return State.CLOSED
    under_way = health.counted_at < health.probed_at and now < health.probed_at + PROBE_SECONDS
    return State.HALF_OPEN if under_way or now >= health.probe_at else State.OPEN


def after(health: Health, *, ok: bool, now: float, reason: str = "", rng: random.Random) -> Health:
    """The health after one more outcome; `reason` is of a failure, in words for people.

    `ok` says that the other side answered, whatever it said.
    """
    if ok and health.opened_at is not None:
        return WELL
    faded = _faded(health, now)
    if ok:
        faded = replace(faded, good=faded.good + 1.0)
        return WELL if faded.good >= faded.bad else faded
    if health.opened_at is not None:
        failed = replace(faded, bad=faded.bad + 1.0, reason=reason)
        return replace(failed, probe_at=now + pause(now - health.opened_at, rng))
    if faded.troubled_since is None or faded.failed_for < FORGOTTEN:
        first = replace(WELL, bad=1.0, failed_for=MOMENT, reason=reason)
        return replace(first, counted_at=now, troubled_since=now)
    stands_for = min(MOMENT, max(0.0, now - health.counted_at))
    failed_for = faded.failed_for + stands_for
    failed = replace(faded, bad=faded.bad + 1.0, failed_for=failed_for, reason=reason)
    if not _lasts(failed, now):
        return failed
    return replace(failed, opened_at=now, probed_at=now, probe_at=now + pause(0.0, rng))


def read(health: Health, now: float) -> Health:
    """The health of an open breaker after an answer to a read, while pushes wait for theirs.

    It says nothing about these, but that it is their turn to probe.
    """
    due = now - health.counted_at >= PAUSE_FLOOR
    return replace(health, probe_at=min(health.probe_at, now)) if due else health


def pause(open_for: float, rng: random.Random) -> float:
    """Seconds until the next probe of a breaker that has been open for so many seconds.

    As long again as it has been open: each pause is about twice the one before, however many
    callbacks have probed in between.
    """
    about = min(max(open_for, PAUSE_FLOOR), PAUSE_CAP)
    return rng.uniform(max(PAUSE_FLOOR, 0.5 * about), min(PAUSE_CAP, 1.5 * about))


def _lasts(health: Health, now: float) -> bool:
    if health.bad < SHARE * (health.good + health.bad):
        return False
    lasted = now - (now if health.troubled_since is None else health.troubled_since)
    spread = health.failed_for >= LEAST_SECONDS
    alone = health.good < NO_ANSWER and lasted >= LONG_SECONDS
    return alone or (spread and lasted >= TROUBLE_SECONDS)


def _faded(health: Health, now: float) -> Health:
    """The counts as they weigh now. A clock that goes back makes nothing heavier."""
    weight = 0.5 ** (max(0.0, now - health.counted_at) / HALF_LIFE)
    return replace(
        health,
        good=health.good * weight,
        bad=health.bad * weight,
        failed_for=health.failed_for * weight,
        counted_at=max(now, health.counted_at),
    )
