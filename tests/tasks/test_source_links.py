"""Linking a source in the browser: tokens are stored whole or not at all, and what waited runs."""

from dataclasses import dataclass, field, replace

import pytest
from sqlmodel import select

from clients.errors import AuthFailed, Unavailable
from db import sources
from db.models import Feed, Source
from db.sources import SessionTokens
from db.states import FeedState, SourceState
from tasks import connecting, source_links
from tasks.metrics import bemserver
from tasks.providers import NOT_LINKED, Authenticate, Connection, Grant, Link, SourceSettings
from tasks.runtime import Runtime
from tasks.source_links import NotLinkableError
from tests.world import World

BACK = "https://waggle.test/boards/callback"


@dataclass
class Flow:
    """A vendor that gives what it is told to."""

    grant: Grant | Exception = field(default_factory=lambda: Grant("access-1", "refresh-1", None))
    asked: list[tuple[str, str]] = field(default_factory=list)
    by_browser: bool = True

    def offered(self, settings: SourceSettings) -> bool:
        """Unless the file names a key."""
        assert isinstance(settings, bemserver.Settings)
        return self.by_browser

    def address(self, settings: SourceSettings, *, redirect_uri: str, state: str) -> str:
        """Somewhere at the vendor's."""
        assert isinstance(settings, bemserver.Settings)
        return f"https://vendor.test/?to={redirect_uri}&state={state}"

    def exchange(self, link: Link, *, code: str, redirect_uri: str) -> Grant:
        """Give it, or fail."""
        assert link.http is not None
        self.asked.append((code, redirect_uri))
        if isinstance(self.grant, Exception):
            raise self.grant
        return self.grant


def by_code(link: Link) -> Connection:
    """A BEMServer whose owner is asked in the browser and not for a password."""

    def authenticate(_refresh: str | None) -> Grant:
        message = "nobody has linked this source yet"
        raise AuthFailed(message, reason=NOT_LINKED)

    def tokens(_by_password: Authenticate) -> object:
        return link.tokens(authenticate)

    return bemserver.PROVIDER.connect(replace(link, tokens=tokens))  # type: ignore[arg-type]


def runtime(world: World, flow: Flow) -> Runtime:
    """A worker that knows such a provider under the name of the world's source."""
    provider = replace(bemserver.PROVIDER, code_flow=flow, connect=by_code)
    return world.runtime(providers={"bemserver": provider})


def source_of(world: World) -> Source:
    """The source as it stands."""
    with world.reading() as session:
        return session.exec(select(Source)).one()


def stored(world: World) -> SessionTokens | None:
    """Its tokens."""
    with world.reading() as session:
        return sources.tokens(session, world.source_id, world.vault)


def test_a_source_that_nobody_linked_says_where_to_do_it(world: World) -> None:
    """A feed of it fails with the way out, and is not tried without end."""
    world.work(runtime(world, Flow()))

    feed = world.feed()
    assert feed.state == FeedState.FAILING
    assert "/bemserver/connect/plant" in (feed.last_error or "")
    assert "password" not in (feed.last_error or "")
    assert source_of(world).state == SourceState.REAUTHORIZE


def test_what_waited_for_a_link_runs(world: World) -> None:
    """The code's tokens are stored and used, and the feed is due at once."""
    flow = Flow()
    rt = runtime(world, flow)
    world.work(rt)
    pair = world.bemserver.token_pair("alice@example.org")
    flow.grant = Grant(pair["access_token"], pair["refresh_token"], world.clock.at + 900)

    woken = source_links.finish(rt, world.source_id, code="c-1", redirect_uri=BACK)

    assert (woken, flow.asked) == (1, [("c-1", BACK)])
    found = stored(world)
    assert found is not None
    assert (found.access, found.refresh) == (pair["access_token"], pair["refresh_token"])
    assert source_of(world).state == SourceState.ACTIVE
    world.work(rt)
    assert world.feed().state == FeedState.ACTIVE
    assert world.values() != {}


def test_linking_again_replaces_what_was_there(world: World) -> None:
    """Also tokens that somebody renewed a moment ago."""
    flow = Flow()
    rt = runtime(world, flow)
    source_links.finish(rt, world.source_id, code="c-1", redirect_uri=BACK)
    flow.grant = Grant("access-2", None, None)
    source_links.finish(rt, world.source_id, code="c-2", redirect_uri=BACK)

    found = stored(world)
    assert found is not None
    assert (found.access, found.refresh) == ("access-2", None)


@pytest.mark.parametrize(
    "error", [AuthFailed("the code is used up"), Unavailable("down")], ids=["refused", "down"]
)
def test_a_code_that_fails_changes_nothing(world: World, error: Exception) -> None:
    """The old link stands, and the feeds are as they were."""
    flow = Flow()
    rt = runtime(world, flow)
    source_links.finish(rt, world.source_id, code="c-1", redirect_uri=BACK)
    before = source_of(world).model_dump(), world.feed().model_dump()
    flow.grant = error

    with pytest.raises(type(error)):
        source_links.finish(rt, world.source_id, code="c-2", redirect_uri=BACK)

    assert (source_of(world).model_dump(), world.feed().model_dump()) == before


def test_a_feed_that_was_set_aside_is_not_woken(world: World) -> None:
    """It killed its workers; a new link is no reason that it should not again."""
    rt = runtime(world, Flow())
    with world.ledger.write() as session:
        feed = session.get_one(Feed, world.feed_id)
        feed.state, feed.reason = FeedState.FAILING, "set_aside"

    assert source_links.finish(rt, world.source_id, code="c-1", redirect_uri=BACK) == 0
    assert world.feed().state == FeedState.FAILING


def test_a_source_with_a_key_is_not_linked(world: World) -> None:
    """There is nothing to allow; it says that its file names a key."""
    flow = Flow(by_browser=False)
    rt = runtime(world, flow)
    for ask in (
        lambda: source_links.address(rt, world.source_id, redirect_uri=BACK, state="s"),
        lambda: source_links.finish(rt, world.source_id, code="c", redirect_uri=BACK),
    ):
        with pytest.raises(NotLinkableError, match="its file names a key"):
            ask()
    assert flow.asked == []


def test_a_provider_without_this_way_has_none(world: World) -> None:
    """Whatever the address says."""
    with pytest.raises(NotLinkableError):
        source_links.address(world.runtime(), world.source_id, redirect_uri=BACK, state="s")


def test_where_the_owner_is_sent(world: World) -> None:
    """To the vendor, with our address and the state."""
    address = source_links.address(
        runtime(world, Flow()), world.source_id, redirect_uri=BACK, state="s-1"
    )
    assert address == f"https://vendor.test/?to={BACK}&state=s-1"


def test_the_place_to_link_is_the_sources_own(world: World) -> None:
    """Its provider and its name, as the receiver serves them."""
    assert connecting.linked_at(bemserver.PROVIDER, source_of(world)) == "/bemserver/connect/plant"
