"""Re-encrypting every stored secret under the first key of the ring, so that old ones can go.

It goes in small transactions, each of whole rows: a row that was rotated is readable by whoever has
the new key, and one that was not by whoever has the old one. So a rotation that was killed is begun
again and passes over what is done, and nobody waits for it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import func
from sqlmodel import Session, SQLModel, col, select

from db import ciphers
from db.engine import Ledger
from db.models import Event, User
from db.models_pages import Channel
from db.states import EventKind, EventState
from db.vault import Vault, VaultError

BATCH = 50  # rows of one transaction: some milliseconds

Progress = Callable[[int, int], object]  # (rows that were looked at, rows there are)


@dataclass(slots=True)
class Rotated:
    """How many secrets were rewritten, how many were under the first key already, and whose can't
    be read with any key.
    """

    count: int = 0
    done_before: int = 0
    unreadable: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Standing:
    """How many secrets each key of the ring reads, in its order; whose none of them reads."""

    by_key: list[int]
    unreadable: list[str] = field(default_factory=list)


def run(
    ledger: Ledger, keys: Sequence[str], *, progress: Progress = lambda _done, _all: None
) -> Rotated:
    """Rewrite ciphers and keyed hashes of every row that has one.

    What can't be read is left as it is: with its key put back it can be rotated later.
    """
    done, looked = Rotated(), 0
    with ledger.read() as session:
        there = sum(session.exec(select(func.count()).select_from(one)).one() for one in ciphers.OF)
    for model in ciphers.OF:
        after = 0
        while True:
            with ledger.write() as session:
                rows = batch(session, model, after)
                for row in rows:
                    rotate(session, row, keys, done)
                session.flush()
            if not rows:
                break
            after = rows[-1].id  # type: ignore[attr-defined]  # each of them has one
            looked += len(rows)
            progress(min(looked, there), there)
    return done


def standing(session: Session, keys: Sequence[str]) -> Standing:
    """Which keys of the ring are still needed."""
    ring = [Vault([key]) for key in keys]
    found = Standing([0] * len(ring))
    for model in ciphers.OF:
        for row in session.exec(select(model)):
            for _, stored in ciphers.held(row):
                place = ciphers.key_of(stored, ring)
                if place is not None:
                    found.by_key[place] += 1
                elif ciphers.whose(row) not in found.unreadable:
                    found.unreadable.append(ciphers.whose(row))
    return found


def batch(session: Session, model: type[SQLModel], after: int) -> Sequence[SQLModel]:
    """The next rows behind this id; locked, so that a login that is being renewed is not lost."""
    key = col(model.id)  # type: ignore[attr-defined]  # each of them has one
    return session.exec(
        select(model).where(key > after).order_by(key).limit(BATCH).with_for_update()
    ).all()


def rotate(session: Session, row: SQLModel, keys: Sequence[str], done: Rotated) -> None:
    """Rewrite the secrets of one row under the first key."""
    vault, first = Vault(keys), Vault(keys[:1])
    for cipher, stored in ciphers.held(row):
        try:
            secret = vault.decrypt(stored)
        except VaultError:
            if ciphers.whose(row) not in done.unreadable:
                done.unreadable.append(ciphers.whose(row))
            continue
        hashed = None if cipher.hashed is None else vault.fingerprint(secret)
        is_first = ciphers.key_of(stored, [first]) is not None
        if is_first and (cipher.hashed is None or getattr(row, cipher.hashed) == hashed):
            done.done_before += 1
            continue
        if isinstance(row, Channel) and _is_there_already(session, row, hashed):
            session.delete(row)  # the same address, added under the other key meanwhile
            return
        if isinstance(row, User) and cipher.hashed == "token_hash":
            _announce(session, row.token_hash, hashed)
        if cipher.hashed is not None:
            setattr(row, cipher.hashed, hashed)
        setattr(row, cipher.column, vault.rotate(stored))
        session.add(row)
        done.count += 1


def _is_there_already(session: Session, row: Channel, hashed: str | None) -> bool:
    theirs = select(Channel).where(
        col(Channel.user_id) == row.user_id,
        col(Channel.url_hash) == hashed,
        col(Channel.id) != row.id,
    )
    return session.exec(theirs).first() is not None


def _announce(session: Session, before: str | None, after: str | None) -> None:
    """De-authorizations that wait name the token by the hashes that were known when they came."""
    waiting = session.exec(
        select(Event).where(
            col(Event.kind) == EventKind.DEAUTHORIZED, col(Event.state) == EventState.RECEIVED
        )
    )
    for event in waiting:
        known = event.payload.get("token_hashes", [])
        if before in known and after not in known:
            event.payload = event.payload | {"token_hashes": [*known, after]}
            session.add(event)
