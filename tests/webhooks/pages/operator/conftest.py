"""A house with two people, and the browsers of one of them and of an operator."""

import re

import pytest
from sqlmodel import select

from db import inbox
from db.models import Event, Feed, Goal, LoginLink, Source, User
from db.models_limits import Quota
from db.models_pages import Deed
from db.models_points import Datapoint
from db.states import EventKind
from webhooks.services import Identity


def words(response):
    """What a person reads on a page."""
    return " ".join(re.sub(r"<[^>]+>", " ", response.text).split())


def token(response):
    """What the forms of a page carry."""
    return response.text.partition('name="csrf" value="')[2].partition('"')[0]


class Browser:
    """Somebody's browser: gets pages, and sends forms with the token of its session."""

    def __init__(self, client):
        self.client = client
        self.csrf = token(client.get("/"))

    def get(self, path, **options):
        """A page."""
        return self.client.get(path, **options)

    def send(self, path, **fields):
        """A form of ours; lists are fields that were ticked several times."""
        return self.client.post(path, data={"csrf": self.csrf, **fields})


class House:
    """The ledger behind the pages."""

    def __init__(self, serving):
        self.serving = serving
        self.now = serving.clock.now()
        self.count = 0

    def event(self, user_id, state="failed", **more):
        """An event of this person that ended so; returns its id."""
        self.count += 1
        new = inbox.NewEvent(
            **{
                "id": inbox.new_id(self.now - 1000 + self.count),
                "kind": EventKind.AUTOFETCH,
                "payload": {"username": "alice" if user_id == 1 else "bob", "slug": "energy"},
                "received_at": self.now - 1000 + self.count,
                "user_id": user_id,
                "goal_id": user_id,
            }
            | more
        )
        with self.serving.ledger.write() as session:
            inbox.store(session, [new])
            row = session.get_one(Event, new.id)
            row.state = state
            if state in ("failed", "dead"):
                row.error = {"code": "timeout", "message": "the source did not answer"}
        return new.id

    def events(self):
        """The inbox by id."""
        with self.serving.ledger.read() as session:
            return {row.id: row for row in session.exec(select(Event).order_by(Event.id))}

    def deeds(self):
        """(who, what, to what, whose) of everything that is kept."""
        with self.serving.ledger.read() as session:
            rows = session.exec(select(Deed).order_by(Deed.id))
            return [(row.actor, row.action, row.subject, row.user_id) for row in rows]


@pytest.fixture
def house(serving):
    """Alice is 1 and Bob is 2, each with a source, goal, feed, datapoint and closed gate."""
    found = House(serving)
    with serving.ledger.write() as session:
        for number, name in enumerate(("alice", "bob"), 1):
            session.add(User(id=number, beeminder_id=f"u{number}", username=name))
            session.flush()
            session.add(
                Source(
                    id=number, user_id=number, name=f"plant-{name}", provider="bemserver",
                    quota_key=f"bemserver:{name}",
                )
            )  # fmt: skip
            session.add(Goal(id=number, user_id=number, slug="energy", declared_slug="energy"))
            session.flush()
            session.add(Feed(id=number, goal_id=number, source_id=number, metric="m"))
            session.flush()
            session.add(
                Datapoint(
                    id=number, goal_id=number, feed_id=number, requestid=f"wg-{number}",
                    daystamp="20261120", value=7.5, content_hash="h", due_at=found.now + 600,
                    state="pending", error="Beeminder did not answer",
                )
            )  # fmt: skip
            session.add(
                Quota(
                    key=f"bemserver:{name}", vendor="bemserver", title=f"tenant-{name}",
                    closed_at=found.now - 60, closed_until=found.now + 600,
                    seen_limit="rate_limited",
                )
            )  # fmt: skip
    return found


@pytest.fixture
def operator(serving, house):
    """The operator's browser."""
    with serving.ledger.write() as session:
        session.add(
            LoginLink(secret_hash=serving.vault.fingerprint("once"), username="", expires_at=9e12)
        )
    serving.client.get("/login/once")
    return Browser(serving.client)


@pytest.fixture
def alice(serving, house):
    """Alice's browser: she is nobody's operator."""
    serving.services.people["t"] = Identity("u1", "alice", None)
    location = serving.client.get("/beeminder/connect").headers["Location"]
    serving.client.get(
        "/beeminder/callback",
        params={"state": location.partition("state=")[2], "access_token": "t"},
    )
    return Browser(serving.client)


@pytest.fixture(name="words")
def _words():
    """What a person reads on a page."""
    return words
