"""Re-encrypting every stored secret under the first key of the ring, so that old ones can go."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlmodel import Session, select

from db.models import Source, User
from db.models_pages import Channel
from db.vault import Vault, VaultError


@dataclass(slots=True)
class Rotated:
    """How many secrets are under the first key now, and whose can't be read with any key."""

    count: int = 0
    unreadable: list[str] = field(default_factory=list)


def rotate(session: Session, vault: Vault) -> Rotated:
    """Rewrite ciphers and keyed hashes of all users, sources and channels.

    What can't be read is left as it is: with its key put back it can be rotated later.
    """
    done = Rotated()
    for user in session.exec(select(User).with_for_update()):
        with _readable(done, f"user {user.username}"):
            if user.token_cipher is not None:
                user.token_hash = vault.fingerprint(vault.decrypt(user.token_cipher))
                user.token_cipher = vault.rotate(user.token_cipher)
                done.count += 1
            if user.hook_cipher is not None:
                user.hook_hash = vault.fingerprint(vault.decrypt(user.hook_cipher))
                user.hook_cipher = vault.rotate(user.hook_cipher)
                done.count += 1
        session.add(user)
    for source in session.exec(select(Source).with_for_update()):
        with _readable(done, f"source {source.name}"):
            if source.credentials_cipher is not None:
                source.credentials_cipher = vault.rotate(source.credentials_cipher)
                done.count += 1
            if source.session_cipher is not None:
                source.session_cipher = vault.rotate(source.session_cipher)
                done.count += 1
        session.add(source)
    for channel in session.exec(select(Channel).with_for_update()):
        with _readable(done, f"channel {channel.id} ({channel.name})"):
            channel.url_hash = vault.fingerprint(vault.decrypt(channel.url_cipher))
            channel.url_cipher = vault.rotate(channel.url_cipher)
            done.count += 1
        session.add(channel)
    session.flush()
    return done


@contextlib.contextmanager
def _readable(done: Rotated, whose: str) -> Iterator[None]:
    try:
        yield
    except VaultError:
        done.unreadable.append(whose)
