"""The session of a ledger's block: a connection, which becomes a session when one is asked for.

Most blocks send a few statements over their connection. To make a session for that, and to ask it
for its connection, takes longer than the statements.
"""

from typing import Any, cast

from sqlalchemy import Connection, Engine
from sqlmodel import Session


class _OnConnection:
    """What stands in for a `Session`; everything but its connection is that of a real one."""

    __slots__ = ("_connection", "_session")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._session: Session | None = None

    def connection(self) -> Connection:
        """The connection; what a session holds back is sent first, as it would be by itself."""
        if self._session is not None:
            return self._session.connection()
        return self._connection

    def get_bind(self) -> Engine:
        """Where it leads to."""
        return self._connection.engine

    def rollback(self) -> None:
        """Undo all of it; the block has to end then."""
        self.close()
        self._connection.rollback()

    def close(self) -> None:
        """Let go of the rows."""
        if self._session is not None:
            self._session.close()

    def flush(self) -> None:
        """Send what is held back."""
        if self._session is not None:
            self._session.flush()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever a session has
        if self._session is None:
            self._session = Session(self._connection, expire_on_commit=False)
        return getattr(self._session, name)


def on(connection: Connection) -> Session:
    """A session of this connection, whose transaction is not ended by it."""
    return cast(Session, _OnConnection(connection))
