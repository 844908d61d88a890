"""The calls of Bime's client by name, and answers to them."""

import json

import httpx

from clients.bime import BimeClient
from clients.bime_auth import StaticToken
from clients.bime_models import RESOURCES

TOKEN = "canary-token-of-ours"
STAMP = "2013-06-14T10:20:30-05:00"
ROW = {"id": 7, "created_at": STAMP, "updated_at": STAMP}
CALLS = {
    **{
        f"list {name}": (name, lambda client, known=None, n=name: client.records(n, known))
        for name in RESOURCES
    },
    **{
        f"one {name}": (
            f"{name}/7",
            lambda client, known=None, n=name: client.record(n, "7", known),
        )
        for name in RESOURCES
    },
}


def client_of(http, **more):
    """A client with a token that never changes."""
    return BimeClient(http=http, base_url="http://bime.test/v2/", tokens=StaticToken(TOKEN), **more)


def reply(status, body=None, **headers):
    """An answer with this body as JSON."""
    content = json.dumps(body)
    return httpx.Response(
        status, headers={"Content-Type": "application/json", **headers}, content=content
    )


def good(path):
    """The body that fits a path."""
    return ROW if "/" in path else [ROW]
