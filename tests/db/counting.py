"""How many statements a read sends: a page may not ask more because there is more."""

import contextlib

from sqlalchemy import event


@contextlib.contextmanager
def statements(ledger):
    """What is read during the block, as it is sent."""
    sent = []

    def note(_connection, _cursor, statement, *_):
        sent.append(statement)

    event.listen(ledger.reading_engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(ledger.reading_engine, "before_cursor_execute", note)
