"""One request under one quota: its slot, and what its answer means for those after it."""

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog
from sqlmodel import Session

from clients.errors import RateLimited, Transient
from clients.limits import Limits
from db import quotas, quotas_at_once, quotas_closing, quotas_seen
from db.quotas import Turn
from db.quotas_closing import Lesson, Phase
from db.quotas_seen import Gate
from db.states import Lane
from tasks import limits, policy, precedence
from tasks.closings import Closing
from tasks.limits import NO_PACE, Learned, Limit, Pace, Quota
from tasks.precedence import Paced

if TYPE_CHECKING:
    from tasks.runtime import Runtime

log = structlog.get_logger(__name__)

USABLE = 0.5  # "at once" is no usable hint from somebody who has just refused
NEARLY = 50  # so few requests that are left are spread over the rest of their window
COUNTED_SECONDS = 86400.0  # so long after a refusal the next one is expected, and can teach a pace
OUTAGE = 503  # says nothing about how many requests were too many


class Way:
    """One quota, as one request meets it. `endpoint`: the kind of path, "" for any."""

    def __init__(
        self,
        rt: "Runtime",
        key: str,
        quota: Quota,
        *,
        pace: Pace,
        vendor: str,
        endpoint: str,
    ) -> None:
        self._rt = rt
        self.key = key
        self._quota = quota
        self._pace = pace
        self._words = {"vendor": vendor, "title": quota.title, "endpoint": endpoint}

    def pace(self, gate: Gate | None, now: float) -> Pace:
        """The slowest that we know of: our own, the vendor's, a learned one, the last few left."""
        pace = self._pace
        if gate is not None:
            learned = Learned(gate.learned_interval, gate.learned_window)
            kept = limits.loosened(learned, now - gate.learned_at)
            if gate.spread_until > now:
                kept = max(kept, gate.spread_interval)
            if kept > 0.0:  # evenly: a burst may be what was refused
                pace = Pace(max(kept, pace.interval))
        return pace

    def is_free(self, gate: Gate | None, now: float) -> bool:
        """Is nobody counted here, and the gate open?"""
        return (
            is_proven(gate, now) and not self._counts(gate, now) and self.pace(gate, now) == NO_PACE
        )

    def _counts(self, gate: Gate | None, now: float) -> bool:
        """Does each request have to be counted? Also where a limit that nobody named was met."""
        if self._quota.counts or gate is None:
            return self._quota.counts
        met = gate.seen_limit == RateLimited.default_reason
        return met and now < gate.closed_until + COUNTED_SECONDS

    def paced(self, gate: Gate | None, now: float) -> Paced:
        """What decides who goes first here."""
        return Paced(gate, self.pace(gate, now).interval)

    def take(self, *, ahead: float) -> Turn | None:
        """The next slot, without a look, where nobody else has a say; None: look.

        That is where a pace is known that is too quick to be fought for, and nothing was learned.
        """
        rt, quick = self._rt, self._rt.quick_gates
        if not self._quota.counts or not 0.0 < self._pace.interval <= precedence.QUICK:
            return None
        if not quick.may_be(self.key, rt.clock.now()):
            return None
        with rt.ledger.write_one(durable=False) as session:
            now = rt.clock.now()
            turn = quotas_at_once.take(
                session,
                self.key,
                now=now,
                interval=self._pace.interval,
                tolerance=self._pace.tolerance,
                ahead=ahead,
            )
        (quick.looked_at if turn is None else quick.passed)(self.key, now)
        return turn

    def reserve(
        self, session: Session, gate: Gate | None, *, now: float, ahead: float, lane: Lane
    ) -> Turn:
        """Take the next slot, at most `ahead` seconds from now."""
        if gate is None:
            quotas.ensure(session, self.key, **self._words)
        pace = self.pace(gate, now)
        turn = quotas.reserve(
            session,
            self.key,
            now=now,
            # No slot further ahead than it has to be: nothing moves it back when the pace is over.
            interval=limits.until_next(lambda later: self.pace(gate, now + later).interval),
            tolerance=pace.tolerance,
            ahead=ahead,
            urgent=lane == Lane.URGENT and pace.interval > precedence.QUICK,
        )
        return replace(turn, spread=gate is not None and gate.spread_until > now)

    def answered(self, turn: Turn, said: Limits) -> None:
        """An answer that is no refusal: the gate is open; what it says of limits is kept."""
        rt = self._rt
        if turn.probe:
            with rt.ledger.write() as session:
                quotas.prove(session, self.key, now=rt.clock.now(), turn=turn)
        if said.retry_after is not None and said.retry_after >= USABLE:
            self._close(said.retry_after, seen="pause")
        if said.limit and said.window and self._quota.limit is None:
            self._keep(turn, Limit(requests=said.limit, seconds=said.window).pace(), said.window)
        if said.remaining is not None:
            self._correct(turn, said.remaining, said.reset_after)

    def _keep(self, turn: Turn, pace: Pace, window: float) -> None:
        if pace.interval > turn.interval * 1.05:
            rt = self._rt
            with rt.ledger.write() as session:
                quotas.ensure(session, self.key, **self._words)
                quotas.keep_pace(
                    session,
                    self.key,
                    interval=pace.interval,
                    window=window,
                    now=rt.clock.now(),
                )

    def _correct(self, turn: Turn, remaining: int, reset: float | None) -> None:
        """Others may use the same account: what the vendor says is left goes for what we think."""
        rt, now, limit = self._rt, self._rt.clock.now(), self._quota.limit
        left = remaining - (0 if limit is None else limit.reserve)
        if turn.spread and left > NEARLY:
            with rt.ledger.write() as session:
                quotas.end_spread(
                    session,
                    self.key,
                    now=now,
                    interval=self._pace.interval,
                    tolerance=self._pace.tolerance,
                )
        elif left <= 0 and reset:
            self._close(reset, seen="used_up")
        elif 0 < left <= NEARLY and reset and not (limit and limit.bucket):
            if reset / left > turn.interval * 1.05:
                with rt.ledger.write() as session:
                    quotas.ensure(session, self.key, **self._words)
                    quotas.spread(session, self.key, interval=reset / left, until=now + reset)
        elif turn.interval > 0.0:
            free_at = now - left * turn.interval + self._pace.tolerance
            if free_at > turn.free_at:
                with rt.ledger.write() as session:
                    quotas.correct(session, self.key, free_at=free_at)

    def _close(self, seconds: float, *, seen: str) -> None:
        """Nobody asks for so long, though nobody was refused."""
        rt, now = self._rt, self._rt.clock.now()
        closing = Closing(self.key, now + seconds, now, seen, self._words)
        rt.closings.close(rt.ledger, closing)
        log.info("gate.closed", **self._words, seconds=round(seconds, 1), seen=seen)

    def refused(self, turn: Turn, error: Transient, said: Limits) -> float:
        """Close the gate as the vendor asked; returns when (UTC seconds) it opens.

        A vendor that names no time is asked again later and later, as long as it refuses.
        """
        rt, now = self._rt, self._rt.clock.now()
        hint = _named(error, said)
        until = now + (self._guess(now) if hint is None else hint)
        limit = isinstance(error, RateLimited) and error.status != OUTAGE
        teaches = limit and turn.free_at > 0.0  # it was counted, and so were those before it
        until = rt.closings.close(
            rt.ledger,
            Closing(self.key, until, now, error.reason, self._words),
            refused=turn,
            lesson=_lesson(turn, hint, now, self._quota.limit) if hint and teaches else None,
        )
        hinted = hint is not None
        log.info("gate.closed", **self._words, seconds=round(until - now, 1), hinted=hinted)
        return until

    def _guess(self, now: float) -> float:
        with self._rt.ledger.read() as session:
            gate = quotas_seen.look(session, self.key)
        age = 0.0 if gate is None else now - quotas_closing.since(gate, now)
        tries = 1 + int(math.log2(1.0 + max(0.0, age) / policy.LIMITED.first))
        return policy.delay(policy.LIMITED, tries, age=age, rng=self._rt.rng)

    def is_late(self, turn: Turn, now: float, *, ends_at: float) -> bool:
        """Is this slot over? A bucket forgives it, and nobody counts a pace that is only ours.

        Where the next one comes after `ends_at` a slot is good for half of the time until then: who
        came back for that one might be late again, and again, since a ledger may be far away.
        """
        limit = self._quota.limit
        bucket = limit is not None and limit.bucket > 0
        exact = self._quota.counts and not bucket and not turn.probe and turn.interval > 0.0
        late = now - turn.at
        if late < turn.interval / 2 and turn.at + turn.interval > ends_at:
            return False
        return exact and late > limits.LATE_SECONDS

    def missed(self, turn: Turn) -> None:
        """The turn goes by unused: nothing is learned from it, and nobody waits for it."""
        self.lost(turn)
        if turn.free_at > 0.0 and not turn.probe:
            with self._rt.ledger.write() as session:
                quotas.pass_less(session, self.key)

    def lost(self, turn: Turn) -> None:
        """No answer: if it went first after a closing, somebody else may."""
        if turn.probe:
            with self._rt.ledger.write() as session:
                quotas.give_up_probe(session, self.key, turn)


