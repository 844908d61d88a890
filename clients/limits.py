"""What an answer says about limits. Pure: headers in, numbers out.

Read are `Retry-After`; `X-RateLimit-Limit`, `-Remaining` and `-Reset` (https://api.bm.parts and
many others); the fields `RateLimit` and `RateLimit-Policy` of draft-ietf-httpapi-ratelimit-headers
(revisions 08 to 11), and what its earlier revisions had in their place. Each field that is
malformed is ignored, for itself.
"""

import collections
import dataclasses
import math
import re
from collections.abc import Iterator, Mapping, Sequence

import httpx

from clients import retry_after
from clients.structured_fields import items, members, whole

# The largest count that is told apart; no integer of a database is smaller.
MOST = 2**31 - 1
# Nobody has to wait for thirty years: such a number is the instant itself, in Unix seconds, and a
# hundred times as large in milliseconds.
_INSTANT = 10**9
_MILLISECONDS = 10**11
_NEGATIVE = re.compile(r"-[0-9]+(?:\.[0-9]*)?")
_ZERO = re.compile(r"0+\.0*")

# Values by name, in small letters; none where there is no such header.
_Lines = Mapping[str, list[str]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an answer says about limits; None: it does not say.

    `retry_after`: seconds from now. `limit` requests are served in `window` seconds, `remaining`
    of them are left, and there will be more in `reset_after` seconds from now. Waits are from 0 to
    `retry_after.LONGEST` (2**31), windows from 1 to it, counts from 0 to `MOST`.
    """

    retry_after: float | None = None
    limit: int | None = None
    window: float | None = None
    remaining: int | None = None
    reset_after: float | None = None

    @property
    def wait(self) -> float | None:
        """Seconds that the vendor asks us to wait where it refuses; None: it names no time.

        `Retry-After` goes before the reset of a quota that is used up, as the draft demands.
        """
        if self.retry_after is not None:
            return self.retry_after
        return self.reset_after if self.remaining == 0 else None


_THREE = ("limit", "remaining", "reset")
_TELLING = frozenset(
    (
        "retry-after",
        "ratelimit",
        "ratelimit-policy",
        *(f"{prefix}-{name}" for prefix in ("ratelimit", "x-ratelimit") for name in _THREE),
    )
)
_SILENT = Limits()


def read(headers: httpx.Headers, *, now: float) -> Limits:
    """What these headers say at `now` (Unix seconds). Never raises.

    Instants are measured against the server's own `Date` where that is good. Of several quotas the
    one counts that will be used up first: the fewest requests left, of equals the longest time
    until there are more. Those of which only the size is told come last, the smallest first, of
    equals the one with the longest window.
    """
    if _TELLING.isdisjoint(headers.keys()):
        return _SILENT  # as most answers are
    lines: dict[str, list[str]] = collections.defaultdict(list)
    for name, value in headers.multi_items():
        lines[name].append(value)
    date = ", ".join(lines["date"]) or None
    clock = retry_after.server_clock(date, now=now)
    policies = dict(_policies(lines))
    sizes = [policy for policy in policies.values() if policy is not None]
    quotas = [
        *sizes,
        *_service_limits(lines, policies),
        _dictionary(lines, sizes),
        _three_fields(lines, "ratelimit", sizes, clock),
        _three_fields(lines, "x-ratelimit", sizes, clock),
    ]
    return dataclasses.replace(
        min(quotas, key=_leeway),
        retry_after=retry_after.seconds(lines["retry-after"], server_date=date, now=now),
    )


def _leeway(quota: Limits) -> tuple[bool, float, float, float, bool]:
    # The last one only decides which of two descriptions of one quota says more.
    count = quota.limit if quota.remaining is None else quota.remaining
    return (
        quota.remaining is None,
        math.inf if count is None else count,
        -(quota.reset_after or 0.0),
        -(quota.window or 0.0),
        quota.limit is None,
    )


def _policies(lines: _Lines) -> Iterator[tuple[object, Limits | None]]:
    """Quotas by name, or by size (before revision 08); None for what does not count requests."""
    for field in ("ratelimit-policy", "ratelimit-limit", "x-ratelimit-limit"):
        for name, parameters in items(lines[field]):
            limit = whole(name if isinstance(name, int) else parameters.get("q"))
            if parameters.get("qu", "requests") != "requests":
                yield name, None
            elif limit is not None and (field == "ratelimit-policy" or "w" in parameters):
                yield name, _quota((), limit, window=whole(parameters.get("w")) or None)


def _service_limits(lines: _Lines, policies: Mapping[object, Limits | None]) -> Iterator[Limits]:
    for name, parameters in items(lines["ratelimit"]):
        policy, remaining = policies.get(name, Limits()), whole(parameters.get("r"))
        if policy is not None and remaining is not None:
            yield _quota([policy], policy.limit, remaining, whole(parameters.get("t")))


def _dictionary(lines: _Lines, sizes: Sequence[Limits]) -> Limits:
    # Revision 07: `RateLimit: limit=100, remaining=50, reset=30`.
    told = members(lines["ratelimit"])
    return _quota(
        sizes, whole(told.get("limit")), whole(told.get("remaining")), whole(told.get("reset"))
    )


def _three_fields(lines: _Lines, prefix: str, sizes: Sequence[Limits], clock: float) -> Limits:
    limits, rests, resets = (_numbers(lines[f"{prefix}-{name}"]) for name in _THREE)
    used_up = _is_used_up(lines[f"{prefix}-remaining"], lines[f"{prefix}-limit"])
    return _quota(
        sizes,
        min(limits, default=None),
        0 if used_up else min(rests, default=None),
        max((_seconds_to(number, clock) for number in resets), default=None),
    )


def _quota(
    sizes: Sequence[Limits],
    limit: int | None,
    remaining: int | None = None,
    reset_after: float | None = None,
    *,
    window: float | None = None,
) -> Limits:
    # Where there is no name, the size tells which of the policies is meant.
    for policy in sizes:
        if policy.limit == limit and window is None:
            window = policy.window
    return Limits(
        limit=None if limit is None else min(limit, MOST),
        window=None if window is None else min(float(window), retry_after.LONGEST),
        remaining=None if remaining is None else min(remaining, MOST),
        reset_after=None if reset_after is None else min(float(reset_after), retry_after.LONGEST),
    )


def _is_used_up(rests: Sequence[str], limits: Sequence[str]) -> bool:
    """Is what is left no more than nothing: `-1` of who let one too many through, or `0.0`?"""
    if any(_NEGATIVE.fullmatch(part) for part in _parts(limits)):
        return False  # a limit below zero is none at all
    return any(_NEGATIVE.fullmatch(part) or _ZERO.fullmatch(part) for part in _parts(rests))


def _parts(lines: Sequence[str]) -> Iterator[str]:
    # Proxies fold lines into lists.
    return (part.strip(" \t") for line in lines for part in line.split(","))


def _numbers(lines: Sequence[str]) -> list[int]:
    # What has parameters is a policy, and not the number itself.
    found = (retry_after.number(part) for part in _parts(lines))
    return [number for number in found if number is not None]


def _seconds_to(number: int, clock: float) -> float:
    if number < _INSTANT:
        return float(number)
    instant = number / 1000 if number >= _MILLISECONDS else float(number)
    return retry_after.until(instant, clock=clock)
