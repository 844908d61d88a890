"""When work that failed is tried again, and when it is given up. Pure: values in, a decision out.

One value per kind of work, all of them in the table below, and one function that decides by them:
nothing else knows a pause. What a server asked for is never undercut. Nothing here waits: whoever
asks writes the decision into the ledger and goes on.
"""

import math
import random
from dataclasses import dataclass
from typing import Protocol

from clients.errors import ClientError, Permanent, RateLimited, Transient, UnexpectedResponse
from tasks import advice

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
EVENT_MAX_AGE = DAY  # a callback that could not be answered for a day is dead
# Beeminder may revoke a token a moment after it has called: its age (seconds) at the further looks.
REVOKED_LOOKS = (30.0, 330.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How one kind of work is tried again; everything in seconds but counts.

    - Trouble: a random pause between `floor` and a cap that doubles from `first` up to `early`,
      and up to `late` once the trouble is older than `young_for`.
    - Limits: a wait is free until there were `deferrals` in a row *and* they took `deferred_for`;
      `deferred_floor` is the shortest one.
    - What a person has to mend ends it, and is looked at again after `look_again`; one that does
      not `stop` is tried again then. An answer of the wrong shape is an accident `garbled_tries`
      times in a row, and is then looked at after `garbled_again`.
    - It is dead when it is older than `dead_after` and was tried `dead_tries` times.
    """

    floor: float = 0.5
    first: float = 3.0
    early: float = 30.0
    young_for: float = 10 * MINUTE
    late: float = 15 * MINUTE
    deferrals: float = math.inf
    deferred_for: float = 0.0
    deferred_floor: float = 0.0
    stops: bool = True
    look_again: float = DAY
    garbled_tries: int = 3
    garbled_again: float = 15 * MINUTE
    dead_after: float = math.inf
    dead_tries: int = 0


# A feed, by callback or schedule, and what waits of it to be sent. A callback waits behind it, so
# the first tries are close together. It is never dead: its callbacks are, and it goes on. Ten
# refusals in an hour are no burst of one's own any more, but an account that is too small.
SYNC = Policy(deferrals=10, deferred_for=HOUR)
# A stored callback whose goal or person is looked up. The same pace; Beeminder has had its answer
# long before the day is over.
CALLBACK = Policy(deferrals=10, deferred_for=HOUR, dead_after=EVENT_MAX_AGE)
# Nobody waits for it, but it is a promise: the token that a person took back is destroyed. So no
# refusal but that of the token itself ends it, and it outlives an outage of some days.
DEAUTHORIZE = Policy(
    first=5.0,
    early=MINUTE,
    deferrals=20,
    deferred_for=DAY,
    stops=False,
    look_again=HOUR,
    dead_after=7 * DAY,
)
# Past days: nobody waits as for a callback, so its pauses grow at once as in an old trouble. The
# tries keep a machine that was switched off for a week from giving up what it had no chance to do.
BACKFILL = Policy(young_for=0.0, deferrals=20, deferred_for=DAY, dead_after=7 * DAY, dead_tries=10)
# Once a day, and every page of it again: it stays away for an hour or more, whatever the reason.
RECONCILE = Policy(
    floor=HOUR,
    first=1.5 * HOUR,
    early=1.5 * HOUR,
    late=1.5 * HOUR,
    deferred_floor=HOUR,
    garbled_tries=0,
    garbled_again=HOUR,
)
# Nothing waits for it: feeds have schedules of their own. Its tries are not counted.
DATASOURCE = Policy(floor=MINUTE, first=15 * MINUTE, early=15 * MINUTE)
# A message to a person: late it is still news, after a day it is none. All that waits is told in
# one try.
TELL = Policy(
    floor=MINUTE, first=2 * MINUTE, early=5 * MINUTE, late=HOUR, dead_after=DAY, dead_tries=3
)
# Somebody looks at a page: soon or not at all, and nonsense is told at once. Its tries are counted
# in `tasks.errands`.
ERRAND = Policy(floor=1.0, first=3.0, early=10.0, late=10.0, garbled_tries=0, dead_after=2 * MINUTE)
# The pause after a refusal without a usable hint, by how many there were in a row.
LIMITED = Policy(floor=2.0, first=8.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What became of it so far.

    `attempts` have failed and `deferrals` waited for a limit, both in a row and without the try
    that is decided about; the last of the attempts met `garbled` answers. `age` of the trouble, and
    how long it has been `deferred_for`: seconds.
    """

    attempts: int = 0
    deferrals: int = 0
    garbled: int = 0
    age: float = 0.0
    deferred_for: float = 0.0


@dataclass(frozen=True, slots=True)
class Again:
    """Tried again in `seconds`.

    `deferred`: a limit says so, and nobody who asks meanwhile makes it earlier. `weary`: why that
    counts as a failed try all the same, in words; None: it is free.
    """

    seconds: float
    deferred: bool = False
    weary: str | None = None

    @property
    def free(self) -> bool:
        """Does it cost no attempt?"""
        return self.deferred and self.weary is None


@dataclass(frozen=True, slots=True)
class Stop:
    """Not tried again: a person has to do something, or (`dead`) it has been tried for too long.

    `reason`: a word for machines. `look_again`: seconds until it is worth a look unasked.
    """

    reason: str
    look_again: float
    dead: bool = False


class Deferral(Protocol):
    """Not before `until` (UTC seconds); see `tasks.gates.DeferredError`."""

    until: float
    error: dict[str, str]


def is_garbled(error: ClientError | Deferral) -> bool:
    """Was it an answer of the wrong shape?"""
    return isinstance(error, UnexpectedResponse)


def decide(
    policy: Policy,
    error: ClientError | Deferral,
    tried: Tried,
    *,
    now: float,
    rng: random.Random,
    every: float = 0.0,
) -> Again | Stop:
    """What becomes of work that met this error. `every`: seconds from one planned look to the next.

    A vendor that answers nonsense may mend itself, so work that has a schedule keeps to it then.
    """
    garbled = is_garbled(error)
    permanent = isinstance(error, Permanent) and not (
        garbled and tried.garbled < policy.garbled_tries
    )
    look_again = max(every, policy.garbled_again) if garbled else policy.look_again
    if isinstance(error, ClientError) and permanent and policy.stops:
        return Stop(error.reason, look_again)
    if tried.age >= policy.dead_after and tried.attempts + tried.deferrals >= policy.dead_tries:
        return Stop("dead", look_again, dead=True)
    if permanent:
        return Again(look_again)
    if not isinstance(error, ClientError):
        return _deferred(policy, tried, error.until - now)
    if not (garbled or isinstance(error, Transient)):
        message = f"{type(error).__name__} is neither transient nor permanent"
        raise TypeError(message)
    hint = error.retry_after if isinstance(error, Transient) else None
    if isinstance(error, RateLimited):
        return _deferred(policy, tried, refused(hint, tried, rng=rng))
    seconds = delay(policy, tried.attempts + 1, age=tried.age, rng=rng, at_least=hint)
    return Again(seconds)


def refused(hint: float | None, tried: Tried, *, rng: random.Random) -> float:
    """Seconds to stay away after a refusal; `hint`: what the vendor named.

    "At once" is no usable hint from somebody who has just refused.
    """
    if hint is not None and hint >= SYNC.floor:
        return hint
    return delay(LIMITED, tried.deferrals + 1, age=tried.deferred_for, rng=rng)


def delay(
    policy: Policy, attempts: int, *, age: float, rng: random.Random, at_least: float | None = None
) -> float:
    """Seconds until the next try after `attempts` failed ones; `age` of the trouble in seconds."""
    ceiling = policy.early if age < policy.young_for else policy.late
    # 2**10 is beyond every ceiling here; a larger exponent would only overflow.
    cap = min(ceiling, policy.first * 2.0 ** min(max(attempts, 1) - 1, 10))
    return max(rng.uniform(policy.floor, cap), at_least or 0.0)


def _deferred(policy: Policy, tried: Tried, seconds: float) -> Again:
    seconds = max(0.0, seconds, policy.deferred_floor)
    if tried.deferrals < policy.deferrals or tried.deferred_for < policy.deferred_for:
        return Again(seconds, deferred=True)
    hours = round(tried.deferred_for / HOUR)
    weary = (
        f"a limit has put it off {tried.deferrals} times in {hours} h; a longer `every`, or fewer "
        "feeds on this account, need less of it"
    )
    return Again(seconds, deferred=True, weary=weary)


def as_json(
    error: ClientError | Deferral, *, where: str, decided: Again | Stop | None = None
) -> dict[str, str]:
    """An error as it is stored and shown: what, where, what to do, and the vendor's request id."""
    if isinstance(error, ClientError):
        found = {"code": error.reason, "message": f"{where}: {error}"}
        if error.request_id:
            found["request_id"] = error.request_id
        todo = advice.of(error, where=where)
    else:
        found, todo = dict(error.error), None
    if isinstance(decided, Again) and decided.weary is not None:
        found["code"], todo = "limited_for_long", decided.weary
    if todo is not None:
        found["message"] = f"{found['message']}; {todo}"
    return found
