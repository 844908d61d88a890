"""A person opens gates before their time: what makes work wait there is forgotten, and it goes on.

What their vendors make of that is not ours to know: one request goes first, and says.
"""

from collections.abc import Sequence

from sqlmodel import Session

from db import quotas_closing, waking
from db.held_up import Gate


def open_gates(session: Session, chosen: Sequence[Gate], known: Sequence[Gate], now: float) -> int:
    """Open these of all `known` gates, and wake what waits for them; returns how many feeds."""
    accounts = {gate.account for gate in chosen}
    quotas_closing.open_now(session, [gate.key for gate in chosen])
    return waking.behind(session, [gate.key for gate in known if gate.account in accounts], now)
