"""What a limiter writes down of each key: who was served, who was refused, who knocked early.

A request is *early* when a refusal, or an answer that said that nothing is left, named a time that
has not come yet and left more than `grace` seconds before, whether the request is served or not.
Requests within the grace were already on their way. A *closing* begins with a refusal and lasts
until every time named in it has passed.
"""

from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

from simulators.window_meters import SLACK

_CLOSINGS_KEPT = 1000


@dataclass(slots=True)
class Closing:
    """From one refusal (`at`) until the last time that it and those after it named (`until`).

    Refusals beside the first: `on_their_way` within the grace, `late` after it.
    """

    at: float
    until: float
    on_their_way: int = 0
    late: int = 0


@dataclass(slots=True, kw_only=True)
class Tally:
    """The figures of one key; instants by the clock of the limiter, None: never.

    `first_at`: the first request. `served_at`: the last one that was served. `earliest`: by how
    many seconds the worst of the early ones came too early. `closings`: how many there were, the
    last thousand of them are in `closed`. `on_their_way` and `late` are sums over all closings,
    `most_late` the worst closing.
    """

    served: int = 0
    refused: int = 0
    early: int = 0
    earliest: float = 0.0
    closings: int = 0
    on_their_way: int = 0
    late: int = 0
    most_late: int = 0
    first_at: float | None = None
    served_at: float | None = None
    closed: list[Closing] = field(default_factory=list)


class Counter:
    """Makes the tally of one key. Instants must not go back."""

    def __init__(self, *, grace: float) -> None:
        self._grace = grace
        self._tally = Tally()
        self._closed: deque[Closing] = deque(maxlen=_CLOSINGS_KEPT)
        # Answers that the other side may not have read yet (when they left, what they named),
        # and the latest time of those that it has.
        self._fresh: deque[tuple[float, float]] = deque()
        self._known = float("-inf")

    def arrive(self, now: float) -> None:
        """A request is here; is it early?"""
        tally = self._tally
        if tally.first_at is None:
            tally.first_at = now
        while self._fresh and now - self._fresh[0][0] > self._grace:
            self._known = max(self._known, self._fresh.popleft()[1])
        if now < self._known - SLACK:
            tally.early += 1
            tally.earliest = max(tally.earliest, self._known - now)

    def tell(self, now: float, *, until: float) -> None:
        """An answer leaves that says that nothing is left until then."""
        self._fresh.append((now, until))

    def serve(self, now: float) -> None:
        """It is served."""
        self._tally.served += 1
        self._tally.served_at = now

    def refuse(self, now: float, *, wait: float, told: bool) -> None:
        """It is refused for `wait` seconds; `told` is whether the answer says so."""
        tally, until = self._tally, now + wait
        tally.refused += 1
        if told:
            self._fresh.append((now, until))
        closing = self._closed[-1] if self._closed else None
        if closing is None or now >= closing.until - SLACK:
            tally.closings += 1
            self._closed.append(Closing(now, until))
            return
        closing.until = max(closing.until, until)
        if now - closing.at <= self._grace:
            closing.on_their_way += 1
            tally.on_their_way += 1
        else:
            closing.late += 1
            tally.late += 1
            tally.most_late = max(tally.most_late, closing.late)

    def tally(self) -> Tally:
        """The figures so far, as a copy."""
        shown = Tally(**asdict(self._tally))
        shown.closed = [Closing(**asdict(closing)) for closing in self._closed]
        return shown


@dataclass(frozen=True, slots=True)
class Report:
    """The tallies by key, and what they come to."""

    keys: dict[str, Tally]

    @property
    def served(self) -> int:
        """Requests that were served."""
        return sum(tally.served for tally in self.keys.values())

    @property
    def refused(self) -> int:
        """Requests that were refused."""
        return sum(tally.refused for tally in self.keys.values())

    @property
    def early(self) -> int:
        """Requests that came before a time that their key had been told."""
        return sum(tally.early for tally in self.keys.values())

    @property
    def late(self) -> int:
        """Refusals beside the first of a closing, those on their way left out."""
        return sum(tally.late for tally in self.keys.values())

    def as_json(self) -> dict[str, Any]:
        """As `GET /_sim/limits` shows it."""
        return {
            "served": self.served,
            "refused": self.refused,
            "early": self.early,
            "late": self.late,
            "keys": {key: asdict(tally) for key, tally in self.keys.items()},
        }