def is_proven(gate: Gate | None, now: float) -> bool:
    """Is it open, and has somebody come through since it was closed?"""
    return gate is None or gate.closed_until <= min(now, gate.proven_at)


def _named(error: Transient, said: Limits) -> float | None:
    """Seconds that a refusal named; None: none that can be used.

    Where it is "at once" the reset of what is used up counts, and who speaks of a limit and a
    reset, and not of what is left, says that nothing is.
    """
    waits = [error.retry_after, said.wait]
    if said.remaining == 0 or (said.remaining is None and isinstance(error, RateLimited)):
        waits.append(said.reset_after)
    return next((wait for wait in waits if wait is not None and wait >= USABLE), None)


def _lesson(turn: Turn, hint: float, now: float, known: Limit | None) -> Lesson:
    def lesson(phase: Phase) -> tuple[float, float] | None:
        ahead = 0  # slots that are taken, and whose requests have not left
        if turn.interval > 0.0:
            ahead = max(0, math.ceil((phase.free_at - now) / turn.interval) - 1)
        taught = limits.learn(
            phase.trail,
            passed=phase.passed - ahead,
            left_at=turn.at,
            wait=hint,
            before=turn.interval if phase.begins else 0.0,
        )
        if taught is None:
            return None
        seen = turn.at - phase.trail[0][0] if phase.trail else 0.0
        # The pace of a limit that was named is as good as a learned one: no reason for a crawl.
        window = phase.window or (0.0 if known is None else known.seconds)
        taught = limits.nudged(taught, kept=turn.interval, window=window, seen=seen)
        return taught.interval, taught.window

    return lesson
