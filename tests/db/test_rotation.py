"""Promises of a key rotation: afterwards the old key may go, and nothing was lost."""

import pytest
from cryptography.fernet import Fernet
from sqlmodel import select

from db import people, rotation, sources
from db.models import Source, User
from db.vault import Vault, VaultError
from tests.world import KEY, TOKEN

NEW = Fernet.generate_key().decode()


def rotate(world):
    """Rotate to the new key in front of the old."""
    with world.ledger.write() as session:
        return rotation.rotate(session, Vault([NEW, KEY]))


def rows(world):
    """The user and the source."""
    with world.ledger.read() as session:
        return session.exec(select(User)).one(), session.exec(select(Source)).one()


def test_the_old_key_is_not_needed_any_more(world):
    """Token, hook, credentials and session are read with the new key alone."""
    with world.ledger.write() as session:
        user, source = session.exec(select(User)).one(), session.exec(select(Source)).one()
        user.hook_cipher, user.hook_hash = world.vault.encrypt("h"), world.vault.fingerprint("h")
        source.session_cipher = world.vault.encrypt('{"access": "a", "refresh": "r"}')
        session.add_all((user, source))
    done = rotate(world)
    assert (done.count, done.unreadable) == (4, [])
    alone = Vault([NEW])
    user, source = rows(world)
    assert (alone.decrypt(user.token_cipher), alone.decrypt(user.hook_cipher)) == (TOKEN, "h")
    assert set(sources.credentials(source, alone)) == {"password"}
    with world.ledger.read() as session:
        assert people.user_with_token(session, alone.fingerprints(TOKEN)) is not None
        assert people.user_with_hook(session, alone.fingerprints("h")) == user.id
        assert sources.tokens(session, source.id, alone).access == "a"
    with pytest.raises(VaultError):
        world.vault.decrypt(user.token_cipher)


def test_rotating_twice_is_harmless(world):
    """The second time everything is read and written again."""
    rotate(world)
    assert rotate(world).unreadable == []
    assert Vault([NEW]).decrypt(rows(world)[0].token_cipher) == TOKEN


def test_what_no_key_reads_is_named_and_left_alone(world):
    """It can be rotated when its key is put back; the others are done."""
    lost = Vault([Fernet.generate_key().decode()]).encrypt("{}")
    with world.ledger.write() as session:
        source = session.exec(select(Source)).one()
        source.credentials_cipher = lost
        session.add(source)
    done = rotate(world)
    assert (done.count, done.unreadable) == (1, ["source plant"])
    assert rows(world)[1].credentials_cipher == lost
