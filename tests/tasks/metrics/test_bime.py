"""What a file may say of an account at Bime, and what makes the ids of its datapoints."""

import httpx
import pytest
from pydantic import ValidationError

from clients.bime_models import RESOURCES
from clients.gate import Open
from tasks.metrics import bime
from tasks.metrics.bime import PROVIDER, RecordsParams, Settings
from tasks.providers import Link, Looks, SourceSettings

BY_CODE = {
    "client_id": "app-1",
    "client_secret": "canary-secret",
    "oauth_url": "https://acme.bimeapp.com",
}


def test_a_token_or_an_app_is_enough():
    """The address has a default: that of the vendor's page."""
    simple = Settings(access_token="canary-token")
    linked = Settings(**BY_CODE)
    assert simple.url == linked.url == "https://api.bimeapp.com/v2"
    assert (simple.app(), linked.app().client_id) == (None, "app-1")
    assert "canary" not in repr(simple) + repr(linked) + repr(linked.app())
    assert Settings.secrets() == {"access_token", "client_secret"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "give `access_token`, or `client_id`, `client_secret` and `oauth_url`"),
        ({"access_token": "t", **BY_CODE}, "take out `access_token` or `client_id` and"),
        ({"access_token": "t", "client_id": "a"}, "not both: take out"),
        ({"client_id": "a"}, "browser, give `client_secret` and `oauth_url` as well"),
        ({"client_id": "a", "client_secret": "s"}, "browser, give `oauth_url` as well"),
        ({"oauth_url": "https://x"}, "give `client_id` and `client_secret` as well"),
        (BY_CODE | {"oauth_url": "ftp://x"}, "begins with https://"),
        (BY_CODE | {"oauth_url": "https://me:canary@x"}, "without a login"),
        (BY_CODE | {"oauth_url": "https://x/?a=b"}, "without a login, a ? or a #"),
        ({"access_token": "canary token"}, "copy it again"),
        ({"access_token": "canary\n"}, "copy it again"),
        ({"access_token": ""}, "copy it again"),
        ({"access_token": "t", "account": "x"}, "Extra inputs"),
    ],
)
def test_what_can_not_be_meant_is_refused(given, said):
    """The complaint says what to do, and quotes no secret."""
    with pytest.raises(ValidationError) as caught:
        Settings(**given)
    (first,) = caught.value.errors(include_input=False, include_url=False)
    assert said in first["msg"]
    assert "canary" not in first["msg"]


def test_the_account_is_no_key():
    """A new token, secret or slash is the same account; a name that is given stays through all."""
    first = Settings(access_token="canary-1")
    assert first.account() == Settings(access_token="canary-2", url=first.url + "/").account()
    linked = Settings(**BY_CODE)
    assert linked.account() == Settings(**BY_CODE | {"client_secret": "other"}).account()
    assert linked.account() != Settings(**BY_CODE | {"client_id": "app-2"}).account()
    named = {"account_name": "acme"}
    assert Settings(**named, **BY_CODE).account() == Settings(**named, access_token="t").account()
    assert "canary" not in first.account() + linked.account()


def test_every_address_is_named():
    """Both hosts are the person's to name, so both are checked before they are called."""
    assert Settings(access_token="t").addresses() == {"url": "https://api.bimeapp.com/v2"}
    assert Settings(**BY_CODE).addresses() == {
        "url": "https://api.bimeapp.com/v2",
        "oauth_url": "https://acme.bimeapp.com",
    }


def test_the_limit_leaves_room_for_others():
    """Of 500 requests in ten seconds less than half are ours; the key has no secret."""
    (quota,) = Settings(access_token="canary-token").quotas()
    assert (quota.limit.requests, quota.limit.seconds) == (500, 10)
    assert quota.limit.pace().interval >= 0.05
    assert quota.counts
    assert "canary" not in quota.account


def test_which_numbers_are_totals():
    """What happened on a day adds up; how many are published does not, and has no past."""
    kinds = {name: (metric.kind, metric.history) for name, metric in PROVIDER.metrics.items()}
    assert kinds == {
        "dashboards_created": ("total", True),
        "dashboards_updated": ("total", True),
        "dashboards_published": ("level", False),
        "records_created": ("total", True),
    }
    for name, metric in PROVIDER.metrics.items():
        params = metric.params(**({"resource": "connections"} if "records" in name else {}))
        assert params.value_kind() == metric.kind


def test_records_of_which_list():
    """One of the lists by its path, and it is part of the ids."""
    for resource in RESOURCES:
        assert RecordsParams(resource=resource).counting() == {"resource": resource}
    for bad in ({}, {"resource": "users"}, {"resource": "dashboards", "id": 7}):
        with pytest.raises(ValidationError):
            RecordsParams(**bad)


def test_settings_of_another_provider_are_refused():
    """A mistake in the table of providers is seen at once; nothing is offered for them."""
    with httpx.Client() as http:
        link = Link(
            settings=SourceSettings(),
            http=http,
            gate=Open(),
            tokens=lambda _a: None,
            now=lambda: 0.0,
        )
        with pytest.raises(TypeError, match="not settings of Bime"):
            bime.connect(link)
    assert not PROVIDER.code_flow.offered(SourceSettings())


def test_a_connection_can_look_around():
    """`waggle source check` finds out by this."""
    with httpx.Client() as http:
        link = Link(
            settings=Settings(access_token="t"),
            http=http,
            gate=Open(),
            tokens=lambda _a: None,
            now=lambda: 0.0,
        )
        assert isinstance(bime.connect(link), Looks)
