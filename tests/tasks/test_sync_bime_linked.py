"""A Bime source that is linked in the browser: before, while it lasts, and after."""

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from db import sources
from db.metadata import METADATA
from db.models import Feed, Source
from db.sources import SessionTokens
from tasks import connecting
from tests.tasks.bimed import Bimed
from tests.tasks.scenes import TODAY
from tests.world import NOON

REDIRECT = "https://waggle.example.org/bime/callback"
SECRET = "canary-app-secret"


@pytest.fixture
def house(world):
    with Bimed(world) as made:
        made.state.register_app(
            client_id="app-1", client_secret=SECRET, redirect_uri=REDIRECT, account="acme"
        )
        with world.ledger.write() as session:
            source = session.get_one(Source, made.source_id)
            source.settings = {
                "url": f"{made.server.url}/v2",
                "oauth_url": made.server.url,
                "client_id": "app-1",
            }
            source.credentials_cipher = world.vault.encrypt(f'{{"client_secret": "{SECRET}"}}')
            session.add(source)
        made.state.add("dashboards", at=NOON - 60)
        yield made


def link(house):
    """What the pages do: consent, exchange the code, keep the grant; returns it."""
    world, rt = house.world, house.world.runtime()
    with world.reading() as session:
        source = session.get_one(Source, house.source_id)
    provider = connecting.provider_of(rt, source)
    settings = connecting.settings_of(rt, provider, source)
    assert connecting.login_remedy(provider, settings, source).count("/bime/connect/boards") == 1
    where = provider.code_flow.address(settings, redirect_uri=REDIRECT, state="s")
    answer = httpx.get(where, trust_env=False)
    code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
    made = connecting.link_to(rt, source, settings, lend=lambda _authenticate: None)
    grant = provider.code_flow.exchange(made, code=code, redirect_uri=REDIRECT)
    with world.ledger.write() as session:
        version = sources.version(session, house.source_id)
        new = SessionTokens(grant.access, grant.refresh, grant.expires_at, version, world.clock.at)
        assert sources.store_tokens(session, house.source_id, world.vault, new=new, owner=rt.owner)
    return grant


def values(house):
    """Today's dashboards at Beeminder."""
    return house.world.values("made").get(TODAY)


def test_nothing_is_asked_before_it_is_linked(house):
    """The feeds say where to link it; afterwards the numbers come."""
    house.sync()
    assert house.asked() == []
    assert {row.state for row in house.rows(Feed)} == {"failing"}
    (source,) = [row for row in house.rows(Source) if row.id == house.source_id]
    assert "/bime/connect/boards" in source.last_error

    link(house)
    house.world.clock.advance(1000)
    house.sync()
    assert values(house) == 1


def test_a_token_that_ends_is_renewed_and_the_notes_stay(house):
    """A fortnight's token is refreshed; what was seen with the old one answers by a 304."""
    house.state.switch(expires_in=3600, refresh=True)
    grant = link(house)
    house.sync()
    house.bime.faults.log.clear()
    house.world.clock.advance(3601)
    house.sync()
    assert values(house) == 1
    lists = [status for path, status in house.asked() if "oauth" not in path]
    assert lists
    assert set(lists) == {304}
    posted = house.bime.faults.count("oauth/token$", method="POST")
    assert posted == 1
    with house.world.reading() as session:
        stored = sources.tokens(session, house.source_id, house.world.vault)
    assert stored.access != grant.access


def test_a_token_that_was_taken_back_is_told_and_not_knocked_with(house):
    """One 401; then the feeds wait for a person, and keep what they have."""
    grant = link(house)
    house.sync()
    del house.state.tokens[grant.access]
    house.bime.faults.log.clear()
    house.world.clock.advance(1000)
    house.sync()
    assert [status for _, status in house.asked()].count(401) <= len(house.feeds)
    assert values(house) == 1
    assert {row.state for row in house.rows(Feed)} == {"failing"}


def test_no_secret_is_in_a_table(house):
    """Neither the app's nor those of the tokens, linked, refreshed and refused."""
    house.state.switch(expires_in=3600, refresh=True)
    grant = link(house)
    house.sync()
    house.world.clock.advance(3601)
    house.sync()
    house.state.tokens.clear()
    house.world.clock.advance(7200)
    house.sync()
    with house.world.ledger.read() as session:
        rows = [
            repr(list(row))
            for table in METADATA.sorted_tables
            for row in session.connection().execute(table.select())
        ]
    for canary in (SECRET, grant.access, grant.refresh):
        assert [row for row in rows if canary in row] == []
