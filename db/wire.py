"""What goes to the driver as it is, past SQLAlchemy; what comes back of errors is SQLAlchemy's."""

from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

CURSORS = "waggle_cursors"  # of a connection, by the statement that each of them sends


def say(connection: Connection, words: str) -> None:
    """Send words without values, such as those that begin a transaction.

    Every third statement of a sync is one of these, and the way through SQLAlchemy takes twenty
    times as long as the statement.
    """
    with cursor(connection, words) as sent:
        sent.execute(words)


class cursor:  # noqa: N801 -- as a function with a `with` around it, which takes longer
    """A cursor for one statement; one that has sent it before knows how values go and come."""

    __slots__ = ("_connection", "_cursor", "_kept", "_text")

    def __init__(self, connection: Connection, text: str) -> None:
        self._connection, self._text = connection, text
        self._kept: dict[str, Any] = connection.info.setdefault(CURSORS, {})
        self._cursor = self._kept.pop(text, None) or connection.connection.cursor()

    def __enter__(self) -> Any:  # noqa: ANN401 -- the driver's
        return self._cursor

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is None:
            self._kept[self._text] = self._cursor
            return
        self._cursor.close()
        if isinstance(error, self._connection.dialect.loaded_dbapi.Error):
            raise told(self._connection, self._text, error) from error


def told(connection: Connection, text: str, error: Any) -> BaseException:  # noqa: ANN401 -- the driver's
    """An error of the driver as SQLAlchemy tells it, without values.

    A connection that is gone is given up.
    """
    dialect = connection.dialect
    gone = dialect.is_disconnect(error, connection.connection.driver_connection, None)
    if gone:
        connection.invalidate(error)
    found: BaseException = DBAPIError.instance(
        text,
        None,
        error,
        dialect.loaded_dbapi.Error,
        hide_parameters=True,
        connection_invalidated=gone,
        dialect=dialect,
    )
    return found
