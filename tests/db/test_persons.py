"""A person's data: all of it is shown to them, and not a byte of it is left when they go."""

import json
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import select as select_columns
from sqlalchemy import update
from sqlmodel import Session, select

from db import persons
from db.engine import Ledger
from db.metadata import METADATA
from db.models import Event, Feed, User
from db.models_limits import Breaker, Quota
from db.models_pages import Alert, Deed, Message
from db.vault import Vault
from tests.db import everything
from tests.tasks.scenes import die
from tests.world import KEY, World

MINE, THEIRS = "canary", "otherbird"
HOUSE = {"worker", "tally", "alert"}  # of the house, and nothing of anybody


@pytest.fixture
def two(ledger: Ledger) -> Ledger:
    """Two people with a row in each table, tied to them as Waggle ties them."""
    with ledger.write() as session:
        for number, word in ((1, MINE), (2, THEIRS)):
            everything.fill(session, Vault([KEY]), word=word, number=number)
            tie(session, word, number)
    return ledger


def tie(session: Session, word: str, number: int) -> None:
    """What has no foreign key is a person's by a name or an id within a text."""
    name = f"{word}-user-username-{number}"
    run = session.connection().execute
    run(
        update(Breaker)
        .where(Breaker.subject.contains(word))
        .values(subject=f"user:{number}", reason="r")
    )
    run(
        update(Quota)
        .where(Quota.key.contains(word))
        .values(key=f"{word}-source-quota_key-{number}", title="t")
    )
    table = METADATA.tables["login_link"]
    run(update(table).where(table.c.username.contains(word)).values(username=name))
    run(
        update(Alert)
        .where(Alert.key.contains(word))
        .values(key=f"k{number}", message=f"the link of {name} died")
    )
    run(
        update(Deed)
        .where(Deed.id == number)
        .values(actor="operator", as_operator=True, action="pause", request_id="r")
    )
    table = METADATA.tables["worker"]
    run(
        update(table)
        .where(table.c.name.contains(word))
        .values(name=f"w{number}", queues="q", version="v")
    )
    table = METADATA.tables["tally"]
    run(update(table).where(table.c.name.contains(word)).values(name=f"t{number}", outcome="o"))
    run(update(table).values(subject="vendor"))
    session.add(Deed(at=1.0, actor=name, user_id=number, action="pause", subject=f"{name}/g"))
    session.add(
        Deed(at=1.0, actor=name, as_operator=True, user_id=None, action="gates.open", subject="x")
    )
    session.add(
        Message(audience="operator:1", key=f"o{number}", topic="t", title=name, body=f"{name}/g")
    )
    session.add(
        Event(
            id=f"stray-{number}",
            kind="autofetch",
            payload={"username": name.upper(), "slug": f"{word}-x"},
        )
    )


def person(session: Session, number: int = 1) -> User:
    """One of the two."""
    return session.get_one(User, number)


def dumped(ledger: Ledger) -> str:
    """All rows of all tables as one text."""
    with ledger.read() as session:
        return json.dumps(everything.rows(session))


def test_every_table_is_somebodys_or_nobodys() -> None:
    """A new table fails here until it is said whose its rows are."""
    assert persons.OF.keys() == METADATA.tables.keys()


def test_not_a_byte_is_left(two: Ledger) -> None:
    """No name, address, slug, hash or text of theirs in any row; in SQLite none in the file."""
    assert MINE in dumped(two)
    with two.write() as session:
        gone = persons.remove(session, person(session))
    assert MINE not in dumped(two).lower()
    assert gone["user"] == 1
    assert [name for name in persons.OF if not gone[name] and name not in HOUSE] == []
    if two.is_sqlite:
        path = Path(two.url.database or "")
        two.close()
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert MINE.encode() not in path.read_bytes().lower()
        assert THEIRS.encode() in path.read_bytes()


def test_nobody_else_loses_anything(two: Ledger) -> None:
    """Each row of the other person is as it was."""

    def others() -> dict[str, list[dict[str, object]]]:
        with two.read() as session:
            user = person(session, 2)
            return {
                name: [
                    dict(row)
                    for row in session.connection()
                    .execute(
                        select_columns(METADATA.tables[name])
                        .where(whose(user))
                        .order_by(*METADATA.tables[name].primary_key)
                    )
                    .mappings()
                ]
                for name, whose in persons.OF.items()
            }

    before = others()
    with two.write() as session:
        persons.remove(session, person(session))
    assert others() == before
    assert THEIRS in dumped(two)


def test_the_log_keeps_what_an_operator_did_and_no_name(two: Ledger) -> None:
    """Who did it is kept, to whom is not; what they did as an operator stays, without them."""
    with two.write() as session:
        persons.remove(session, person(session))
    with two.read() as session:
        kept = session.exec(select(Deed).where(Deed.id == 1)).one()
        assert (kept.actor, kept.subject, kept.user_id, kept.details) == (
            "operator",
            persons.GONE,
            None,
            {},
        )
        theirs = session.exec(select(Deed).where(Deed.action == "gates.open")).all()
        assert sorted(deed.actor for deed in theirs) == [persons.GONE, f"{THEIRS}-user-username-2"]


def test_a_gate_that_others_share_stays_closed(two: Ledger) -> None:
    """An account of two people: what its vendor said is not forgotten when one of them leaves."""
    with two.write() as session:
        session.connection().execute(
            update(METADATA.tables["source"]).values(quota_key=f"{THEIRS}-source-quota_key-2")
        )
        persons.remove(session, person(session))
    with two.read() as session:
        assert session.get(Quota, f"{THEIRS}-source-quota_key-2") is not None


@pytest.mark.parametrize("step", ["claimed", "fetched", "recorded", "push.begun"])
def test_a_worker_that_is_late_brings_nothing_back(world: World, step: str) -> None:
    """The person goes while their feed is being synced: it ends, and there is no row of theirs."""

    def trace(name: str) -> None:
        if name == step:
            with world.ledger.write() as session:
                persons.remove(session, session.get_one(User, world.user_id))

    world.call_back()
    rt = world.runtime(trace=trace)
    assert not die(world, rt)
    with world.reading() as session:
        rows = everything.rows(session, "quota", "breaker")
    assert {name: found for name, found in rows.items() if found} == {}
    assert "alice" not in dumped(world.ledger)


def test_a_callback_that_is_late_brings_nothing_back(world: World) -> None:
    """It is answered as one for somebody who was never here."""
    with world.ledger.write() as session:
        persons.remove(session, session.get_one(User, world.user_id))
    event_id = world.call_back()
    world.work()
    assert world.event(event_id).error["code"] == "no_such_feed"
    with world.reading() as session:
        assert session.exec(select(User)).all() == []
        assert session.exec(select(Feed)).all() == []
