"""Re-encrypting every stored secret under the first key of the ring, so that old ones can go."""

from dataclasses import dataclass, field

from sqlmodel import Session, select

from db.models import Source, User
from db.vault import Vault, VaultError


@dataclass(slots=True)
class Rotated:
    """How many secrets are under the first key now, and whose can't be read with any key."""

    count: int = 0
    unreadable: list[str] = field(default_factory=list)


def rotate(session: Session, vault: Vault) -> Rotated:
    """Rewrite ciphers and keyed hashes of all users and sources.

    What can't be read is left as it is: with its key put back it can be rotated later.
    """
    done = Rotated()
    for user in session.exec(select(User).with_for_update()):
        try:
            if user.token_cipher is not None:
                user.token_hash = vault.fingerprint(vault.decrypt(user.token_cipher))
                user.token_cipher = vault.rotate(user.token_cipher)
                done.count += 1
            if user.hook_cipher is not None:
                user.hook_hash = vault.fingerprint(vault.decrypt(user.hook_cipher))
                user.hook_cipher = vault.rotate(user.hook_cipher)
                done.count += 1
        except VaultError:
            done.unreadable.append(f"user {user.username}")
        session.add(user)
    for source in session.exec(select(Source).with_for_update()):
        try:
            if source.credentials_cipher is not None:
                source.credentials_cipher = vault.rotate(source.credentials_cipher)
                done.count += 1
            if source.session_cipher is not None:
                source.session_cipher = vault.rotate(source.session_cipher)
                done.count += 1
        except VaultError:
            done.unreadable.append(f"source {source.name}")
        session.add(source)
    session.flush()
    return done
