"""Browsers without a screen: who signs in how, and asks for pages as `samples` says."""

import httpx

from db.models import LoginLink
from tests.webhooks import samples
from webhooks.services import Identity

HTML = {"Accept": "text/html"}
HTMX = {"HX-Request": "true"}


def browser(serving):
    """One that does not follow redirects."""
    return httpx.Client(base_url=serving.url, timeout=30, headers=HTML)


def connect(serving, client, name):
    """Sign a person in by Beeminder."""
    serving.services.people[f"t-{name}"] = Identity(f"u-{name}", name, "Europe/Paris")
    location = client.get("/beeminder/connect").headers["Location"]
    query = {"state": location.partition("state=")[2], "access_token": f"t-{name}"}
    assert client.get("/beeminder/callback", params=query).status_code == 303


def open_link(serving, client):
    """Sign an operator in with a link of the command line."""
    with serving.ledger.write() as session:
        session.add(
            LoginLink(secret_hash=serving.vault.fingerprint("once"), username="", expires_at=9e12)
        )
    assert client.get("/login/once").status_code == 303


def token(client):
    """What forms of this browser carry."""
    return client.get("/").text.partition('name="csrf" value="')[2].partition('"')[0]


def ask(client, route, names, *, csrf=None, fields=None):
    """Ask for a page, or send its form; `csrf` None: without a token.

    `fields` are what is hidden in the form. Of a stream that does not end, the first line that says
    something.
    """
    sample = samples.sample(route)
    address = sample.address(route.path, names)
    if samples.method(route) == "POST":
        data = (fields or {}) | sample.data(names) | ({} if csrf is None else {"csrf": csrf})
        return client.post(address, data=data)
    if not sample.stream:
        return client.get(address, headers=HTMX if sample.fragment else None)
    with client.stream("GET", address) as response:
        if response.status_code == 200:
            first = next(line for line in response.iter_lines() if line.startswith("data:"))
            return httpx.Response(200, headers=response.headers, text=first)
        response.read()
        return response


def hidden(client, route, names):
    """What the form of this route carries where this browser finds it."""
    sample = samples.sample(route)
    if sample.on is None:
        return {}
    page = client.get(sample.on.format(**names)).text
    return samples.hidden(page, sample.address(route.path, names))
