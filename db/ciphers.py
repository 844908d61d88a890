"""Which columns hold secrets: whatever re-encrypts, restores or shows rows goes through this list.

A test compares it with the models, so a new column of a secret is not forgotten.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlmodel import SQLModel

from db.models import Source, User
from db.models_pages import Channel
from db.vault import Vault, VaultError


@dataclass(frozen=True, slots=True)
class Cipher:
    """A column with a secret, and the one with its keyed hash where it is looked up by that."""

    column: str
    hashed: str | None = None


# In the order in which they are rotated.
OF: dict[type[SQLModel], tuple[Cipher, ...]] = {
    User: (Cipher("token_cipher", "token_hash"), Cipher("hook_cipher", "hook_hash")),
    Source: (Cipher("credentials_cipher"), Cipher("session_cipher")),
    Channel: (Cipher("url_cipher", "url_hash"),),
}


def columns(table: str) -> frozenset[str]:
    """The columns of a table that hold a secret or its hash; nobody is shown them."""
    return frozenset(
        name
        for model, ciphers in OF.items()
        if model.__tablename__ == table
        for cipher in ciphers
        for name in (cipher.column, cipher.hashed)
        if name is not None
    )


def whose(row: SQLModel) -> str:
    """How a row with secrets is named to people."""
    if isinstance(row, User):
        return f"user {row.username}"
    if isinstance(row, Source):
        return f"source {row.name}"
    return f"channel {row.id} ({row.name})" if isinstance(row, Channel) else repr(row)


def held(row: SQLModel) -> Iterator[tuple[Cipher, str]]:
    """Each secret that this row has, with its cipher text."""
    for cipher in OF[type(row)]:
        stored = getattr(row, cipher.column)
        if stored is not None:
            yield cipher, stored


def key_of(cipher_text: str, ring: Sequence[Vault]) -> int | None:
    """The place of the key in the ring that reads this (0: the first), None for none of them."""
    for place, vault in enumerate(ring):
        try:
            vault.decrypt(cipher_text)
        except VaultError:
            continue
        return place
    return None
