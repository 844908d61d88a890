"""Channels: a person's own, encrypted, each address once."""

import pytest
from cryptography.fernet import Fernet

from db import channels, rotation
from db.engine import Ledger
from db.models import User
from db.models_pages import Channel
from db.states import ChannelState
from db.vault import Vault

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
URL = "ntfy://canary"


@pytest.fixture(autouse=True)
def _people(ledger: Ledger) -> None:
    with ledger.write() as session:
        session.add_all([User(id=1, username="alice"), User(id=2, username="bob")])


def add(ledger: Ledger, *, vault: Vault, user_id: int = 1, url: str = URL) -> int | None:
    """Add a channel; its id, None if it was there."""
    with ledger.write() as session:
        made = channels.add(session, vault, user_id=user_id, name="ntfy", url=url, now=5.0)
        return None if made is None else made.id


def test_an_address_is_there_once_for_each_person(ledger: Ledger) -> None:
    """Also after the key has changed, under which it was written."""
    first = add(ledger, vault=Vault([OLD]))
    assert first is not None
    assert add(ledger, vault=Vault([NEW, OLD])) is None
    assert add(ledger, vault=Vault([NEW, OLD]), user_id=2) is not None
    with ledger.read() as session:
        found = session.get_one(Channel, first)
        assert channels.find(session, first, user_id=2) is None
        assert channels.find(session, first, user_id=1) is not None
    assert "canary" not in f"{found!r}"


def test_addresses_are_rotated_with_the_keys(ledger: Ledger) -> None:
    """Then the old key can go."""
    first = add(ledger, vault=Vault([OLD]))
    assert rotation.run(ledger, [NEW, OLD]).count == 1
    with ledger.read() as session:
        assert Vault([NEW]).decrypt(session.get_one(Channel, first).url_cipher) == URL
    assert add(ledger, vault=Vault([NEW])) is None


def test_trouble_is_shown_until_something_arrives(ledger: Ledger) -> None:
    """A failed try is no failing channel before it is given up."""
    channel_id = add(ledger, vault=Vault([OLD])) or 0
    for given_up, state in ((False, ChannelState.ACTIVE), (True, ChannelState.FAILING)):
        with ledger.write() as session:
            channels.in_trouble(session, channel_id, "error=403", given_up=given_up)
        with ledger.read() as session:
            assert session.get_one(Channel, channel_id).state == state
    with ledger.write() as session:
        channels.told(session, channel_id, 9.0)
    with ledger.read() as session:
        found = session.get_one(Channel, channel_id)
    assert (found.state, found.last_error, found.told_at) == (ChannelState.ACTIVE, None, 9.0)
