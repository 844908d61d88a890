"""One request under one quota: its turn, and what its answer means for those after it."""

import math
from typing import TYPE_CHECKING

import structlog

from clients.errors import Transient
from clients.limits import Limits
from db import quotas
from db.quotas import Phase, Turn
from tasks import limits, policy
from tasks.limits import Learned, Limit, Pace, Quota

if TYPE_CHECKING:
    from tasks.runtime import Runtime

log = structlog.get_logger(__name__)

SHORTEST_SLEEP = 0.02
USABLE = 0.5  # "at once" is no usable hint from somebody who has just refused
NEARLY = 50  # so few requests that are left are spread over the rest of their window


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
        self._key = key
        self._quota = quota
        self._pace = pace
        self._words = {"vendor": vendor, "title": quota.title, "endpoint": endpoint}

    def wait(self, ends_at: float, ahead: float) -> Turn | float:
        """The turn of this request once it has come; or when (UTC seconds) to ask again.

        Nothing is slept beyond `ends_at`. A slot is taken at most `ahead` seconds before its time.
        """
        rt, mine = self._rt, None
        while True:
            now = rt.clock.now()
            at = rt.closings.until(self._key, now)
            if at > now:
                mine = None
            elif mine is None:
                turn = self._turn(now, min(ahead, max(0.0, ends_at - now)))
                if turn.granted and turn.at <= now:
                    return turn
                mine, at = (turn if turn.granted else None), turn.at
            else:  # its time has come; the gate may have been closed while we slept
                at = self._closed_until()
                if at <= now:
                    return mine
                mine = None
            if at > ends_at:
                return at
            rt.clock.sleep(max(at - now, SHORTEST_SLEEP))

    def _turn(self, now: float, ahead: float) -> Turn:
        rt = self._rt
        with rt.ledger.read() as session:
            gate = quotas.look(session, self._key)
        interval, tolerance = self._pace.interval, self._pace.tolerance
        if gate is not None:
            learned = Learned(gate.learned_interval, gate.learned_window)
            kept = limits.loosened(learned, now - gate.learned_at)
            if kept > interval:
                interval, tolerance = kept, 0.0
        closed = gate is not None and gate.closed_until > min(now, gate.proven_at)
        if not closed and interval <= 0.0 and not self._quota.counts:
            return Turn(now, granted=True)
        with rt.ledger.write() as session:
            quotas.ensure(session, self._key, **self._words)
            return quotas.reserve(
                session,
                self._key,
                now=rt.clock.now(),  # it may have taken a while until it was our turn to write
                interval=interval,
                tolerance=tolerance,
                ahead=ahead,
            )

    def _closed_until(self) -> float:
        with self._rt.ledger.read() as session:
            gate = quotas.look(session, self._key)
        return 0.0 if gate is None else gate.closed_until

    def answered(self, turn: Turn, said: Limits) -> None:
        """An answer that asks for no pause: the gate is open; what it says of limits is kept."""
        rt = self._rt
        if turn.probe:
            with rt.ledger.write() as session:
                quotas.prove(session, self._key, now=rt.clock.now())
        if said.remaining is not None:
            self._correct(turn, said, said.remaining)
        elif said.limit and said.window:
            self._keep(turn, Limit(requests=said.limit, seconds=said.window).pace(), said.window)

    def _correct(self, turn: Turn, said: Limits, remaining: int) -> None:
        """Others may use the same account: what the vendor says is left goes for what we think."""
        rt, now = self._rt, self._rt.clock.now()
        reserve = 0 if self._quota.limit is None else self._quota.limit.reserve
        left, reset = remaining - reserve, said.reset_after
        if left <= 0 and reset:
            with rt.ledger.write() as session:
                quotas.close(session, self._key, now + reset, now=now, seen="used_up", served=True)
            log.info("gate.used_up", **self._words, seconds=round(reset, 1), remaining=remaining)
        elif 0 < left <= NEARLY and reset:
            self._keep(turn, Pace(reset / left), reset)
        elif turn.interval > 0.0:
            free_at = now - left * turn.interval + self._pace.tolerance
            if free_at > turn.free_at:
                with rt.ledger.write() as session:
                    quotas.correct(session, self._key, free_at=free_at)

    def _keep(self, turn: Turn, pace: Pace, window: float) -> None:
        if pace.interval > turn.interval * 1.05:
            with self._rt.ledger.write() as session:
                quotas.ensure(session, self._key, **self._words)
                quotas.keep_pace(
                    session,
                    self._key,
                    interval=pace.interval,
                    window=window,
                    now=self._rt.clock.now(),
                )

    def refused(self, error: Transient, said: Limits) -> float:
        """Close the gate as the vendor asked; returns when (UTC seconds) it opens.

        A vendor that names no time is asked again later and later, as long as it refuses.
        """
        rt, now = self._rt, self._rt.clock.now()
        hint = error.retry_after if error.retry_after is not None else said.wait
        hinted = hint is not None and hint >= USABLE
        until = now + (hint if hint is not None and hinted else self._guess(now))
        rt.closings.note(self._key, until, now)  # this process knows before the ledger does
        with rt.ledger.write() as session:
            quotas.ensure(session, self._key, **self._words)
            until = quotas.close(
                session,
                self._key,
                until,
                now=now,
                seen=error.reason,
                lesson=_lesson if hinted and self._quota.counts else None,
            )
        log.info("gate.closed", **self._words, seconds=round(until - now, 1), hinted=hinted)
        return until

    def _guess(self, now: float) -> float:
        with self._rt.ledger.read() as session:
            gate = quotas.look(session, self._key)
        closed = gate is not None and gate.closed_until > gate.proven_at
        age = now - gate.closed_at if gate is not None and closed else 0.0
        tries = 1 + int(math.log2(1.0 + max(0.0, age) / policy.LIMITED.first))
        return policy.delay(policy.LIMITED, tries, age=age, rng=self._rt.rng)

    def lost(self, turn: Turn) -> None:
        """No answer: if it went first after a closing, somebody else may."""
        if turn.probe:
            with self._rt.ledger.write() as session:
                quotas.give_up_probe(session, self._key)


def _lesson(phase: Phase) -> tuple[float, float] | None:
    taught = limits.learn(
        passed=phase.passed,
        opened_at=phase.opened_at,
        now=phase.now,
        closed_until=phase.closed_until,
        before=phase.interval,
    )
    return None if taught is None else (taught.interval, taught.window)
