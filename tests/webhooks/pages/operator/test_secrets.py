"""Canaries in every column and field that holds a secret: no page and no table sings of them."""

import re

import pytest
from sqlalchemy import inspect, text
from sqlmodel import SQLModel, select

from db import deeds, inbox
from db.models import Event, LoginLink
from db.models_limits import Quota
from db.models_notebook import Validator
from db.models_pages import Channel, Errand
from db.states import EventKind
from tests.db.counting import statements

CANARY = "canary-in-a-mine"
PAGES = (
    "/", "/events", "/runs", "/feeds/alice/energy", "/operator", "/operator/figures",
    "/operator/inbox", "/operator/outbox", "/operator/outbox?state=held", "/operator/gates",
    "/operator/gates?all=yes", "/operator/workers", "/operator/people", "/operator/people/1",
    "/operator/log", "/operator/tables/",
)  # fmt: skip


@pytest.fixture
def canaries(serving, house):
    """One in each secret column of each table, in keys of gates, and in what events carry."""
    with serving.ledger.write() as session:
        session.add(Channel(user_id=1, name="email", url_cipher="x", url_hash="x"))
        session.add(Errand(id="e1", kind="k", key="k1", user_id=1, params={"password": CANARY}))
        session.add(LoginLink(secret_hash="x", username="", expires_at=0))
        session.add(Validator(source_id=1, url=f"https://x?key={CANARY}"))
        inbox.store(
            session,
            [
                inbox.NewEvent(
                    kind=EventKind.DEAUTHORIZED,
                    payload={"token_hashes": [CANARY]},
                    received_at=house.now,
                    user_id=1,
                )
            ],
        )
        deeds.record(
            session,
            at=house.now,
            actor="alice",
            as_operator=False,
            user_id=1,
            action="a",
            subject="s",
            details={"secret": CANARY},
        )
        session.flush()
        planted = 0
        for table in SQLModel.metadata.tables.values():
            for column in table.columns:
                if column.name.endswith(("_cipher", "_hash")) or column.name == "quota_key":
                    session.connection().execute(
                        text(f"UPDATE \"{table.name}\" SET {column.name} = '{CANARY}' || rowid")  # noqa: S608 -- names of our tables
                    )
                    planted += 1
        for row in session.exec(select(Quota)):
            row.key = f"{CANARY}{row.key}"
    assert planted > 10
    return house


def test_no_page_and_no_table_shows_one(operator, canaries):
    """Every page, every list, every row and every event, for the one who sees most."""
    seen = list(PAGES)
    for name in re.findall(
        r"(/operator/tables/[\w-]+/list)", operator.get("/operator/tables/").text
    ):
        seen.append(name)
        rows = operator.get(name).text
        seen += re.findall(r'href="(/operator/tables/[\w-]+/details/[^"]+)"', rows)
    seen += [f"/events/{event}" for event in canaries.events()]
    gate = re.search(r'href="(/operator/gates/open[^"]+)"', operator.get("/operator/gates").text)
    seen.append(gate[1])

    for path in seen:
        page = operator.get(path)
        assert page.status_code == 200, path
        assert CANARY not in page.text, path
    assert len(seen) > 40


def test_secret_columns_are_not_even_read(operator, canaries, serving):
    """What is not asked for can't slip out by a mistake of a template."""
    with statements(serving.ledger) as sent:
        operator.get("/operator/tables/user/list")
        operator.get("/operator/tables/user/details/1")
        operator.get("/operator/tables/source/details/1")
    asked = [one for one in sent if re.search(r'FROM "?(?:user|source)\b', one)]
    secret = re.compile(r"token_hash|token_cipher|hook_cipher|credentials_cipher|session_cipher")
    assert len(asked) >= 3
    assert not [one for one in asked if secret.search(one)]


def test_every_table_of_the_models_is_known_here():
    """A new column of a secret has to end in one of these words, or say so here."""
    suspects = {
        f"{table.name}.{column.name}"
        for table in SQLModel.metadata.tables.values()
        for column in table.columns
        if re.search(r"token|secret|key|credential|hash|cipher|passw", column.name)
        and not column.name.endswith(("_cipher", "_hash"))
    }
    assert suspects == {
        "alert.key", "errand.key", "message.key", "notice.key", "quota.key",
        "source.key_ends_at",
        "source.quota_key", "source.token_version", "user.token_kind", "user.token_version",
    }  # fmt: skip
    assert "payload" in {column.key for column in inspect(Event).columns}
