"""What a vendor counts by, how much of it we take, and what refusals teach. Pure.

A vendor that names a limit says how many requests it serves in how many seconds, seldom in which
kind of window it counts. So we go at a pace that fits into any: evenly, with a small burst, and a
little below what would be allowed, since requests that leave evenly do not arrive so.
"""

import hashlib
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

BURST = 10  # requests that may leave together after a pause
BURST_SHARE = 50  # never more than this part of a window
UNEVEN_SECONDS = 0.05  # so unevenly requests arrive that left evenly
LATE_SECONDS = UNEVEN_SECONDS / 2  # so late they may leave; the rest is for the way

LEARN_FROM = 5  # requests between a mark and a refusal that tell something
HEADROOM = 1.03
LONGER = 20.0  # a wait so many times as long as what was seen tells nothing
SHORTEST_SEEN = 0.5  # seconds
LONGEST = 120.0  # seconds; whoever counts by the hour lets a burst pass, and so do we
NEARLY_BEST = 0.97
ROUNDING = 0.02  # seconds that a request is longer on its way than another, at most
KEPT_WINDOWS = 10.0  # for so many windows a learned pace is kept before it is loosened
SHORTEST_KEPT, LONGEST_KEPT = 30.0, 300.0  # seconds
LOOSENED = 0.05
NUDGE = 1.2  # a bucket that was full hides how far from it a pace is: not much less
FORGOTTEN = 50.0  # a pace that was loosened so much says nothing any more
STEADY = 1.0  # seconds: within an interval that is no longer no pace changes by much

