"""Settings of a RIME source: what may stand in the file, and what is said of the rest."""

import json

import pytest

from tasks import limits
from tasks.declare_problems import Problems
from tasks.declare_sources import HTTPS, SourceReader
from tasks.metrics.rime import PROVIDER
from tasks.metrics.rime_settings import Settings

GOOD = {"tenant": "acme", "project": "shop", "api_key": "canary-key"}
LOGIN = {"api_key": None, "email": "a@example.org", "password": "canary-password"}


def settings(**more: object) -> Settings:
    """A source's settings; None takes one out."""
    return Settings(**{key: value for key, value in {**GOOD, **more}.items() if value is not None})


def complaints(**more: object) -> str:
    """What `waggle apply` says of such a source; "" where it takes it."""
    table = {key: value for key, value in {**GOOD, **more}.items() if value is not None}
    problems = Problems("waggle.toml")
    reader = SourceReader(problems, {}, {"rime": PROVIDER}, addresses=HTTPS, now=0.0)
    reader.read("shop", {"provider": "rime", "user": "alice", **table}, ["alice"])
    return "; ".join(problems.lines)


def test_the_shortest_file() -> None:
    """Tenant, project and key: all else is a default of the page or of its analogies."""
    made = settings()
    assert made.base_url() == "https://acme.rimedata.io/api/v1"
    assert made.open_url() is None
    assert dict(made.addresses()) == {}
    assert made.refresh_path == "auth/refresh"
    assert made.connector_runs_path == "projects/{project}/connectors/{connector}/runs"
    assert made.pipeline_runs_path == "projects/{project}/pipelines/{pipeline}/runs"
    assert (made.progress_auth, made.progress_framing) == ("header", "json")
    assert made.progress_seconds() == 10.0
    assert complaints() == ""
    assert complaints(**LOGIN) == ""


def test_secrets_are_secrets() -> None:
    """Neither key nor password is shown, nor part of any id."""
    assert Settings.secrets() == {"api_key", "password"}
    for made in (settings(), settings(**LOGIN)):
        assert "canary" not in repr(made) + made.account() + str(made.quotas())


def test_the_account_is_the_address_and_the_project() -> None:
    """Another key or login is the same account; another project or tenant is another one."""
    account = settings().account()
    assert account == "https://acme.rimedata.io/api/v1|shop"
    assert account == settings(api_key="other").account() == settings(**LOGIN).account()
    assert account == settings(tenant=" ACME ").account()
    assert account == settings(tenant=None, url="https://ACME.rimedata.io/api/v1/").account()
    assert account != settings(project="Shop").account()
    assert account != settings(tenant="acme2").account()
    assert settings(project=7).account().endswith("|7")


def test_everybody_of_a_tenant_shares_its_limits() -> None:
    """One quota by the host, for each endpoint, of a size that nobody knows."""
    (quota,) = settings().quotas()
    assert (quota.account, quota.unknown, quota.per_endpoint) == ("acme.rimedata.io", True, True)
    (other,) = settings(**LOGIN, project="other").quotas()
    assert quota.key("rime", "GET projects") == other.key("rime", "GET projects")
    (elsewhere,) = settings(tenant="acme2").quotas()
    assert quota.key("rime") != elsewhere.key("rime")


def test_an_endpoint_is_the_same_for_every_id() -> None:
    """Names of projects, connectors and runs are left out, also on paths of the file."""
    more = {"connector_runs_path": "/connectors/{connector}/jobs"}
    (quota,) = settings(**more).quotas()
    kinds = {
        "connectors/orders/jobs": "GET connectors/*/jobs",
        "connectors/jobs/jobs/last": "GET connectors/*/jobs/*",
        "projects/shop/pipelines/nightly/runs": "GET projects/*/pipelines/*/runs",
        "projects/shop/connectors": "GET projects/*/connectors",
        "auth/login": "GET auth/login",
    }
    assert {path: limits.endpoint("GET", path, quota.routes) for path in kinds} == kinds


