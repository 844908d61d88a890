"""A simulated Beeminder on a real socket, with a clock that the test moves."""

import httpx
import pytest

from simulators.beeminder import Beeminder
from simulators.server import LocalServer
from tests.simulators.live_rime import Tenant


class Clock:
    """Time that stands still until a test moves it."""

    def __init__(self):
        self.now = 1_700_000_000.0  # 14 November 2023, 22:13:20 UTC

    def __call__(self):
        """Seconds since the epoch."""
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def beeminder(clock):
    """Alice in Paris with the goal energy, which the app waggle feeds."""
    made = Beeminder(clock=clock, timeout=5)
    made.register_app("waggle", redirect_uri="http://127.0.0.1:1/callback")
    made.state.add_user("alice", id="a" * 24, timezone="Europe/Paris", token="personal-1")
    made.state.add_goal("alice", "energy", autodata="waggle", yaw=-1)
    return made


@pytest.fixture
def url(beeminder):
    with LocalServer(beeminder.app) as server:
        yield server.url


class Api:
    """Calls endpoints as alice with her personal token."""

    def __init__(self, client):
        self.client = client

    def __call__(self, method, path, status=200, **params):
        """The JSON of the answer, which must have that status."""
        key = "params" if method == "GET" else "data"
        params.setdefault("auth_token", "personal-1")
        answer = self.client.request(method, f"/api/v1/users/{path}.json", **{key: params})
        assert answer.status_code == status, answer.text
        return answer.json()


@pytest.fixture
def client(url):
    with httpx.Client(base_url=url, trust_env=False) as made:
        yield made


@pytest.fixture
def api(client):
    return Api(client)


@pytest.fixture
def tenant(clock):
    with Tenant(clock).served() as made:
        yield made
