"""Promises of a key rotation: afterwards the old key may go, and nothing was lost."""

import pytest
from cryptography.fernet import Fernet
from sqlmodel import Session, select

from db import channels, ciphers, inbox, people, rotation, sources
from db.models import Source, User
from db.models_pages import Channel
from db.states import EventKind
from db.vault import Vault, VaultError
from tests.world import KEY, TOKEN, CrashError, World

NEW = Fernet.generate_key().decode()
RING = (NEW, KEY)
MANY = 7


def rotate(world: World, **more: object) -> rotation.Rotated:
    """Rotate to the new key in front of the old."""
    return rotation.run(world.ledger, RING, **more)


def rows(world: World) -> tuple[User, Source]:
    """The user and the source."""
    with world.ledger.read() as session:
        return session.exec(select(User)).one(), session.exec(select(Source)).one()


def every_secret(session: Session) -> int:
    """Give rows one secret more wherever they can have one; returns how many there are."""
    count = 0
    for model in ciphers.OF:
        for row in session.exec(select(model)):
            for cipher in ciphers.OF[model]:
                secret = f"canary {cipher.column} {row.id}"
                setattr(row, cipher.column, Vault([KEY]).encrypt(secret))
                if cipher.hashed:
                    setattr(row, cipher.hashed, Vault([KEY]).fingerprint(secret))
                count += 1
            session.add(row)
    return count


def crowd(world: World) -> int:
    """Many people, sources and channels with every kind of secret; returns how many secrets."""
    with world.ledger.write() as session:
        for number in range(MANY):
            session.add(User(username=f"p{number}"))
        session.flush()
        for user in session.exec(select(User).where(User.username != "alice")).all():
            session.add(Source(user_id=user.id, name="s", provider="bime"))
            session.add(Channel(user_id=user.id, name="n", url_cipher="", url_hash=str(user.id)))
        session.flush()
        return every_secret(session)


def under(world: World, *keys: str) -> list[int]:
    """How many secrets each of these keys reads."""
    with world.ledger.read() as session:
        return rotation.standing(session, keys).by_key


def test_the_old_key_is_not_needed_any_more(world: World) -> None:
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


def test_every_column_of_a_secret_is_rotated(world: World) -> None:
    """Whatever kind of secret there is, none is left under the old key."""
    with world.ledger.write() as session:
        channels.add(session, world.vault, user_id=world.user_id, name="n", url="u", now=0)
        count = every_secret(session)
    assert rotate(world).count == count
    assert under(world, NEW, KEY) == [count, 0]


def test_rotating_twice_is_harmless(world: World) -> None:
    """The second time nothing is written."""
    count = rotate(world).count
    before = rows(world)[0].token_cipher
    done = rotate(world)
    assert (done.count, done.done_before, done.unreadable) == (0, count, [])
    assert rows(world)[0].token_cipher == before
    assert Vault([NEW]).decrypt(before) == TOKEN


def test_a_killed_rotation_goes_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after any batch: each secret is readable and found, and the next one ends it."""
    monkeypatch.setattr(rotation, "BATCH", 2)
    count = crowd(world)
    for kills in range(100):

        def kill(done: int, _all: int, at: int = kills) -> None:
            if done > at * rotation.BATCH:
                raise CrashError

        try:
            done = rotate(world, progress=kill)
        except CrashError:
            assert sum(under(world, *RING)) == count
            with world.ledger.read() as session:
                found = people.user_with_token(
                    session, Vault(RING).fingerprints(f"canary token_cipher {world.user_id}")
                )
                assert found is not None
        else:
            break
    assert kills > 5
    assert (done.done_before, done.unreadable) == (count, [])
    assert under(world, *RING) == [count, 0]


def test_a_process_with_the_old_key_only_meanwhile(world: World) -> None:
    """What it stores after the rotation has passed is found by the status, and by another run."""
    rotate(world)
    with world.ledger.write() as session:
        user = session.exec(select(User)).one()
        people.set_token(user, world.vault, token="newer", kind="oauth")
        session.add(user)
    assert under(world, *RING) == [1, 1]
    rotate(world)
    assert under(world, *RING) == [2, 0]
    with world.ledger.read() as session:
        assert people.user_with_token(session, Vault([NEW]).fingerprints("newer")) is not None


def test_a_channel_added_under_both_keys_is_one_afterwards(world: World) -> None:
    """A process that knew the old key only did not see that it was there."""
    with world.ledger.write() as session:
        for vault in (Vault([NEW]), Vault([KEY])):
            session.add(
                Channel(
                    user_id=world.user_id,
                    name="n",
                    url_cipher=vault.encrypt("json://x"),
                    url_hash=vault.fingerprint("json://x"),
                )
            )
    rotate(world)
    with world.ledger.read() as session:
        (channel,) = session.exec(select(Channel)).all()
    assert Vault([NEW]).decrypt(channel.url_cipher) == "json://x"


def test_a_deauthorization_that_waits_is_still_of_somebody(world: World) -> None:
    """It came in under the old key, and is worked on after the rotation."""
    hashes = Vault([KEY]).fingerprints(TOKEN)
    new = inbox.NewEvent(
        kind=EventKind.DEAUTHORIZED, payload={"token_hashes": hashes}, received_at=world.clock.at
    )
    with world.ledger.write() as session:
        inbox.store(session, [new])
    rotate(world)
    with world.ledger.read() as session:
        known = world.event(new.id).payload["token_hashes"]
        assert people.user_with_token(session, known) is not None


def test_what_no_key_reads_is_named_and_left_alone(world: World) -> None:
    """It can be rotated when its key is put back; the others are done."""
    lost = Vault([Fernet.generate_key().decode()]).encrypt("{}")
    with world.ledger.write() as session:
        source = session.exec(select(Source)).one()
        source.credentials_cipher = lost
        session.add(source)
    done = rotate(world)
    assert (done.count, done.unreadable) == (1, ["source plant"])
    assert rows(world)[1].credentials_cipher == lost
    with world.ledger.read() as session:
        assert rotation.standing(session, RING).unreadable == ["source plant"]
