"""How many statements are sent: nobody may ask more because there is more."""

import contextlib

from sqlalchemy import event


@contextlib.contextmanager
def listening(engines, hear):
    """Call `hear` with each statement that these engines send in the block, its values, and by
    which connection.
    """

    def note(connection, _cursor, statement, given, *_):
        hear(statement, given, connection)

    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)


@contextlib.contextmanager
def statements(ledger, *, written=False):
    """What is read during the block (`written`: by whoever may write), as it is sent."""
    sent = []
    engines = ledger.writing_engines if written else (ledger.reading_engine,)
    with listening(engines, lambda statement, *_: sent.append(statement)):
        yield sent


@contextlib.contextmanager
def all_statements(ledger):
    """What anybody asks during the block, whether he may write or not, as it is sent."""
    sent = []
    # What reads in PostgreSQL is heard at the engine that writes: it lends its connections.
    engines = ledger.writing_engines
    if ledger.is_sqlite:
        engines += (ledger.reading_engine,)
    with listening(engines, lambda statement, *_: sent.append(statement)):
        yield sent