_IDS = re.compile(r"[0-9]+|[0-9A-Fa-f]{8,}(?:-[0-9A-Fa-f]{4,})*|[A-Za-z0-9_-]*[0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Pace:
    """One request per `interval` seconds, `burst` of them at once; 0.0: no pace of our own."""

    interval: float = 0.0
    burst: int = 1

    @property
    def tolerance(self) -> float:
        """Seconds by which a request may be earlier than evenly spaced."""
        return (self.burst - 1) * self.interval


NO_PACE = Pace()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """`requests` in `seconds`, of which `reserve` are left to others who share the account.

    `bucket`: the vendor is known to refill evenly and to serve so many at once; 0 where the kind
    of window is not known.
    """

    requests: int
    seconds: float
    reserve: int = 0
    bucket: int = 0

    def pace(self) -> Pace:
        """The quickest pace that is never refused."""
        ours = max(1, self.requests - self.reserve)
        if self.bucket:
            uneven = math.ceil(ours / self.seconds * UNEVEN_SECONDS)
            return Pace(1.01 * self.seconds / ours, max(1, self.bucket - 1 - uneven))
        # What arrives in a window has left in one that is longer by the difference of two ways; a
        # burst at its beginning and one request per interval after it must not be too many.
        burst = min(BURST, max(1, ours // BURST_SHARE))
        return Pace((self.seconds + UNEVEN_SECONDS) / (ours - burst + 1), burst)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What a vendor counts by: all requests of this `account`, in the vendor's eyes.

    `account` may hold anything but secrets; only a hash of it is stored, unless it is `plain`.
    `title` tells people which it is. `per_endpoint`: each kind of path is counted for itself.
    `routes`: the kinds that are known, a `*` for each id, such as `projects/*/connectors`: an id
    may be a plain word, and only the place tells it. `unknown`: there is a limit, and nobody says
    which; it is learned from refusals.
    """

    account: str
    title: str = ""
    limit: Limit | None = None
    unknown: bool = False
    per_endpoint: bool = False
    routes: tuple[str, ...] = ()
    plain: bool = False

    def key(self, vendor: str, endpoint: str = "") -> str:
        """The key of the gate: what the vendor counts by."""
        account = f"{self.account} {endpoint}" if endpoint else self.account
        if not self.plain:
            account = hashlib.sha256(account.encode()).hexdigest()[:24]
        return f"{vendor}:{account}"

    @property
    def counts(self) -> bool:
        """Does each request have to be counted?"""
        return self.limit is not None or self.unknown

    def pace(self) -> Pace:
        """The pace of a limit that is known."""
        return NO_PACE if self.limit is None else self.limit.pace()


def endpoint(method: str, path: str, routes: Sequence[str] = ()) -> str:
    """The kind of a path: `GET projects/*/connectors`.

    That is the first of the `routes` that fits (see `Quota`). Of any other path what looks like an
    id is left out.
    """
    parts = path.strip("/").split("/")
    for route in routes:
        if _fits(parts, route.split("/")):
            return f"{method} {route}"
    kinds = [
        "*" if _IDS.fullmatch(part) and not re.fullmatch(r"v[0-9]+", part) else part
        for part in parts
    ]
    return f"{method} {'/'.join(kinds)}"


def _fits(parts: Sequence[str], route: Sequence[str]) -> bool:
    return len(parts) == len(route) and all(
        known in ("*", part) for part, known in zip(parts, route, strict=True)
    )


@dataclass(frozen=True, slots=True)
class Learned:
    """A pace that refusals taught: seconds per request, and the window (seconds) it was seen in."""

    interval: float
    window: float


def learn(
    trail: Sequence[tuple[float, int]], *, passed: int, left_at: float, wait: float, before: float
) -> Learned | None:
    """What a refusal tells that named a wait of so many seconds. None: nothing about a pace.

    The request left at `left_at`. `passed` were served before it in all, and so many of them before
    each mark of the `trail`. The vendor's window began near the mark since which there were most
    requests for the time until the window's end: none can be slower than the limit, whatever calm
    lay before it. Vendors name whole seconds, and count in windows of whole seconds: a wait that
    was rounded up to them leaves exactly one length that the window can have. `before`: the
    interval that was kept to, 0.0 for none; a refusal that came almost at once after an opening
    says only that this was too short.
    """
    ends_at = left_at + wait
    since = [(at, passed - count) for at, count in trail if at <= left_at < ends_at]
    enough = [(at, count, count / (ends_at - at)) for at, count in since if count >= LEARN_FROM]
    if enough:
        most = NEARLY_BEST * max(rate for *_, rate in enough)
        # Of a pace that was kept for hours the last minutes tell as much as all of it.
        found = [(at, count) for at, count, rate in enough if rate >= most]
        at, count = next((one for one in found if _whole(ends_at - one[0]) <= LONGEST), found[-1])
        window = _whole(ends_at - at)
        if window > LONGEST or wait > LONGER * max(left_at - at, SHORTEST_SEEN):
            return None
        return Learned(HEADROOM * window / count, window)
    if since and before > 0.0 and wait <= LONGER * SHORTEST_SEEN:
        return Learned(2.0 * before, _whole(ends_at - since[0][0]))
    return None


def nudged(taught: Learned, *, kept: float, window: float, seen: float) -> Learned:
    """What is made of a lesson (`learn`) that came while a learned pace was kept.

    `kept`: that interval, `window`: the one it was learned in, `seen`: for so long it was kept to.
    A window without a refusal says that it was nearly right: some requests came late, and with
    those that were due. The lesson, which may be a second wrong about the window, is no reason for
    a crawl then: the more windows went well, the less of one, since what was too much in each of
    them came to no more than a bucket holds.
    """
    if kept <= 0.0 or window <= 0.0 or seen < window:
        return taught
    return Learned(min(taught.interval, min(NUDGE, 1.0 + 0.5 * window / seen) * kept), window)


def _whole(seconds: float) -> float:
    return max(1.0, math.floor(seconds + ROUNDING))


def loosened(learned: Learned, age: float) -> float:
    """The interval to keep `age` seconds after it was learned; 0.0 when it is forgotten.

    Limits change, and one may have been learned while others used the same account up.
    """
    if learned.interval <= 0.0:
        return 0.0
    kept = min(LONGEST_KEPT, max(SHORTEST_KEPT, KEPT_WINDOWS * learned.window))
    doublings = min(max(0.0, age / kept - 1.0), 60.0)
    factor = 1.0 + LOOSENED * (2.0**doublings - 1.0)
    return 0.0 if factor >= FORGOTTEN else learned.interval / factor


def until_next(interval: Callable[[float], float]) -> float:
    """Seconds from one request to the next, at a pace that may grow quicker in between.

    `interval`: the one that will be kept to in so many seconds from now, which never grows. A pace
    of one request in years that is forgotten within the hour holds the next one up for that hour.
    """
    low, high = 0.0, interval(0.0)
    if high <= STEADY:
        return high
    while high - low > 0.01 * high:
        middle = (low + high) / 2
        if interval(middle) <= middle:
            high = middle
        else:
            low = middle
    return high
