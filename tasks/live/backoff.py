"""When a socket is opened again, and when it is left for good. Pure: values in, seconds out."""

import dataclasses
import random

from clients.rime_closes import Verdict

FIRST, LONGEST = 1.0, 60.0  # the pause is random up to this, which doubles
STABLE = 60.0  # seconds; a connection that stood so long makes up for what was before
FEW = 3
QUIET = 300.0  # seconds without a word of a run that still runs
# Of the two hours that gateways leave a connection at most, and of what is left of a token.
CONNECTION = 7200.0
PART = (0.8, 0.95)


@dataclasses.dataclass(frozen=True, slots=True)
class Tries:
    """How often in a row it has ended: all in all, with a verdict of few, and for the token."""

    failed: int = 0
    few: int = 0
    logins: int = 0


FRESH = Tries()


def ended(tries: Tries, verdict: Verdict, *, stood: float) -> Tries:
    """After a connection that stood for so many seconds, 0 for one that was refused."""
    was = FRESH if stood >= STABLE else tries
    return Tries(
        was.failed + 1,
        was.few + (verdict == "few"),
        was.logins + (verdict == "login"),
    )


def gives_up(tries: Tries, verdict: Verdict) -> bool:
    """Is it left for good, so that the run is only read? `tries` count this end (see `ended`)."""
    return verdict in ("done", "stop") or tries.few > FEW or tries.logins > 1


def pause(tries: Tries, *, rng: random.Random, retry_after: float | None = None) -> float:
    """Seconds until the next try. What a server asked for is never undercut.

    Everybody was asked the same, so the random part comes on top of it.
    """
    # 2**10 is beyond the longest; a larger exponent would only overflow.
    cap = min(LONGEST, FIRST * 2.0 ** min(max(tries.failed, 1) - 1, 10))
    return max(0.0, retry_after or 0.0) + rng.uniform(0.0, cap)


def planned(opened_at: float, *, rng: random.Random, token_ends_at: float | None = None) -> float:
    """When a connection is changed for a new one that nobody has ended yet, in UTC seconds.

    Before gateways cut it, and before its token ends. A token that had ended when it was let in is
    none that matters here.
    """
    part = rng.uniform(*PART)
    lasts = CONNECTION
    if token_ends_at is not None and token_ends_at > opened_at:
        lasts = min(lasts, token_ends_at - opened_at)
    return opened_at + part * lasts


def is_silent(heard_at: float, *, now: float) -> bool:
    """Has nothing come for so long that the connection may be dead?"""
    return now - heard_at >= QUIET
