"""When something that failed is tried again. Pure: attempts and a random number in, seconds out.

Full jitter between a floor and a growing cap. A callback waits behind a failed sync, so the first
tries are close together: within 5 s at first, at gaps of at most 30 s during ten minutes, and
then ever further apart. What a server asked for is never undercut.
"""

import random
from dataclasses import dataclass

from clients.errors import ClientError, Permanent, RateLimited, Transient, UnexpectedResponse

DAY = 86400.0
EVENT_MAX_AGE = DAY  # a callback that could not be answered for a day is dead


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Seconds: the shortest wait, the first cap, the cap while trouble is young, the one after."""

    floor: float = 0.5
    first: float = 3.0
    early: float = 30.0
    young_for: float = 600.0
    late: float = 900.0


SYNC = Policy()
LIMITED = Policy(floor=2.0, first=8.0)  # a limit without a usable hint
CHECK_AGAIN = DAY  # a failing feed is looked at once a day, and whenever it is asked for
GARBLED_TRIES = 3  # an answer of the wrong shape so often in a row is no accident
GARBLED_AGAIN = 900.0


def delay(
    policy: Policy, attempts: int, *, age: float, rng: random.Random, at_least: float | None = None
) -> float:
    """Seconds until the next try after `attempts` failed ones; `age` of the trouble in seconds."""
    ceiling = policy.early if age < policy.young_for else policy.late
    # 2**10 is beyond every ceiling here; a larger exponent would only overflow.
    cap = min(ceiling, policy.first * 2.0 ** min(max(attempts, 1) - 1, 10))
    return max(rng.uniform(policy.floor, cap), at_least or 0.0)


def wait(
    error: Transient, *, attempts: int, deferrals: int, age: float, rng: random.Random
) -> tuple[float, bool]:
    """(seconds until the next try, whether that is a deferral, which costs no attempt)."""
    if isinstance(error, RateLimited):
        # "At once" is no usable hint from somebody who has just refused.
        if error.retry_after is not None and error.retry_after >= SYNC.floor:
            return error.retry_after, True
        return delay(LIMITED, deferrals + 1, age=age, rng=rng), True
    seconds = delay(SYNC, attempts + 1, age=age, rng=rng, at_least=error.retry_after)
    return seconds, False


def check_again(error: Permanent, *, every: float) -> float:
    """Seconds until a failing feed is looked at again, if nobody asks before.

    What a person has to mend waits for a day; a vendor that answers nonsense may mend itself, and
    is asked when the feed's own schedule (`every`, seconds) says.
    """
    if isinstance(error, UnexpectedResponse):
        return max(every, GARBLED_AGAIN)
    return CHECK_AGAIN


def as_json(error: ClientError, *, where: str) -> dict[str, str]:
    """An error as it is stored and shown: what, where, and the vendor's request id."""
    found = {"code": error.reason, "message": f"{where}: {error}"}
    if error.request_id:
        found["request_id"] = error.request_id
    return found
