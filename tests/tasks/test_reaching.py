"""Reaching a source with what is stored of it: a login of its own, which is thrown away."""

import pytest

from clients.errors import AuthFailed
from db import sources
from db.models import Source
from tasks import reaching
from tasks.providers import Looks
from tests.world import World


def test_it_logs_in_and_stores_nothing(world: World) -> None:
    """What the workers hold is left alone."""
    with world.reading() as session:
        source = session.get_one(Source, world.source_id)
    provider, connection = reaching.reach(world.runtime(), source)
    assert provider.name == "bemserver"
    assert isinstance(connection, Looks)
    with world.reading() as session:
        assert sources.tokens(session, world.source_id, world.vault) is None


def test_a_wrong_password_is_an_error(world: World) -> None:
    """Also while the workers' own login still works."""
    world.work()
    with world.ledger.write() as session:
        source = session.get_one(Source, world.source_id)
        source.credentials_cipher = world.vault.encrypt('{"password": "wrong"}')
    with pytest.raises(AuthFailed):
        reaching.reach(world.runtime(), source)
