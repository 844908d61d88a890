"""How many statements are sent: nobody may ask more because there is more."""

import contextlib

from sqlalchemy import event


@contextlib.contextmanager
def statements(ledger, *, written=False):
    """What is read during the block (`written`: by whoever may write), as it is sent."""
    sent = []

    def note(_connection, _cursor, statement, *_):
        sent.append(statement)

    engines = ledger.writing_engines if written else (ledger.reading_engine,)
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)
