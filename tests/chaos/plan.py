"""What goes wrong in a run, and when: made of a seed alone, so it can be repeated."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

PLACES = ("sqlite+filesystem", "postgresql+rabbitmq", "postgresql+redis")
EMBEDDED = PLACES[0]
PAST_THE_LEASE = (11.0, 14.0)  # seconds; a lease lasts 10
FIRST_AT = 1.5  # seconds
LAST_BEFORE = 1.0  # seconds before the end
LONGEST_GAP = 4.0  # seconds


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is done at `at` seconds and undone `lasts` seconds later.

    `what` names it and `whom` is the process or the server it is done to. `size`: of a clock that
    jumps, in seconds; of a link, 1.0 where old connections stay open and silent after it.
    """

    at: float
    what: str
    whom: str
    lasts: float = 0.0
    size: float = 0.0

    def __str__(self) -> str:
        size = f" {self.size:+.0f}" if self.size else ""
        lasts = f" for {self.lasts:.1f} s" if self.lasts else ""
        return f"{self.at:5.1f} s  {self.what} {self.whom}{size}{lasts}"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault: how often it is chosen beside the others, and how long it lasts."""

    what: str
    whom: str
    weight: int
    lasts: tuple[float, float] = (0.0, 0.0)
    size: tuple[float, float] = (0.0, 0.0)


EVERYWHERE = (
    Kind("kill", "web", 3),
    Kind("kill", "worker", 6),
    Kind("kill", "beat", 2),
    Kind("kill", "progress", 3),
    Kind("freeze", "worker", 3, PAST_THE_LEASE),
    Kind("freeze", "progress", 1, PAST_THE_LEASE),
    Kind("cut", "vendors", 2, (0.3, 3.0)),
    Kind("blackhole", "vendors", 2, (1.0, 6.0), (0.0, 1.0)),
)
EMBEDDED_ONLY = (
    Kind("fill", "disk", 3, (1.0, 5.0)),
    Kind("jump", "clock", 2, size=(3.0, 90.0)),
    Kind("jump", "clock", 1, size=(-20.0, -2.0)),
)
SERVERS_ONLY = (
    Kind("restart", "database", 2),
    Kind("crash", "database", 2),
    Kind("freeze", "database", 3, (1.0, 8.0)),
    Kind("fill", "database", 2, (1.0, 5.0)),
    Kind("cut", "database", 2, (0.2, 3.0)),
    Kind("blackhole", "database", 2, (1.0, 6.0)),
    Kind("restart", "broker", 2),
    Kind("crash", "broker", 1),
    Kind("freeze", "broker", 2, (1.0, 8.0)),
    Kind("cut", "broker", 2, (0.2, 3.0)),
    Kind("blackhole", "broker", 2, (1.0, 6.0), (0.0, 1.0)),
    Kind("jump", "clock", 2, size=(-600.0, 600.0)),
)


def kinds(place: str) -> tuple[Kind, ...]:
    """All that can go wrong at a place."""
    return (*EVERYWHERE, *(EMBEDDED_ONLY if place == EMBEDDED else SERVERS_ONLY))


def make(seed: int, place: str, *, seconds: float, gap: float | None = None) -> list[Fault]:
    """The faults of a run of so many seconds, one begins every `gap` seconds or so.

    Each kind there is at this place comes once before any comes twice, as far as there is time;
    without a `gap` there is time for all of them.
    """
    rng = random.Random(f"{seed} {place}")
    order = _order(rng, kinds(place))
    left = seconds - FIRST_AT - LAST_BEFORE
    gap = min(LONGEST_GAP, left / len(kinds(place))) if gap is None else gap
    made = []
    for number in range(round(left / gap)):
        at = FIRST_AT + (number + rng.uniform(0.0, 0.9)) * gap
        kind = next(order)
        lasts = min(rng.uniform(*kind.lasts), max(0.5, seconds - at))
        size = round(rng.uniform(*kind.size)) if kind.size != (0.0, 0.0) else 0.0
        made.append(Fault(round(at, 1), kind.what, kind.whom, round(lasts, 1), size))
    return made


def _order(rng: random.Random, kinds: Sequence[Kind]) -> Iterator[Kind]:
    first = rng.sample(kinds, len(kinds))
    # After it processes disagree about the time for a minute, and nobody can be judged by it.
    first.sort(key=lambda kind: kind.what == "jump" and kind in EMBEDDED_ONLY)
    long = [kind for kind in first if kind.lasts == PAST_THE_LEASE]
    first = [kind for kind in first if kind not in long]
    for kind in long:  # early enough for a lease to end before the run does
        first.insert(rng.randrange(2 * len(first) // 3), kind)
    yield from first
    while True:
        yield rng.choices(kinds, [kind.weight for kind in kinds])[0]
