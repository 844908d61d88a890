"""Everything about one person as one JSON document, written row by row.

However much it is, no more than some rows of it are in memory.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Row, select

from db import ciphers, persons, snapshots
from db.engine import Ledger
from db.metadata import METADATA
from db.models import User

AT_ONCE = 200  # rows
LEFT_OUT = (
    "tokens, passwords, keys and the addresses of channels are stored encrypted and left out: they "
    "are yours already"
)


def tables() -> list[str]:
    """The tables of which a person gets their rows, in the order in which they come."""
    return [name for name in reversed(persons.OF) if name not in persons.HOUSE]


def document(ledger: Ledger, user: User, *, version: str) -> Iterator[str]:
    """The pieces of it: `waggle`, `person`, `left_out`, and a list of rows for each table.

    Secrets and their hashes are left out. `version` is that of the program.
    """
    with snapshots.take(ledger) as connection:
        yield from _pieces(connection, user, version)


def _pieces(connection: Connection, user: User, version: str) -> Iterator[str]:
    heading = {"waggle": version, "person": user.username, "left_out": LEFT_OUT}
    yield "{\n" + ",\n".join(f"  {_said(name)}: {_said(what)}" for name, what in heading.items())
    for name in tables():
        yield f",\n  {_said(name)}: ["
        before = "\n    "
        for row in _rows(connection, user, name):
            yield before + _said(row)
            before = ",\n    "
        yield "]" if before == "\n    " else "\n  ]"
    yield "\n}\n"


def _rows(connection: Connection, user: User, name: str) -> Iterator[Mapping[str, Any]]:
    table = METADATA.tables[name]
    shown = [column for column in table.columns if column.name not in ciphers.columns(name)]
    asked = select(*shown).where(persons.OF[name](user)).order_by(*table.primary_key)
    row: Row[Any]
    for row in connection.execute(asked, execution_options={"yield_per": AT_ONCE}):
        yield dict(row._mapping)  # noqa: SLF001 -- SQLAlchemy's public name


def _said(what: object) -> str:
    return json.dumps(what, ensure_ascii=False)
