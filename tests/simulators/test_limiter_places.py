"""Where the simulators are limited, and what they count by."""

import contextlib

import httpx
import pytest
from starlette.applications import Starlette

from simulators import demo_world, limiter_keys, main
from simulators.faults import Fault, Faults
from simulators.limiter import Limiter
from simulators.server import LocalServer
from simulators.windows import Window

ONE = Window(kind="fixed", requests=1, seconds=60)


@pytest.fixture
def client_of():
    with contextlib.ExitStack() as stack:

        def made(app):
            server = stack.enter_context(LocalServer(app))
            return stack.enter_context(httpx.Client(base_url=server.url, trust_env=False))

        yield made


def test_a_fault_that_answers_by_itself_is_not_counted(clock):
    """The request never got as far as the limit; one that is only slowed down did."""
    limiter = Limiter(Starlette(), ONE, clock=clock)
    faults = Faults(limiter)
    faults.add(Fault(status=500))
    faults.add(Fault(action="delay"))
    with LocalServer(faults) as server:
        statuses = [httpx.get(server.url, trust_env=False).status_code for _ in range(2)]
    assert statuses == [500, 404]
    assert limiter.report().served == 1


def test_beeminder_counts_calls_of_the_api_by_token(beeminder, client_of):
    """A push with the token in its form counts like a read with it in the query; pages do not."""
    beeminder.state.add_user("bob", token="personal-2")
    beeminder.limiter.set(Window(kind="fixed", requests=2, seconds=60))
    client = client_of(beeminder.app)
    token = {"auth_token": "personal-1"}
    assert client.get("/api/v1/users/me.json", params=token).status_code == 200
    point = {**token, "value": "3", "requestid": "r1"}
    path = "/api/v1/users/alice/goals/energy/datapoints.json"
    assert client.post(path, data=point).json()["value"] == 3
    assert client.post(path, data={**point, "requestid": "r2"}).status_code == 429
    assert client.get("/api/v1/users/me.json?auth_token=personal-2").status_code == 200
    assert {client.get("/alice/energy").status_code for _ in range(4)} == {200}
    assert len(beeminder.state.datapoints("alice", "energy")) == 1


def test_both_services_on_one_port_have_limits_of_their_own(client_of):
    """Beeminder's at the root, BEMServer's behind its prefix, one quota for all of its users."""
    client = client_of(main.build().app)
    under = main.BEMSERVER_PREFIX
    limit = {"kind": "fixed", "requests": 1, "seconds": 60}
    assert client.post(f"{under}/_sim/limits", json=limit).status_code == 200
    assert [client.get(f"{under}/about/").status_code for _ in range(2)] == [200, 429]
    me = "/api/v1/users/me.json"
    token = {"auth_token": demo_world.BEEMINDER_TOKEN}
    assert [client.get(me, params=token).status_code for _ in range(2)] == [200, 200]
    assert client.get("/_sim/limits").json()["limit"] is None
    client.post("/_sim/limits", json=limit)
    assert [client.get(me, params=token).status_code for _ in range(2)] == [200, 429]
    assert client.get(f"{under}/_sim/limits").json()["keys"].keys() == {"everybody"}


def test_what_other_vendors_count_by():
    """Tenants by the host name, endpoints by method and path, clients by address and token."""
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/api/v1/runs",
        "query_string": b"",
        "headers": [(b"host", b"acme.rime.test:443"), (b"authorization", b"Bearer t")],
        "client": ("10.0.0.7", 5000),
    }
    assert limiter_keys.tenant(scope) == "acme"
    assert limiter_keys.tenant_and_endpoint(scope) == "acme GET /api/v1/runs"
    assert limiter_keys.address_and_account(scope) == "10.0.0.7 t"
    assert limiter_keys.everybody(scope) == limiter_keys.everybody({})
