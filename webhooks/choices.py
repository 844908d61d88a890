"""What deciding about a held correction would do to the goal, in words. Pure."""

from db.states import RUNNING_TOTAL
from webhooks import words

DERAILS = "If that turns yesterday red, Beeminder derails the goal at once."


def approving(
    there: float | None, value: float, *, yaw: int | None, shape: str | None = None
) -> str:
    """What comes of sending it. `yaw`: 1 where more is better, -1 where less is."""
    after = " The totals of the days after it move with it." if shape == RUNNING_TOTAL else ""
    if there is None:
        return f"Sends {words.number(value)}; nothing of it is at Beeminder yet.{after}"
    step = f"{words.number(there)} → {words.number(value)}"
    if there != 0.0 and value == 0.0:
        told = f"Sends 0 and empties the day ({step})."
    else:
        told = f"Sends {words.number(value)} ({step})."
    if yaw is None:
        told += f" The goal does not say which way is better. {DERAILS}"
    elif (value - there) * yaw > 0:
        told += " The day becomes better for the goal."
    elif value == there:
        told += " The value stays as it is."
    else:
        told += f" The day becomes worse for the goal. {DERAILS}"
    return told + after


def dropping(there: float | None) -> str:
    """What comes of refusing it."""
    stays = "Nothing is sent" if there is None else f"{words.number(there)} stays at Beeminder"
    return f"{stays}, and this value is not asked about again."
