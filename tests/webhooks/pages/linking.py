"""What the tests of sources and links need: people who are signed in, and a worker of rows."""

import html
import re

import httpx
from sqlmodel import select

from db import errands
from db.models import Feed, Goal, LoginLink, Source, User
from db.models_pages import Deed, Errand
from db.states import FeedState
from webhooks.services import Identity

SECRET = "canary-secret-of-a-form"
FOUND = {
    "provider": "BEMServer",
    "listed": True,
    "more": 0,
    "found": [
        {"kind": "campaign", "id": "3", "name": "Home", "detail": ""},
        {"kind": "timeseries", "id": "17", "name": "Roof <b>", "detail": "in kWh"},
        {"kind": "data state", "id": "Clean", "name": "", "detail": ""},
    ],
}
GOAL = {
    "slug": "output", "title": "Sun", "yaw": 1, "kyoom": True, "aggday": "sum", "odom": False,
    "gunits": "kWh", "autodata": None, "curval": 5.0, "counts": "a day's value is the sum",
}  # fmt: skip
GOALS = {"app": "waggle", "goals": [GOAL | {"slug": "energy"}, GOAL]}
DAY = {
    "daystamp": "20261122", "source": 2.5, "value": 2.5, "points": 1, "comment": "c",
    "asked": True, "action": "create", "why": "", "there": 1.25, "ours": 0, "others": 1,
}  # fmt: skip
PREVIEW = {
    "goal": GOAL, "kind": "total", "unit": "kWh", "shape": "as_is", "problem": None,
    "unfit": False, "warnings": ["the units differ"], "zone": "UTC", "feeds": 1,
    "datasource": {
        "app": "waggle", "now": "'fitbit'", "ours": False, "sets": True, "replaces": True,
    },
    "days": [DAY],
}  # fmt: skip
CHOSEN = {"source": "plant-alice", "metric": "timeseries_aggregate", "p.timeseries": "17"}
WHOLE = CHOSEN | {"goal": "output", "since": "2026-11-17", "every": "15m"}
LINKED = {
    "feed": "alice/output", "goal_id": 1, "feed_id": 1, "new": True, "before": "fitbit",
    "now": "waggle", "said": ["the goal's data source is 'waggle'"], "failed": [],
}  # fmt: skip


def fill(serving, names=("alice", "bob")):
    """People with a source, a goal that is fed, and one feed each."""
    with serving.ledger.write() as session:
        for number, name in enumerate(names, start=1):
            session.add(User(id=number, beeminder_id=f"u{number}", username=name, timezone="UTC"))
            session.flush()
            session.add(
                Source(
                    id=number,
                    user_id=number,
                    name=f"plant-{name}",
                    provider="bemserver",
                    settings={"url": "https://bem.example.org/api/v0", "email": f"{name}@x.org"},
                    credentials_cipher=serving.vault.encrypt(f'{{"password": "{SECRET}"}}'),
                )
            )
            session.add(Goal(id=number, user_id=number, slug="energy", declared_slug="energy"))
            session.flush()
            session.add(
                Feed(
                    id=number,
                    goal_id=number,
                    source_id=number,
                    metric="timeseries_aggregate",
                    params={"timeseries": 1},
                )
            )


def sign_in(serving, name="alice", number=1):
    """A browser of this person's."""
    serving.services.people["t"] = Identity(f"u{number}", name, None)
    client = httpx.Client(base_url=serving.url, timeout=10)
    location = client.get("/beeminder/connect").headers["Location"]
    client.get(
        "/beeminder/callback",
        params={"state": location.partition("state=")[2], "access_token": "t"},
    )
    return client


def operator(serving):
    """A browser of an operator, who is nobody at Beeminder."""
    with serving.ledger.write() as session:
        session.add(
            LoginLink(secret_hash=serving.vault.fingerprint("once"), username="", expires_at=9e12)
        )
    serving.client.get("/login/once")
    return serving.client


def csrf(client, path):
    """The token of the forms of a page."""
    return re.search(r'name="csrf" value="([^"]+)"', client.get(path).text)[1]


def send(client, path, page=None, **fields):
    """Send a form of ours, as the page does that holds it."""
    return client.post(path, data={"csrf": csrf(client, page or path), **fields})


def words(response):
    """What a person reads on a page."""
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", response.text).split()))


def rows(serving, table):
    """All rows of a table."""
    with serving.ledger.read() as session:
        return list(session.exec(select(table)))


def deeds(serving):
    """(actor, action, subject) of all that was done."""
    return [(deed.actor, deed.action, deed.subject) for deed in rows(serving, Deed)]


def work(serving, answer=None, error=None):
    """Do what a worker does with the oldest errand; what it was."""
    with serving.ledger.write() as session:
        held = errands.claim(session, owner="w", now=serving.clock.now())
        assert held is not None
        if error is None:
            errands.finish(session, held, answer or {}, serving.clock.now())
        else:
            errands.fail(session, held, error, serving.clock.now())
    with serving.ledger.read() as session:
        return session.get_one(Errand, held.errand.id)


def stop(serving, feed_id):
    """A feed that was unlinked."""
    with serving.ledger.write() as session:
        feed = session.get_one(Feed, feed_id)
        feed.state, feed.reason = FeedState.STOPPED, "unlinked"


def kept(serving):
    """Everything of the ledger that a secret could have got into, as text."""
    tables = (Errand, Deed, Feed, Goal, User)
    found = [row.model_dump() for table in tables for row in rows(serving, table)]
    sources = [row.model_dump(exclude={"credentials_cipher"}) for row in rows(serving, Source)]
    return str(found + sources)


def answered(house, client, path, params, answer):
    """A page once its errand is done."""
    client.get(path, params=params)
    work(house, answer)
    return client.get(path, params=params)
