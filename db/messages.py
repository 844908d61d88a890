"""Messages to people and to the operator: each is made once, and told once.

What waits for one audience is told together, in one text, at most once a minute. Whoever sends it
holds a lease on it and names its epoch when it is over, like everybody who works off the ledger.
A lease that ended by itself leaves a doubt: the text may have arrived. It is sent once more, and
after a second doubt no more, so that nobody is told anything more than twice.

A test is a message that a person asked for: it goes by itself, at once, and is tried once.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    Float,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from db import engine, retention
from db.aliases import alias
from db.models_pages import Message
from db.once import Once
from db.states import MessageState

TEST = "test"  # the topic of tests
LEASE_SECONDS = 60.0  # longer than a try may take
APART_SECONDS = 60.0  # from one text to the next, to one audience
MOST_TOGETHER = 2000
MOST_DOUBTS = 2
TEST_APART_SECONDS = 15.0
DOUBTFUL = "nobody knows whether it arrived: what sent it was stopped in the middle, twice"

_OTHER = alias(Message)


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What is to be told to one audience; the columns of `Message`."""

    audience: str
    channel_id: int | None
    key: str
    topic: str
    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Held:
    """Messages of one audience that are told together now, the oldest first."""

    audience: str
    channel_id: int | None
    rows: tuple[Message, ...]
    owner: str

    @property
    def is_test(self) -> bool:
        """Did somebody ask for it, and looks on?"""
        return any(row.topic == TEST for row in self.rows)


def channel(channel_id: int) -> str:
    """The audience that a person's channel is."""
    return f"channel:{channel_id}"


def operator(url_hash: str) -> str:
    """The audience that an address of the settings is."""
    return f"operator:{url_hash[:16]}"


def post(session: Session, news: Sequence[News], now: float) -> int:
    """Make messages of these; what was made before is left. Returns how many are new."""
    made = 0
    for one in news:
        row = {
            "audience": one.audience,
            "channel_id": one.channel_id,
            "key": one.key,
            "topic": one.topic,
            "title": one.title,
            "body": one.body,
            "state": MessageState.PENDING.value,
            "attempts": 0,
            "doubts": 0,
            "due_at": now,
            "lease_until": 0.0,
            "epoch": 0,
            "created_at": now,
        }
        insert = engine.insert(session, Message).values(**row).on_conflict_do_nothing()
        new = session.connection().execute(insert.returning(col(Message.id)))
        made += new.first() is not None
    return made


def posted(session: Session, keys: Collection[str]) -> set[tuple[str, str]]:
    """Audience and key of those of these messages that were made, however far they came."""
    found = session.connection().execute(
        select(col(Message.audience), col(Message.key)).where(col(Message.key).in_(keys))
    )
    return {(row.audience, row.key) for row in found}


def _ready(now: float) -> ColumnElement[bool]:
    """Due, held by nobody, and nothing of its audience stands in the way: a text that is on its
    way, one that arrived a moment ago, or one that did not and waits for its next try.
    """
    in_the_way = exists().where(
        col(_OTHER.audience) == col(Message.audience),
        col(_OTHER.topic) != TEST,
        or_(
            and_(
                col(_OTHER.state) == MessageState.SENT.value,
                col(_OTHER.ended_at) > now - APART_SECONDS,
            ),
            and_(
                col(_OTHER.state) == MessageState.PENDING.value,
                or_(
                    col(_OTHER.lease_until) > now,
                    and_(col(_OTHER.attempts) > 0, col(_OTHER.due_at) > now),
                ),
            ),
        ),
    )
    return and_(
        col(Message.state) == MessageState.PENDING.value,
        col(Message.due_at) <= now,
        col(Message.lease_until) <= now,
        or_(col(Message.topic) == TEST, ~in_the_way.correlate(Message)),
    )


def any_due(session: Session, now: float) -> bool:
    """Is there something to be told now?"""
    return _any_due().ask(session, {"now": now}).first() is not None


@cache  # each sweep asks
def _any_due() -> Once:
    now: Any = bindparam("now", type_=Float())
    return Once(select(col(Message.id)).where(_ready(now)).limit(1))


def claim(session: Session, *, owner: str, now: float, limit: int) -> list[Held]:
    """Take what is to be told now, of at most so many audiences; tests go first and alone."""
    test = col(Message.topic) == TEST
    found = session.connection().execute(
        select(col(Message.audience), test.label("test"))
        .where(_ready(now))
        .group_by(col(Message.audience), test)
        .order_by(test.desc(), func.min(col(Message.due_at)))
        .limit(limit)
    )
    claims = [_take(session, row.audience, owner, now, test=bool(row.test)) for row in found.all()]
    return [held for held in claims if held is not None]


