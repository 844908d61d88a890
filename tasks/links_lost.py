"""Links that died: Beeminder refuses a person's token, or a source the credentials of its owner.

Nothing of theirs goes on before a person has done something, so they are told, each once.
"""

from sqlalchemy import exists, select
from sqlmodel import Session, col

from db import resting
from db.models import Feed, Goal, Source, User
from db.states import SourceState, UserState
from tasks import standing
from tasks.runtime import Runtime

LINK, LOGIN = "link", "login"  # kinds of notices
OAUTH = "oauth"
CONNECT = "Beeminder does not accept Waggle's token any more, so nothing is sent: connect again"
PERSONAL = (
    "Beeminder does not accept the token in the file any more, so nothing is sent: put the current "
    "one into it and `waggle apply` it"
)


def tell(rt: Runtime) -> None:
    """Raise a notice for each link that died and is needed; clear those of all others."""
    with rt.ledger.read() as session:
        links, logins = _links(session), _logins(session)
    standing.tell(rt, LINK, links)
    standing.tell(rt, LOGIN, logins)


def _links(session: Session) -> standing.Found:
    needed = exists().where(
        col(Feed.goal_id) == col(Goal.id), col(Goal.user_id) == col(User.id), resting.claimable()
    )
    rows = session.connection().execute(
        select(col(User.id), col(User.token_kind)).where(
            col(User.state) == UserState.REAUTHORIZE, needed.correlate(User)
        )
    )
    return {
        f"user:{row.id}": (row.id, CONNECT if row.token_kind == OAUTH else PERSONAL) for row in rows
    }


def _logins(session: Session) -> standing.Found:
    needed = exists().where(col(Feed.source_id) == col(Source.id), resting.claimable())
    rows = session.connection().execute(
        select(col(Source.id), col(Source.user_id), col(Source.last_error)).where(
            col(Source.state) == SourceState.REAUTHORIZE, needed.correlate(Source)
        )
    )
    return {
        f"source:{row.id}": (
            row.user_id,
            f"the login is refused: {row.last_error or 'the source does not say why'}",
        )
        for row in rows
    }
