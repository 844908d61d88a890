"""The lane of callbacks: it answers what the usual way would answer, and nothing else."""

import asyncio

import pytest
from starlette.applications import Starlette

from webhooks import routes
from webhooks.fast_lane import FastLane

SECRET = "path-secret-1"


def _passed_on(scope: dict) -> bool:
    """Is this handed to the app, instead of a handler?"""
    found = []

    async def app(scope, _receive, _send):
        found.append(scope)

    async def receive():
        return {"type": "http.disconnect"}

    async def send(_message):
        pass

    async def answer():
        await FastLane(app, routes.CALLBACKS)(scope, receive, send)

    try:
        asyncio.run(answer())
    except AttributeError:  # a handler looks for its receiver
        assert found == []
    return found == [scope]


def _request(method: str, path: str) -> dict:
    scope = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b""}
    return scope | {"app": Starlette()}


@pytest.mark.parametrize("name", ["autofetch", "deauthorized", "reminder"])
def test_callbacks_do_not_go_through_the_routes(name):
    """Each of the three addresses has its handler here."""
    assert not _passed_on(_request("POST", f"/beeminder/{name}/{SECRET}"))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"/beeminder/autofetch/{SECRET}"),
        ("post", f"/beeminder/autofetch/{SECRET}"),
        ("POST", "/beeminder/autofetch/"),
        ("POST", "/beeminder/autofetch"),
        ("POST", f"/beeminder/autofetch/{SECRET}/"),
        ("POST", f"/beeminder/autofetch/{SECRET}/more"),
        ("POST", f"/Beeminder/autofetch/{SECRET}"),
        ("POST", f"//beeminder/autofetch/{SECRET}"),
        ("POST", "/"),
        ("POST", ""),
    ],
)
def test_all_else_goes_the_usual_way(method, path):
    """Another method or path is judged by the routes, which refuse it as they refuse anything."""
    assert _passed_on(_request(method, path))


def test_what_is_no_request_passes():
    """The start and the end of the server concern the app."""
    assert _passed_on({"type": "lifespan", "state": {}})


@pytest.mark.parametrize("path", ["/beeminder/autofetch/", f"/beeminder/autofetch/{SECRET}/more"])
def test_what_nearly_fits_is_found_nowhere(serving, path):
    """As by the routes: no empty secret, and none with a slash."""
    data = {"username": "alice", "slug": "energy"}

    assert serving.client.post(path, data=data).status_code == 404
    assert serving.events() == []


def test_a_quoted_secret_is_the_same_secret(serving):
    """A path is compared as it is meant, not as it is written."""
    quoted = "".join(f"%{ord(letter):02x}" for letter in SECRET)
    answer = serving.client.post(
        f"/beeminder/autofetch/{quoted}", data={"username": "alice", "slug": "energy"}
    )

    assert answer.json() == {"status": "late"}
