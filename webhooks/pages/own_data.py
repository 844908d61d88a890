"""One's own data: all of it in a file, and all of it gone.

What leaves is handed to a worker, since the data sources of goals are given back at Beeminder
before anything is deleted. Whoever looks on finds out by having no session any more.
"""

import re
import tempfile
from collections.abc import Iterator
from importlib import metadata
from typing import BinaryIO

from sqlmodel import Session
from starlette.responses import Response, StreamingResponse

from db import errands, exporting
from db import persons as belongings
from db.models import User
from db.models_pages import Errand
from db.states import ErrandKind
from webhooks import asking, errors, persons, rendering, visits
from webhooks.visits import Visit

PATH = "/settings/data"
WORDS = "delete everything"
LATELY = 3600.0  # seconds in which the last try to leave is shown
PIECE = 64 * 1024
COUNTED = ("feed", "source")  # of datapoints there may be many, and to count them takes long


def page(visit: Visit) -> Response:
    """`/settings/data`."""
    return _page(visit)


def export(visit: Visit) -> Response:
    """All of it as one JSON document, to be saved."""
    user_id = persons.own_id(visit)
    with visit.receiver.ledger.write() as session:
        user = session.get_one(User, user_id)
        visit.did(session, "person.export", user.username)
    # A file first: whoever reads slowly must not keep the ledger's old pages alive.
    file = tempfile.TemporaryFile()  # noqa: SIM115 -- closed when it was sent
    try:
        version = metadata.version("waggle-server")
        for piece in exporting.document(visit.receiver.ledger, user, version=version):
            file.write(piece.encode())
        size = file.tell()
        file.seek(0)
    except OSError as error:
        file.close()
        message = f"there is no room here for the file ({error.strerror}): tell the operator"
        raise errors.AnswerError(503, "no_room", message) from error
    name = re.sub(r"[^\w-]", "-", user.username, flags=re.ASCII)
    return StreamingResponse(
        _pieces(file),
        media_type="application/json",
        headers={
            **rendering.HEADERS,
            "Content-Disposition": f'attachment; filename="waggle-{name}.json"',
            "Content-Length": str(size),
        },
    )


def leave(visit: Visit) -> Response:
    """Have everything deleted, once the words that are typed show that it is meant."""
    user_id = persons.own_id(visit)
    if " ".join((visit.form.get("words") or "").lower().split()) != WORDS:
        return _page(visit, wrong=f"nothing is deleted: type “{WORDS}” if you mean it")
    asking.begin(
        visit,
        ErrandKind.LEAVE,
        user_id=user_id,
        params={"anyhow": visit.form.get("anyhow") == "yes"},
        deed=("person.leave", visit.viewer.username),
    )
    return visit.go(PATH)


def _page(visit: Visit, *, wrong: str | None = None) -> Response:
    user_id, user, counts, last = visit.viewer.user_id, None, {}, None
    if user_id is not None:
        with visit.receiver.ledger.read() as session:
            user = session.get_one(User, user_id)
            counts = belongings.counts(session, user, COUNTED)
            last = _last(session, user_id, visit.now)
    asked = asking.shown(visit, last) if last is not None else None
    if asked is not None and asked.waits and wrong is not None:
        return visit.go(PATH)  # they are leaving already, by another window
    return visit.page(
        "settings_data.html",
        title="Your data · Waggle",
        status=200 if wrong is None else 422,
        user=user,
        counts=counts,
        asked=asked,
        still_set=asked.answer.get("still_set", []) if asked is not None and asked.done else [],
        words=WORDS,
        anyhow=visit.form.get("anyhow") == "yes",
        wrong=wrong,
    )


def _last(session: Session, user_id: int, now: float) -> Errand | None:
    """The last try to leave, of which a person sees how far it is, or why they are still here."""
    found = errands.recent(session, user_id, [ErrandKind.LEAVE], since=now - LATELY)
    return found[0] if found else None


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(PIECE):
            yield piece


ROUTES = (
    visits.page(PATH, page),
    visits.form(f"{PATH}/export", export),
    visits.form(f"{PATH}/leave", leave),
)