@pytest.mark.parametrize(
    "tenant",
    ["", "-a", "a-", "a.b", "a_b", "a/b", "acme.rimedata.io", "https://acme", "é", "a" * 64, "a b"],
)
def test_a_tenant_is_one_label(tenant: str) -> None:
    """Whatever could lead to another host is refused, and it is said what is due."""
    assert "first part of <tenant>.rimedata.io" in complaints(tenant=tenant)
    assert settings(tenant="a" * 63).base_url().startswith(f"https://{'a' * 63}.rimedata.io/")
    assert settings(tenant="x").tenant == "x"
    assert settings(tenant="My-Co9").tenant == "my-co9"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://rime.example.org", "has to end with /api/v1"),
        ("https://rime.example.org/api/v2", "has to end with /api/v1"),
        ("http://rime.example.org/api/v1", "plain http"),
        ("ftp://rime.example.org/api/v1", "https://"),
        ("https://a:b@rime.example.org/api/v1", "login"),
        ("https://rime.example.org/?x=/api/v1", "?"),
        ("rime.example.org/api/v1", "https://"),
    ],
)
def test_addresses_that_are_refused(url: str, said: str) -> None:
    """The house's checks of addresses hold for `url`, and it has its version."""
    assert said in complaints(tenant=None, url=url)


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:1", "[::1]:1"])
def test_plain_http_on_this_machine(host: str) -> None:
    """A simulator can be read."""
    assert complaints(tenant=None, url=f"http://{host}/rime/api/v1") == ""


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"url": "https://x.example.org/api/v1"}, "either `tenant`"),
        ({"tenant": None}, "either `tenant`"),
        ({"api_key": None}, "there is no way in: make a key at Project > Settings > API Keys"),
        ({"api_key": None, "email": "a@x.test"}, "there is no way in"),
        ({"api_key": None, "password": "p"}, "there is no way in"),
        ({"email": "a@x.test"}, "two ways in: keep `api_key`"),
        ({"email": "a@x.test", "password": "p"}, "two ways in"),
        ({"project": None}, "project"),
        ({"project": "../x"}, "can't be an id"),
        ({"refresh_path": "https://evil.test/x"}, "path below the address"),
        ({"connector_runs_path": "projects/{project}/runs"}, "{connector}"),
        ({"connector_runs_path": "connectors/{connector}/sync"}, "only read"),
        ({"pipeline_runs_path": "pipelines/{connector}/runs"}, "{pipeline}"),
        ({"rows_pointer": "summary/rows"}, "begin with a slash"),
        ({"rows_pointer": ""}, "has to name a field"),
        ({"ended_pointer": "/a~b"}, "~0"),
        ({"id_pointer": "x"}, "begin with a slash"),
        ({"status_pointer": "x"}, "begin with a slash"),
        ({"started_pointer": "x"}, "begin with a slash"),
        ({"times_zone": "Mars/Base"}, "unknown time zone"),
        ({"times_zone": "../UTC"}, "unknown time zone"),
        ({"progress_url": "https://x.example.org/ws"}, "wss://"),
        ({"progress_url": "ws://x.example.org/ws"}, "not encrypted"),
        ({"progress_url": "wss://u:p@x.example.org/ws"}, "may not hold a login"),
        ({"progress_url": "wss:///ws"}, "wss://"),
        ({"progress_url": "wss://[x/ws"}, "progress_url"),
        ({"progress_auth": "cookie"}, "progress_auth"),
        ({"progress_framing": "sockjs"}, "progress_framing"),
        ({"progress_poll": "0s"}, 'from "1s" to "1h"'),
        ({"progress_poll": "2h"}, 'from "1s" to "1h"'),
        ({"progress_poll": "10"}, 'from "1s" to "1h"'),
        ({"zone": "UTC"}, "zone"),
    ],
)
def test_what_is_wrong_is_said(more: dict, said: str) -> None:
    """Each mistake with what to do instead, and no secret in it."""
    told = complaints(**more)
    assert said in told
    assert "canary" not in told


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "sim.localhost"])
def test_where_progress_comes_from(host: str) -> None:
    """With wss anywhere, ws on this machine; the way to log in and the pause are kept."""
    made = settings(
        progress_url=f"ws://{host}:9/ws?x=1",
        progress_auth="first_message",
        progress_framing="socketio",
        progress_poll="2m",
    )
    assert made.progress_url == f"ws://{host}:9/ws?x=1"
    assert made.progress_seconds() == 120.0
    assert complaints(progress_url="wss://acme.rimedata.io/ws") == ""


def test_settings_survive_being_stored() -> None:
    """What the ledger keeps of them makes the same settings again."""
    made = settings(
        url="https://x.example.org/api/v1",
        tenant=None,
        rows_pointer="/summary/total_rows",
        times_zone="Pacific/Auckland",
        progress_poll="1m",
    )
    kept = json.loads(json.dumps(made.model_dump(mode="json", exclude_none=True)))
    again = Settings(**{**kept, "api_key": "canary-key"})
    assert again == made
    assert dict(again.fields().pointers) == {"rows": ("summary", "total_rows")}
    assert str(again.fields().zone) == "Pacific/Auckland"