def _take(session: Session, audience: str, owner: str, now: float, *, test: bool) -> Held | None:
    topic = col(Message.topic) == TEST if test else col(Message.topic) != TEST
    # Whoever was faster holds the rows by the time that they are locked here.
    rows = session.exec(
        select_rows(Message)
        .where(
            col(Message.audience) == audience,
            col(Message.state) == MessageState.PENDING.value,
            topic,
        )
        .order_by(col(Message.id))
        .limit(1 if test else MOST_TOGETHER)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    if any(row.lease_until > now or (row.attempts and row.due_at > now) for row in rows):
        return None
    taken = []
    for row in rows:
        if row.lease_owner is not None:
            row.doubts += 1
        row.lease_owner, row.epoch = owner, row.epoch + 1
        if row.doubts >= MOST_DOUBTS or (test and row.doubts):
            _end(row, MessageState.FAILED, now, error=DOUBTFUL)
        else:
            row.lease_until, row.attempts = now + LEASE_SECONDS, row.attempts + 1
            taken.append(row)
        session.add(row)
    session.flush()
    if not taken:
        return None
    return Held(audience, taken[0].channel_id, tuple(taken), owner)


def _end(row: Message, state: MessageState, now: float, *, error: str | None) -> None:
    row.state, row.ended_at, row.error = state.value, now, error
    row.lease_owner, row.lease_until = None, 0.0


def sent(session: Session, held: Held, now: float) -> bool:
    """It arrived. False: somebody else had taken it since."""
    values = {"state": MessageState.SENT.value, "ended_at": now, "error": None}
    return _release(session, held, held.rows, **values) > 0


def put_back(session: Session, held: Held, rows: Sequence[Message], **values: object) -> int:
    """Not now: `due_at`, `error` and `doubts` are what there is to say. Returns how many."""
    return _release(session, held, rows, **values)


def give_up(session: Session, held: Held, rows: Sequence[Message], error: str, now: float) -> int:
    """It is not tried any more. Returns how many were still ours."""
    values = {"state": MessageState.FAILED.value, "ended_at": now, "error": error}
    return _release(session, held, rows, **values)


def _release(session: Session, held: Held, rows: Sequence[Message], **values: object) -> int:
    if not rows:
        return 0
    changed = session.connection().execute(
        update(Message)
        .where(
            tuple_(col(Message.id), col(Message.epoch)).in_([(row.id, row.epoch) for row in rows]),
            col(Message.lease_owner) == held.owner,
        )
        .values(lease_owner=None, lease_until=0.0, **values)
    )
    return changed.rowcount


def last_test(session: Session, audience: str) -> Message | None:
    """The test that was asked for last."""
    return session.exec(
        select_rows(Message)
        .where(col(Message.audience) == audience, col(Message.topic) == TEST)
        .order_by(col(Message.id).desc())
        .limit(1)
        .execution_options(populate_existing=True)
    ).first()


def forget(session: Session, ended_before: float) -> int:
    """Delete some of what ended before then; returns how many."""
    return retention.some(session, Message, col(Message.ended_at) < ended_before)


def ask_test(session: Session, audience: str, channel_id: int | None, *, now: float) -> bool:
    """Have a test sent; False: one is on its way, or was a moment ago."""
    last = last_test(session, audience)
    if last is not None:
        under_way = last.state == MessageState.PENDING.value
        if under_way or now - last.created_at < TEST_APART_SECONDS:
            return False
    number = 1 if last is None else (last.id or 0) + 1
    test = News(
        audience=audience,
        channel_id=channel_id,
        key=f"{TEST}:{number}",
        topic=TEST,
        title="",
        body="",
    )
    return post(session, [test], now) > 0


def last_ended(session: Session, audience: str) -> Message | None:
    """What was told there last, or could not be."""
    return session.exec(
        select_rows(Message)
        .where(col(Message.audience) == audience, col(Message.ended_at).is_not(None))
        .order_by(col(Message.ended_at).desc(), col(Message.id).desc())
        .limit(1)
    ).first()


def told_at(session: Session, audience: str) -> float | None:
    """When something arrived there last."""
    found = session.connection().execute(
        select(func.max(col(Message.ended_at))).where(
            col(Message.audience) == audience, col(Message.state) == MessageState.SENT
        )
    )
    return found.scalar_one()
