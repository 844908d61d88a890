"""Sources of forms in the ledger: stored like those of a file, and each beside the others."""

import pytest
from sqlmodel import select

from db import sources
from db.models import Feed, Source, User
from db.states import FeedState
from tasks import declare, declare_file, declare_forms, providers
from tasks.declare_forms import Saved
from tasks.declare_sources import Addresses
from tests.tasks.scenes import change_feed
from tests.world import PASSWORD, World

GOOD = {"url": "https://bem.example.org/api/v0", "email": "a@example.org", "password": "canary-1"}


def save(world: World, given: dict, *, name="roof", by_operator=False, row=None, **more):
    """Store what a form says."""
    allowed = Addresses(private=by_operator, loopback=by_operator)
    with world.ledger.write() as session:
        return declare_forms.save(
            session,
            world.vault,
            providers.table()["bemserver"],
            given,
            owner=session.get_one(User, world.user_id),
            name=name,
            row=None if row is None else session.get_one(Source, row),
            addresses=allowed,
            by_operator=by_operator,
            now=world.clock.at,
            **more,
        )


def stored(world: World, source_id: int) -> Source:
    """A source as it stands."""
    with world.reading() as session:
        return session.get_one(Source, source_id)


def test_a_new_source_is_there(world: World) -> None:
    """With its secrets encrypted, and called at public addresses only."""
    found = save(world, GOOD)
    assert isinstance(found, Saved)
    row = stored(world, found.source_id)
    assert (row.name, row.settings["email"], row.public_only) == ("roof", "a@example.org", True)
    assert "canary" not in f"{row.credentials_cipher}{row.settings}"
    assert sources.credentials(row, world.vault) == {"password": "canary-1"}


def test_a_name_that_is_taken_is_a_mistake(world: World) -> None:
    """Nothing of the one that has it is changed."""
    assert set(save(world, GOOD, name="plant")) == {"name"}
    assert stored(world, world.source_id).settings["email"] == "alice@example.org"


def test_mistakes_store_nothing(world: World) -> None:
    """Not even a part."""
    assert set(save(world, GOOD | {"url": "http://127.0.0.1:1/api/v0"})) == {"url"}
    with world.reading() as session:
        assert [row.name for row in session.exec(select(Source))] == ["plant"]


def test_other_credentials_wake_what_had_failed(world: World) -> None:
    """As after `waggle apply`; what was not typed stays, and an operator's address stays so."""
    change_feed(world, state=FeedState.FAILING, reason="auth_failed", attempts=3)
    given = {"url": world.bemserver_server.url, "email": "alice@example.org"}
    found = save(
        world, given | {"password": "canary-2"}, name="plant", row=world.source_id, by_operator=True
    )
    assert isinstance(found, Saved)
    assert found.details == ("password",)
    assert world.feed().state == FeedState.ACTIVE
    row = stored(world, world.source_id)
    assert (row.public_only, row.token_version) == (False, 1)
    again = save(world, given, name="plant", row=world.source_id, by_operator=True)
    assert isinstance(again, Saved)
    assert again.details == ()
    assert sources.credentials(stored(world, world.source_id), world.vault) == {
        "password": "canary-2"
    }


@pytest.mark.parametrize("prune", [False, True])
def test_a_file_that_does_not_name_it_leaves_it_alone(world: World, prune: bool) -> None:  # noqa: FBT001 -- a case
    """Sources stay whatever the file says; feeds stop only where pruning is asked for."""
    found = save(world, GOOD)
    assert isinstance(found, Saved)
    with world.ledger.write() as session:
        session.get_one(Feed, world.feed_id).source_id = found.source_id
    declaration = declare_file.parse(
        '[users.alice]\ntoken = "x-token"\n',
        file="f",
        env={},
        providers=providers.table(),
        addresses=Addresses(),
        now=world.clock.at,
    )
    applied = declare.apply(world.ledger, world.vault, declaration, now=world.clock.at, prune=prune)
    assert stored(world, found.source_id).name == "roof"
    assert applied.unlisted == (() if prune else ("alice/energy",))
    assert world.feed().state == (FeedState.STOPPED if prune else FeedState.ACTIVE)


def test_a_file_that_names_it_makes_it_the_operators(world: World) -> None:
    """Its address stands in the file then: whoever wrote that may name this machine."""
    found = save(world, GOOD)
    assert isinstance(found, Saved)
    declaration = declare_file.parse(
        f"""[users.alice]
token = "x-token"
[sources.roof]
provider = "bemserver"
user = "alice"
url = "{world.bemserver_server.url}"
email = "alice@example.org"
password = "{PASSWORD}"
""",
        file="f",
        env={},
        providers=providers.table(),
        addresses=Addresses(loopback=True),
        now=world.clock.at,
    )
    declare.apply(world.ledger, world.vault, declaration, now=world.clock.at)
    assert stored(world, found.source_id).public_only is False
