"""What a page asks of a vendor: an errand, looked at by each load of the page until it ends."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from db import errands
from db.errands import TooManyError
from db.models_pages import Errand
from db.states import ErrandKind, ErrandState
from webhooks import errors
from webhooks.visits import Visit

BELL = ("errands", "urgent")
FRESH_SECONDS = 300.0  # so old an answer is shown for good; after that it is asked for again
ALONE_SECONDS = 10.0  # an errand that nobody has taken by then: is there a worker?
AGAIN = "again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An errand as a page shows it. `address` is where the page looks again."""

    id: str
    state: str
    answer: dict[str, Any]
    error: str | None
    waits_until: float | None
    neglected: bool
    address: str
    asked_at: float
    ended_at: float | None

    @property
    def waits(self) -> bool:
        """Is it under way?"""
        return self.state == ErrandState.WAITING

    @property
    def done(self) -> bool:
        """Is there an answer?"""
        return self.state == ErrandState.DONE

    @property
    def again(self) -> str:
        """The page once more, with the question asked anew."""
        path, _, query = self.address.partition("?")
        return f"{path}?{query}{'&' if query else ''}{urlencode({AGAIN: self.id})}"


def shown(visit: Visit, errand: Errand) -> Asked:
    """An errand, for the page that this visit asked for."""
    limited = errand.state == ErrandState.WAITING and errand.deferrals > 0
    return Asked(
        id=errand.id,
        state=errand.state,
        answer=errand.answer or {},
        error=errand.error,
        waits_until=errand.due_at if limited and errand.due_at > visit.now else None,
        neglected=errand.epoch == 0 and visit.now - errand.asked_at > ALONE_SECONDS,
        address=address_of(visit),
        asked_at=errand.asked_at,
        ended_at=errand.ended_at,
    )


def address_of(visit: Visit) -> str:
    """The page of this visit with its query, without the wish to ask anew."""
    query = [pair for pair in visit.request.query_params.multi_items() if pair[0] != AGAIN]
    path = visit.request.url.path
    return f"{path}?{urlencode(query)}" if query else path


def ask(
    visit: Visit,
    kind: ErrandKind,
    *,
    user_id: int,
    source_id: int | None = None,
    goal_id: int | None = None,
    params: Mapping[str, Any] | None = None,
) -> Asked:
    """The answer to a question that only reads, or how far it is; asked if nobody has lately.

    With `?again=<id>` of the last one it is asked anew.
    """
    key = errands.key_of(kind, source_id=source_id, goal_id=goal_id, params=params)
    with visit.receiver.ledger.read() as session:
        known = errands.newest(session, user_id, key)
    if known is not None and not _outdated(visit, known):
        return shown(visit, known)
    return shown(
        visit,
        begin(visit, kind, user_id=user_id, source_id=source_id, goal_id=goal_id, params=params),
    )


def _outdated(visit: Visit, known: Errand) -> bool:
    if known.state == ErrandState.WAITING:
        return False
    old = visit.now - (known.ended_at or known.asked_at) > FRESH_SECONDS
    return old or visit.query(AGAIN) == known.id


def begin(
    visit: Visit,
    kind: ErrandKind,
    *,
    user_id: int,
    source_id: int | None = None,
    goal_id: int | None = None,
    params: Mapping[str, Any] | None = None,
    deed: tuple[str, str] | None = None,
) -> Errand:
    """Have something asked or done; the same thing waits once only.

    `deed`: (action, subject) of what changes something, kept once for each errand.
    """
    key = errands.key_of(kind, source_id=source_id, goal_id=goal_id, params=params)
    try:
        with visit.receiver.ledger.write() as session:
            before = errands.newest(session, user_id, key)
            errand = errands.ask(
                session,
                kind,
                user_id=user_id,
                source_id=source_id,
                goal_id=goal_id,
                params=params,
                now=visit.now,
            )
            if deed is not None and (before is None or before.id != errand.id):
                visit.did(session, *deed, user_id=user_id)
    except TooManyError:
        raise too_many() from None
    visit.receiver.ringer.want([BELL])
    return errand


def too_many() -> errors.AnswerError:
    """So much waits already that no more is taken."""
    message = "too much is being asked for you already: wait until some of it has ended"
    return errors.LaterError("too_many_errands", message)


def newest(
    visit: Visit,
    kind: ErrandKind,
    *,
    user_id: int,
    source_id: int | None = None,
    goal_id: int | None = None,
) -> Asked | None:
    """The last errand of this kind about just this, without asking anew."""
    key = errands.key_of(kind, source_id=source_id, goal_id=goal_id)
    with visit.receiver.ledger.read() as session:
        known = errands.newest(session, user_id, key)
    return None if known is None else shown(visit, known)
