"""RIME's client reads and does nothing else: no method, path or id leads to what acts."""

import httpx
import pytest

from clients import errors
from clients.rime import RimeClient

GOOD = {"id": "x1", "status": "completed"}
READ = [
    "projects",
    "projects/p1",
    "projects/p1/connectors",
    "projects/p1/connectors/c1",
    "projects/p1/connectors/c1/runs",
    "projects/p1/connectors/c1/runs/r1",
    "projects/p1/pipelines",
    "projects/p1/pipelines/l1",
    "projects/p1/pipelines/l1/runs",
    "projects/p1/pipelines/l1/runs/r1",
]


@pytest.fixture
def rime(http):
    return RimeClient(http=http, base_url="https://acme.rimedata.io/api/v1", credentials="k")


@pytest.mark.parametrize("path", READ)
def test_what_may_be_read(rime, vendor, path):
    """The ten paths of the reference and its analogies, and each of them by GET."""
    vendor.answers(httpx.Response(200, json=GOOD))
    rime._request("GET", path)
    assert vendor.targets == [f"GET /api/v1/{path}"]


METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "get", "TRACE")
HARM = [
    "projects/p1/connectors/c1/sync",
    "projects/p1/connectors/c1/test",
    "projects/p1/connectors/c1/schema",
    "projects/p1/connectors/c1/runs/../sync",
    "projects/p1/connectors/c1/runs/r1/../../sync",
    "projects/p1/connectors/c1/runs/r1/cancel",
    "projects/p1/connectors/c1/runs/%2e%2e/sync",
    "projects/p1/connectors/c1%2Fsync",
    "projects/p1/connectors/c1%2fsync",
    "projects/p1/connectors/c1%252Fsync",
    "projects/p1/connectors/c1%5Csync",
    "projects/p1/connectors/..%2Fsync",
    "projects/p1/connectors/..",
    "projects/p1/connectors/.",
    "projects/p1/connectors/",
    "projects//connectors/c1",
    "projects/p1/connectors/c1/sync?x=/runs",
    "projects/p1/connectors/c1/sync#/runs",
    "projects/p1/connectors/c1\\sync",
    "projects/p1/connectors/c1/sync\n",
    "projects/p1/connectors/c1\n",
    "projects/p1/infrastructure",
    "projects/p1/infrastructure/i1/apply",
    "projects/p1/infrastructure/i1/plan",
    "projects/p1/pipelines/l1/run",
    "projects/p1/../../auth/login",
    "auth/login",
    "auth/refresh",
    "connectors/c1/sync",
    "//evil.test/projects",
    "https://evil.test/projects",
    "",
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", HARM)
def test_nothing_that_acts_can_be_reached(rime, vendor, method, path):
    """Sync, apply, test and all else, with every method and trick: nothing leaves."""
    with pytest.raises(ValueError, match="not among"):
        rime._request(method, path)
    assert vendor.requests == []


@pytest.mark.parametrize("method", METHODS[1:])
@pytest.mark.parametrize("path", READ)
def test_what_may_be_read_may_only_be_read(rime, vendor, method, path):
    """DELETE of a connector, POST of a project: nothing but GET leaves."""
    with pytest.raises(ValueError, match="not among"):
        rime._request(method, path)
    assert vendor.requests == []


@pytest.mark.parametrize("odd", ["../x", "a/b", "..", ".", "...", "", "a\\b", "a%2Fb", "a\nb"])
@pytest.mark.parametrize("call", ["project", "connectors", "connector", "runs", "run"])
def test_an_id_can_not_lead_elsewhere(rime, vendor, odd, call):
    """An id that a server might take for a path is refused before anything leaves."""
    asked = {
        "project": lambda: rime.project(odd),
        "connectors": lambda: list(rime.connectors(odd)),
        "connector": lambda: rime.connector("p1", odd),
        "runs": lambda: list(rime.runs("p1", "connector", odd)),
        "run": lambda: rime.run("p1", "pipeline", "l1", odd),
    }
    with pytest.raises(errors.Rejected) as caught:
        asked[call]()
    assert (caught.value.reason, vendor.requests) == ("bad_id", [])


def test_an_id_is_one_segment(rime, vendor):
    """What has a meaning in a URL is quoted; a connector may be called sync."""
    vendor.answers(httpx.Response(200, json=GOOD))
    rime.connector("a b?c=#d", "é:@&+")
    rime.connector("p.1", "sync")
    assert vendor.targets == [
        "GET /api/v1/projects/a%20b%3Fc%3D%23d/connectors/%C3%A9%3A%40%26%2B",
        "GET /api/v1/projects/p.1/connectors/sync",
    ]
