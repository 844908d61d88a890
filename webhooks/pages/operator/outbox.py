"""The outbox of everybody: what waits to be sent, for whom it waits, and what was refused."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from starlette.responses import Response

from db import outbox_listed, people
from db.outbox_listed import Asked, Mark
from db.states import DatapointState
from webhooks import bodies, errors, filters, visits
from webhooks.visits import Access, Visit

PATH = "/operator/outbox"
PER_PAGE = 28
MOST = 200
MARK = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)_([0-9]{1,15})")
BELL = ("push", "default")
NOBODY = -1


class Age(StrEnum):
    """For how long a datapoint has waited."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"


OVER = {Age.HOUR: 3600.0, Age.DAY: 86400.0, Age.WEEK: 7 * 86400.0}
SHOWN = [state.value for state in outbox_listed.SHOWN]


def outbox(visit: Visit) -> Response:
    """`/operator/outbox`: what waits longest first, page by page."""
    query = visit.request.query_params
    state = DatapointState(filters.word(query, "state", SHOWN) or DatapointState.PENDING)
    age = filters.one_of(query, "age", Age)
    user, text = filters.text(query, "user"), filters.text(query, "q")
    after, before = _mark(visit, "after"), _mark(visit, "before")
    chosen = {"state": state, "age": age, "user": user, "q": text}
    with visit.receiver.ledger.read() as session:
        whose = None if user is None else people.user_named(session, user)
        asked = Asked(
            state=state,
            user_id=None if user is None else NOBODY if whose is None else whose.id,
            until=None if age is None else visit.now - OVER[age],
            text=text,
        )
        found = outbox_listed.rows(session, asked, after=after, before=before, limit=PER_PAGE + 1)
    more = len(found) > PER_PAGE
    shown = found[-PER_PAGE:] if before is not None else found[:PER_PAGE]
    first = shown and (more if before is not None else after is not None)
    last = shown and (before is not None or more)
    return visit.page(
        "operator/outbox.html",
        title="Outbox · Waggle",
        points=shown,
        chosen=chosen,
        filtered=bool(age or user or text) or state != DatapointState.PENDING,
        fit=state in outbox_listed.FIT,
        newer=filters.address(PATH, before=_written(shown[0]), **chosen) if first else None,
        older=filters.address(PATH, after=_written(shown[-1]), **chosen) if last else None,
    )


def retry(visit: Visit) -> Response:
    """`/operator/outbox/retry`: what was ticked is due now."""
    given = set(visit.form.getlist("id"))
    if any(filters.ROW.fullmatch(point_id) is None for point_id in given):
        raise bodies.malformed("id is not the id of a datapoint", field="id")
    if len(given) > MOST:
        message = f"{len(given)} datapoints are too many at a time: choose {MOST} at most"
        raise bodies.malformed(message, field="id")
    if not given:
        return visit.go(PATH, say="Tick the datapoints that are to be sent first.", kind="warn")
    with visit.receiver.ledger.write() as session:
        due = outbox_listed.retry(session, sorted(map(int, given)), visit.now)
        for row in outbox_listed.chosen(session, due):
            visit.did(
                session,
                "retry",
                f"datapoint {row['requestid']} of {row['username']}/{row['slug']}",
                user_id=row["user_id"],
            )
    visit.receiver.ringer.want({BELL})
    left = len(given) - len(due)
    said = f"{len(due)} datapoint{'' if len(due) == 1 else 's'} due now."
    if left:
        said += f" {left} left as they are: sent meanwhile, held, or a person's."
    return visit.go(PATH, say=said, kind="good" if due else "warn")


def _mark(visit: Visit, name: str) -> Mark | None:
    given = visit.query(name)
    if given is None:
        return None
    read = MARK.fullmatch(given)
    if read is None:
        raise errors.NotFoundError  # what is no mark is no page
    return Mark(float(read[1]), int(read[2]))


def _written(row: Mapping[Any, Any]) -> str:
    """A mark that reads as the very same instant: floats are written as short as that allows."""
    return f"{row['due_at']!r}_{row['id']}"


ROUTES = (
    visits.page(PATH, outbox, access=Access.OPERATOR),
    visits.form(f"{PATH}/retry", retry, access=Access.OPERATOR),
)
