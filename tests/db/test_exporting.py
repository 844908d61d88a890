"""A person's data in a file: all that is theirs, nothing of others, and no secret."""

import itertools
import json

import pytest
from sqlmodel import select

from db import ciphers, exporting, persons
from db.engine import Ledger
from db.models import User
from tests.db.test_persons import MINE, THEIRS, person, two

__all__ = ["two"]  # the fixture


def test_everything_is_exported_but_secrets(two: Ledger) -> None:
    """Each table that has rows of theirs, none of anybody else, no cipher and no keyed hash."""
    with two.read() as session:
        text = "".join(exporting.document(two, person(session), version="1"))
        counts = persons.counts(session, person(session))
        for model in ciphers.OF:
            for row in session.exec(select(model)):
                for _, stored in ciphers.held(row):
                    assert stored not in text
    found = json.loads(text)
    assert (found.pop("waggle"), found.pop("person")) == ("1", f"{MINE}-user-username-1")
    assert "left out" in found.pop("left_out")
    assert {name: len(rows) for name, rows in found.items()} == {
        name: counts[name] for name in found
    }
    assert all(found.values())
    assert THEIRS not in text
    assert f"{MINE}-datapoint-comment-1" in text


def test_somebody_without_anything_gets_a_document(ledger: Ledger) -> None:
    """Empty lists, and the one row that there is."""
    with ledger.write() as session:
        session.add(User(username="alice"))
    with ledger.read() as session:
        user = session.exec(select(User)).one()
    found = json.loads("".join(exporting.document(ledger, user, version="1")))
    assert [row["username"] for row in found["user"]] == ["alice"]
    assert found["feed"] == []


@pytest.mark.parametrize("taken", [1, 40])
def test_what_nobody_takes_is_not_read(two: Ledger, taken: int) -> None:
    """A piece for each row: whoever stops in the middle leaves nothing open behind."""
    with two.read() as session:
        user = person(session)
    pieces = exporting.document(two, user, version="1")
    assert len(list(itertools.islice(pieces, taken))) == taken
    pieces.close()  # type: ignore[attr-defined] # it is a generator
    with two.write() as session:
        persons.remove(session, person(session))
