"""Who goes first where a slot is wanted by several: what is urgent, and now and then the others.

At a quick gate it is enough that slots are taken a little ahead, the more so the more urgent it is.
At a slow one the next slot is often the only one within reach, and whoever happens to look first
would have it. There what is less urgent lets what is urgent go first, as long as that comes to take
its slot; and of so many slots in a row one is left to the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session

from db import claiming_gates, quotas
from db.quotas_seen import Gate
from db.states import Lane

# How far ahead a slot is taken. Bulk work never takes all of them, so that whatever is urgent
# finds one within the second.
AHEAD = {Lane.URGENT: 1.0, Lane.DEFAULT: 0.75, Lane.BULK: 0.5}
# Two slots that are no further apart: one of them is too far ahead for all that is less urgent.
QUICK = AHEAD[Lane.URGENT] - AHEAD[Lane.DEFAULT]
# Seconds in which urgent work comes to take a slot: the sweep finds it, a worker claims it, and the
# facts of its goal may have to be read before its source is asked.
COMES_WITHIN = 2.0


@dataclass(frozen=True, slots=True)
class Paced:
    """A gate as it was just read (None: nobody has used it), with its pace in seconds."""

    gate: Gate | None
    interval: float

    @property
    def is_slow(self) -> bool:
        """May there be one slot only for all that want one?"""
        return self.interval > QUICK

    @property
    def owes(self) -> bool:
        """Has urgent work had so many slots in a row that the others are offered this one?"""
        return (
            self.is_slow and self.gate is not None and self.gate.urgent_in_a_row >= quotas.IN_A_ROW
        )


def ahead(lane: Lane, paced: Sequence[Paced]) -> float:
    """How many seconds before its time a slot may be taken.

    Urgent work leaves no later if it takes one in time and not before; the others see it first.
    """
    if lane == Lane.URGENT and any(each.owes for each in paced):
        return 0.0
    return AHEAD[lane]


def yields_until(
    session: Session, key: str, paced: Sequence[Paced], *, lane: Lane, now: float
) -> float:
    """Until when (UTC seconds) to leave the next slot to what is urgent; 0.0: nothing waits.

    `key`: the gate of the account, for which feeds wait.
    """
    slow = [each for each in paced if each.is_slow]
    if lane == Lane.URGENT or not slow or any(each.owes for each in slow):
        return 0.0
    since = claiming_gates.urgent_since(session, key, now)
    if since is None:
        return 0.0
    free = (each.gate.next_free_at - each.gate.tolerance for each in slow if each.gate is not None)
    until = max(since, *free, 0.0) + COMES_WITHIN
    return until if until > now else 0.0
