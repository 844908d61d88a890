"""From notices to messages: who is told what, decided once, in the transaction that finds them.

A notice is told when it is a minute old, so what is over by then is not told at all; a red day
waits for nothing. Its end is told where that is news, to those who were told of the beginning.
What was before a channel was added is old news there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlmodel import Session, col, select

from clients.redaction import scrub_text
from db import alerts, channels, messages, needs, notices
from db.messages import News
from db.models import Feed, Notice, Source, User
from db.models_pages import Alert
from db.states import FeedState, SourceState, UserState
from db.vault import VaultError
from tasks import alarms, links_lost, outages, telling_words
from tasks.runtime import Runtime
from tasks.telling_words import OVER

log = structlog.get_logger(__name__)

SETTLE_SECONDS = 60.0
AT_ONCE = (alarms.KIND,)
TOGETHER = 1000  # notices of one transaction
# What is the operator's to know as well, whoever's it is.
FOR_OPERATOR = frozenset(
    {
        outages.OPENED,
        "limited",
        "renewal",
        "set_aside",
        links_lost.LINK,
        links_lost.LOGIN,
    }
)
HOUSE = "house"


@dataclass(frozen=True, slots=True)
class _Audience:
    name: str
    channel_id: int | None
    since: float


def any_news(session: Session, now: float) -> bool:
    """Is there something of which no messages were made yet?"""
    before = now - SETTLE_SECONDS
    return notices.any_untold(session, before, at_once=AT_ONCE) or alerts.any_untold(
        session, before
    )


def find(rt: Runtime) -> int:
    """Make messages of what is new, and of what is over; returns how many."""
    with rt.ledger.read() as session:
        if not any_news(session, rt.clock.now()):
            return 0
    with rt.ledger.write() as session:
        now = rt.clock.now()
        news = _of_notices(rt, session, now) + _of_alerts(rt, session, now)
        made = messages.post(session, news, now)
    if made:
        log.info("messages.made", count=made)
    return made


def operators(rt: Runtime) -> dict[str, str]:
    """The operator's addresses, by audience."""
    return {messages.operator(rt.vault.fingerprint(url)): url for url in rt.options.notify}


def operators_before(rt: Runtime) -> dict[str, str]:
    """The same with the audiences that they were under each key of the ring.

    What was to be told before a key was put in front is told as well.
    """
    return {
        messages.operator(hashed): url
        for url in rt.options.notify
        for hashed in rt.vault.fingerprints(url)
    }


def _of_notices(rt: Runtime, session: Session, now: float) -> list[News]:
    rows = notices.untold(session, now - SETTLE_SECONDS, at_once=AT_ONCE, limit=TOGETHER)
    if not rows:
        return []
    names, _ = needs.names_of(session, [row.subject for row in rows])
    over = [row for row in rows if row.cleared_at is not None]
    before = messages.posted(session, {_key(row) for row in over})
    audiences: dict[int, list[_Audience]] = {}
    hidden: dict[int, list[str]] = {}
    news = []
    for row in rows:
        if row.user_id not in audiences:
            audiences[row.user_id] = _audiences(rt, session, row.user_id)
            hidden[row.user_id] = _secrets(rt, session, row.user_id)
        name = names.get(row.subject, row.subject)
        for audience in audiences[row.user_id]:
            told = _told(session, row, audience, before)
            if told is not None:
                topic, body = told
                clean = scrub_text(rt.clean(body), hidden[row.user_id])
                key = f"{_key(row)}{OVER if topic.endswith(OVER) else ''}"
                news.append(
                    News(
                        audience=audience.name,
                        channel_id=audience.channel_id,
                        key=key,
                        topic=topic,
                        title=name,
                        body=clean,
                    )
                )
        row.told_at = now if row.cleared_at is None else None
        session.add(row)
    session.flush()
    return news


def _told(
    session: Session, row: Notice, audience: _Audience, before: set[tuple[str, str]]
) -> tuple[str, str] | None:
    """What this audience is told of it: topic and text; None: nothing."""
    if audience.channel_id is None and row.kind not in FOR_OPERATOR:
        return None
    if row.cleared_at is None:
        if row.kind == outages.CLOSED or row.created_at < audience.since:
            return None  # an outage that is over is told as the end of its beginning
        return row.kind, row.message
    if (audience.name, _key(row)) not in before:
        return None
    end = _end(session, row)
    return None if end is None else (f"{row.kind}{OVER}", end)


def _end(session: Session, row: Notice) -> str | None:
    """How it ended, in words, where that is good news."""
    kind, _, row_id = row.subject.partition(":")
    if row.kind == outages.OPENED:
        found = session.exec(
            select(Notice).where(
                col(Notice.subject) == row.subject,
                col(Notice.kind) == outages.CLOSED,
                col(Notice.cleared_at).is_(None),
            )
        ).first()
        return None if found is None else found.message
    if row.kind in (alarms.KIND, "late") and kind == "feed":
        feed = session.get(Feed, int(row_id))
        fresh = feed is not None and (feed.last_synced_at or 0.0) >= row.created_at
        if feed is not None and fresh and feed.state == FeedState.ACTIVE:
            return "its data is on the goal"
    if row.kind == links_lost.LINK:
        user = session.get(User, int(row_id))
        if user is not None and user.state == UserState.ACTIVE:
            return "Beeminder accepts Waggle's token; what waited follows by itself"
    if row.kind == links_lost.LOGIN:
        source = session.get(Source, int(row_id))
        if source is not None and source.state == SourceState.ACTIVE:
            return "the source answers; its feeds catch up by themselves"
    return None


def _of_alerts(rt: Runtime, session: Session, now: float) -> list[News]:
    news = []
    rows: Sequence[Alert] = alerts.untold(session, now - SETTLE_SECONDS)
    for row in rows:
        over = row.cleared_at is not None
        key = f"alert:{row.key}:{row.created_at:.3f}{OVER if over else ''}"
        body = f"this is over: {row.message}" if over else row.message
        news += [
            News(
                audience=audience,
                channel_id=None,
                key=key,
                topic=f"{HOUSE}{OVER}" if over else HOUSE,
                title="Waggle",
                body=rt.clean(body),
            )
            for audience in operators(rt)
        ]
        row.told_at = None if over else now
        session.add(row)
    session.flush()
    return news


def _key(row: Notice) -> str:
    """One opening of one notice: when it is raised again later it is another one."""
    return f"notice:{row.id}:{row.created_at:.3f}"


def _audiences(rt: Runtime, session: Session, user_id: int) -> list[_Audience]:
    theirs = [
        _Audience(messages.channel(found.id or 0), found.id, found.created_at)
        for found in channels.of_person(session, user_id)
    ]
    return theirs + [_Audience(name, None, 0.0) for name in operators(rt)]


def _secrets(rt: Runtime, session: Session, user_id: int) -> list[str]:
    """What may stand in no text about this person's things, should a vendor have repeated it."""
    found: list[str] = []
    user = session.get_one(User, user_id)
    theirs = session.exec(select(Source).where(col(Source.user_id) == user_id)).all()
    ciphers = [user.token_cipher, user.hook_cipher]
    ciphers += [cipher for one in theirs for cipher in (one.credentials_cipher, one.session_cipher)]
    for cipher in filter(None, ciphers):
        try:
            found += telling_words.secrets_in(rt.vault.decrypt(cipher))
        except VaultError:  # what nobody here can read, nobody can have repeated
            continue
    return sorted(found, key=len, reverse=True)
