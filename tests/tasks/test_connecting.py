"""What a sync knows of a source before it asks: settings and metric, or a reason for a person."""

import httpx
import pytest

from db.models import Feed, Source
from tasks import connecting
from tasks.connecting import BadSettingsError
from tests.tasks.scenes import all_rows, change_feed
from tests.world import NO_TLS, PASSWORD, World


def source(world: World, **columns: object) -> Source:
    """The source, with what a test changes about it."""
    with world.ledger.write() as session:
        row = session.get_one(Source, world.source_id)
        for name, value in columns.items():
            setattr(row, name, value)
        session.add(row)
        return row


def test_a_connection_is_kept_until_its_credentials_change(world: World) -> None:
    """One per process and source; a new password makes a new one, and the old one is dropped."""
    rt = world.runtime()
    first = connecting.connect(rt, source(world))
    assert connecting.connect(rt, source(world)) is first

    changed = source(world, credentials_cipher=world.vault.encrypt('{"password": "other"}'))

    assert connecting.connect(rt, changed) is not first
    assert len(rt.connections) == 1


def test_an_error_in_stored_settings_names_the_setting_and_no_secret(world: World) -> None:
    """A version that asks for more, or less, than was stored."""
    odd = source(world, settings={"url": "http://127.0.0.1", "emial": "x"})
    provider = connecting.provider_of(world.runtime(), odd)

    with pytest.raises(BadSettingsError, match="email") as caught:
        connecting.settings_of(world.runtime(), provider, odd)

    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("url", ["https://999.1.1.1/", "https://xn--/v1", "https://münchen..de/"])
def test_a_url_that_no_client_can_use_stops_the_feed(world: World, url: str) -> None:
    """Stored by an earlier version: the feed says what to correct, and nobody dies of it."""
    source(world, settings={"url": url, "email": "alice@example.org"})
    event_id = world.call_back()

    world.work()

    feed, event = world.feed(), world.event(event_id)
    assert (feed.state, feed.reason, feed.suspect) == ("failing", "bad_settings", False)
    assert (feed.lease_owner, event.state) == (None, "failed")
    assert "`waggle apply`" in (event.error or {})["message"]


def test_an_unknown_provider_or_metric_is_named(world: World) -> None:
    """A plug-in that was taken away, a metric of another version, a parameter that is wrong."""
    rt = world.runtime()
    provider = connecting.provider_of(rt, source(world))
    with pytest.raises(BadSettingsError, match="no provider 'gone' is installed"):
        connecting.provider_of(rt, source(world, provider="gone"))
    change_feed(world, metric="tea")
    with pytest.raises(BadSettingsError, match="no metric 'tea'"):
        connecting.metric_of(provider, all_rows(world, Feed)[0])
    change_feed(world, metric="timeseries_aggregate", params={"timeseries": []})
    with pytest.raises(BadSettingsError, match="timeseries"):
        connecting.metric_of(provider, all_rows(world, Feed)[0])


def test_an_address_that_a_stranger_typed_is_called_by_another_client(world: World) -> None:
    """Also where the source was connected before it became one of those."""
    with httpx.Client(verify=NO_TLS) as public:
        rt = world.runtime(public_http=public)
        with world.reading() as session:
            source = session.get_one(Source, world.source_id)
        before = connecting.connect(rt, source)
        assert connecting.http_of(rt, source) is rt.http
        source.public_only = True
        assert connecting.http_of(rt, source) is public
        assert connecting.connect(rt, source) is not before
    assert connecting.http_of(world.runtime(), source) is not public
