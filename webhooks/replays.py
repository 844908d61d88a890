"""Replaying events from a page: new events, a deed for each, and the bells of their kinds."""

from sqlmodel import Session

from db import replaying
from db.inbox import NewEvent
from db.models import Event
from webhooks import request_ids
from webhooks.visits import Visit
from webhooks.writer import BELLS

MOST = 200  # at a time: what they ask for is due at once


def replay(visit: Visit, session: Session, rows: list[Event]) -> list[NewEvent]:
    """Have these tried again; the caller rings once it is committed."""
    new = replaying.replay(session, rows, visit.now, request_id=request_ids.current())
    for made in new:
        visit.did(session, "replay", f"event {made.replay_of}", user_id=made.user_id, made=made.id)
    return new


def ring(visit: Visit, new: list[NewEvent]) -> None:
    """Somebody may look at them now."""
    visit.receiver.ringer.want({BELLS[event.kind] for event in new})
