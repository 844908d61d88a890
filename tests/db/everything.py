"""A row in every table, with something in every column: nothing can be forgotten unseen."""

from typing import Any

from sqlalchemy import JSON, Boolean, Column, Float, Integer, Table, insert, select
from sqlmodel import Session

from db import ciphers, restoring
from db.metadata import METADATA
from db.vault import Vault

FACTS = {"state": "active", "daystamp": "20261120", "due_at": 5.0}


def fill(session: Session, vault: Vault, *, word: str = "canary", number: int = 1) -> None:
    """One more row in each table, tied to those of the same `number`; texts hold `word`."""
    for table in METADATA.sorted_tables:
        row = {column.name: _value(table, column, word, number) for column in table.columns}
        for model, secrets in ciphers.OF.items():
            if model.__tablename__ == table.name:
                for cipher in secrets:
                    secret = f"{word} {cipher.column} {number}"
                    row[cipher.column] = vault.encrypt(secret)
                    if cipher.hashed:
                        row[cipher.hashed] = vault.fingerprint(secret)
        session.connection().execute(insert(table).values(row))
    restoring.number_on(session.connection())


def _value(table: Table, column: Column[Any], word: str, number: int) -> object:
    if column.foreign_keys:
        return _id(next(iter(column.foreign_keys)).column.table, number)
    if column.name == "id" or column.name in ("user_id", "goal_id"):
        return _id(table, number) if column.name == "id" else number
    if isinstance(column.type, JSON):
        return {"word": word, "number": number, "none": None, "more": [1.5, "ä"]}
    for kind, value in ((Boolean, True), (Integer, number), (Float, 0.1 + number)):
        if isinstance(column.type, kind):
            return value
    return FACTS.get(column.name, f"{word}-{table.name}-{column.name}-{number}")


def _id(table: Table, number: int) -> int | str:
    return number if isinstance(table.columns["id"].type, Integer) else f"{table.name}-{number}"


def rows(session: Session, *without: str) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table but these, in the order of its key."""
    return {
        table.name: [
            dict(row)
            for row in session.connection()
            .execute(select(table).order_by(*table.primary_key.columns))
            .mappings()
        ]
        for table in METADATA.sorted_tables
        if table.name not in without
    }
