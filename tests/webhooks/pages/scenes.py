"""People with feeds, their browsers, and what a page costs: for the tests of pages about feeds."""

import contextlib
import html
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import sqlalchemy
from sqlmodel import select

from db import inbox
from db.models import Event, Feed, Goal, LoginLink, Source, User
from db.models_pages import Deed
from db.models_points import Datapoint, Day
from db.states import DatapointState, EventKind, EventState
from webhooks.services import Identity

HOSTILE = "<script>alert('x')</script>"
FORM = re.compile(r'name="csrf" value="([^"]+)"')


def stamp(now: float, ago: int) -> str:
    """The daystamp of so many days ago, in UTC."""
    return f"{datetime.fromtimestamp(now, UTC) - timedelta(days=ago):%Y%m%d}"


def person(serving, number: int, name: str, **columns) -> None:
    """Somebody with a source of the same number."""
    with serving.ledger.write() as session:
        session.add(User(id=number, beeminder_id=f"u{number}", username=name, **columns))
        session.flush()
        session.add(Source(id=number, user_id=number, name=f"{name}-plant", provider="bemserver"))


def feed(serving, number: int, slug: str, *, owner: int = 1, goal=None, yaw=1, **columns) -> int:
    """A feed that is in step, on a goal of its own or on that `goal`; gives the id of the goal."""
    now = serving.clock.now()
    given = {"due_at": now + 600, "last_synced_at": now - 240, "metric": f"metric-{number}"}
    with serving.ledger.write() as session:
        if goal is None:
            row = Goal(user_id=owner, slug=slug, declared_slug=slug, yaw=yaw)
            session.add(row)
            session.flush()
            goal = row.id
        session.add(Feed(id=number, goal_id=goal, source_id=owner, **(given | columns)))
    return goal


def change(serving, table, key, **columns) -> None:
    """Set columns of one row."""
    with serving.ledger.write() as session:
        row = session.get_one(table, key)
        for name, value in columns.items():
            setattr(row, name, value)


def day(serving, feed_id: int, ago: int, value, *, state="landed", **columns) -> str:
    """A day that was read, and its datapoint (`value` None: there is none); gives its daystamp."""
    now = serving.clock.now()
    daystamp = stamp(now, ago)
    notes = {name: columns.pop(name) for name in ("note", "pinned", "unit") if name in columns}
    with serving.ledger.write() as session:
        goal_id = session.get_one(Feed, feed_id).goal_id
        session.add(
            Day(
                feed_id=feed_id, daystamp=daystamp, starts_at=now - ago * 86400 - 3600,
                ends_at=now - ago * 86400 + 82800, value=value, seen_at=now - 60, **notes,
            )
        )  # fmt: skip
        if value is not None:
            given = {
                "landed_value": value, "landed_hash": "h", "landed_at": now - 50,
                "sent_at": now - 51, "sent_value": value, "content_hash": "h",
            }  # fmt: skip
            session.add(
                Datapoint(
                    goal_id=goal_id, feed_id=feed_id, requestid=f"{feed_id}-{daystamp}",
                    daystamp=daystamp, value=value, state=DatapointState(state),
                    **(given | columns),
                )
            )  # fmt: skip
    return daystamp


def held(serving, feed_id: int, ago: int, *, there, value, **columns) -> str:
    """A correction that waits for a decision."""
    given = {
        "landed_value": there,
        "content_hash": f"c{value}",
        "held_at": serving.clock.now(),
        "error": f"would change a finished day: {there} → {value}",
    }
    return day(serving, feed_id, ago, value, state="held", **(given | columns))


def call(serving, goal_id: int, *, ago: float, waited=None, owner: int = 1, **columns) -> str:
    """Beeminder asked so many seconds ago; `waited` None: it waits still. Gives the event's id."""
    at = serving.clock.now() - ago
    new = inbox.NewEvent(
        id=inbox.new_id(at), kind=EventKind(columns.pop("kind", "autofetch")), payload={},
        user_id=owner, goal_id=goal_id, received_at=at,
    )  # fmt: skip
    ended = {} if waited is None else {"finished_at": at + waited, "state": EventState.DONE}
    with serving.ledger.write() as session:
        inbox.store(session, [new])
    change(serving, Event, new.id, **(ended | columns))
    return new.id


def sign_in(serving, number: int = 1, name: str = "alice") -> httpx.Client:
    """A browser of this person's."""
    serving.services.people["t"] = Identity(f"u{number}", name, None)
    client = httpx.Client(base_url=serving.url, timeout=10)
    location = client.get("/beeminder/connect").headers["Location"]
    client.get(
        "/beeminder/callback",
        params={"state": location.partition("state=")[2], "access_token": "t"},
    )
    return client


def operate(serving) -> httpx.Client:
    """A browser of the operator's."""
    with serving.ledger.write() as session:
        session.add(
            LoginLink(secret_hash=serving.vault.fingerprint("once"), username="", expires_at=9e12)
        )
    client = httpx.Client(base_url=serving.url, timeout=10)
    client.get("/login/once")
    return client


def send(client: httpx.Client, path: str, **fields) -> httpx.Response:
    """A form of ours, as the page has it that one has open."""
    csrf = FORM.search(client.get("/").text)
    return client.post(path, data={"csrf": csrf[1]} | fields)


def said(client: httpx.Client, response: httpx.Response) -> str:
    """What the page says that a form leads to."""
    assert response.status_code == 303, response.text
    text = client.get(response.headers["Location"]).text
    return read(re.search(r'role="status">(.*?)</p>', text)[1])


def read(text: str) -> str:
    """What a person reads on a page."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


def deeds(serving) -> list[Deed]:
    """What was done on pages, in its order."""
    with serving.ledger.read() as session:
        return list(session.exec(select(Deed).order_by(Deed.id)))


@contextlib.contextmanager
def counted_with_values(ledger) -> Iterator[list[tuple[str, object]]]:
    """What the ledger is asked meanwhile: statements and what is put into them."""
    asked: list[tuple[str, object]] = []

    def note(_connection, _cursor, statement, values, *_rest):
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            asked.append((statement, values))

    # On PostgreSQL the reader is the same engine with an option of its own.
    engines = {id(each.pool): each for each in (ledger.engine, ledger._reader)}.values()
    for engine in engines:
        sqlalchemy.event.listen(engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        for engine in engines:
            sqlalchemy.event.remove(engine, "before_cursor_execute", note)


@contextlib.contextmanager
def counted(ledger) -> Iterator[list[str]]:
    """The statements alone."""
    statements: list[str] = []
    with counted_with_values(ledger) as asked:
        yield statements
    statements += [statement for statement, _ in asked]
