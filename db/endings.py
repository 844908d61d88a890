"""The ends of events, told to whoever waits for them: `db.listening` hears it.

On PostgreSQL the transaction that ends events notifies, so nobody hears of an end that is not
committed. In SQLite nothing is told: a connection sees for itself that somebody has committed.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Text, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlmodel import Session

from db.once import Once

CHANNEL = "waggle_ended"
IDS_AT_ONCE = 250  # a notification holds 8,000 bytes
_NOTIFY = Once(text(f"SELECT pg_notify('{CHANNEL}', :said)"))


class told(FunctionElement[str]):  # noqa: N801 -- reads like a function of the database
    """What an UPDATE that ends events returns of each id, so that whoever waits hears of it."""

    name = "told"
    type = Text()
    inherit_cache = True


@compiles(told, "postgresql")
def _postgresql(element: told, compiler: SQLCompiler, **more: Any) -> str:
    return f"pg_notify('{CHANNEL}', {compiler.process(element.clauses, **more)})::text"


@compiles(told)
def _others(_element: told, _compiler: SQLCompiler, **_: Any) -> str:
    return "NULL"


def tell(session: Session, ids: Collection[str]) -> None:
    """Whoever waits for these events hears of it when this transaction commits."""
    if session.get_bind().dialect.name != "postgresql":
        return
    each = list(ids)
    for at in range(0, len(each), IDS_AT_ONCE):
        say(session, ",".join(each[at : at + IDS_AT_ONCE]))


def say(session: Session, said: str) -> None:
    """Have every listener on PostgreSQL hear this."""
    _NOTIFY.ask(session, {"said": said})
