"""Sending messages: what waits for an audience, in one text, through Apprise.

Nothing is held while a service is asked: rows are leased, the services are asked side by side in a
process of their own (`clients.notifier`) that ends in time whatever they do, and each outcome is
written down as it comes. So one that hangs keeps nobody waiting, and no more than two processes are
at it in one worker. Told at least once, and at most twice: see `db.messages`.
"""

from collections.abc import Sequence

import structlog

from clients import notifier
from clients.errors import Unavailable
from clients.notifier import Guard, Letter, Outcome
from db import channels, messages
from db.messages import MOST_DOUBTS, Held
from db.models_pages import Channel, Message
from db.vault import VaultError
from tasks import policy, telling_news, telling_words
from tasks.policy import Again, Tried
from tasks.runtime import Runtime
from tasks.telling_words import Line

log = structlog.get_logger(__name__)

AUDIENCES = 8  # that one process tells
SECONDS = 20.0
LONGEST_REASON = 300
REMOVED = "this address is not in WAGGLE_NOTIFY any more"
UNREADABLE = "its address cannot be read with the keys in WAGGLE_SECRET_KEYS: add it again"
TEST_BODY = "This is a test. What you should know of your goals will be told here."
TEST_TITLE = "Waggle: a test"


def run(rt: Runtime, *, seconds: float = SECONDS) -> bool:
    """Make messages of what is new, then send some; True: there may be more to send.

    `seconds`: for a service to take a text.
    """
    telling_news.find(rt)
    if rt.stopping.is_set() or not rt.tellers.acquire(blocking=False):
        return False
    try:
        return _send(rt, seconds)
    finally:
        rt.tellers.release()


def guard_of(rt: Runtime) -> Guard:
    """What addresses of people may call: what those of their sources may."""
    return Guard(private=rt.options.private_addresses, loopback=rt.options.loopback_addresses)


def _send(rt: Runtime, seconds: float) -> bool:
    now = rt.clock.now()
    with rt.ledger.read() as session:
        if not messages.any_due(session, now):
            return False
    with rt.ledger.write() as session:
        claims = messages.claim(session, owner=rt.owner, now=rt.clock.now(), limit=AUDIENCES)
    rt.step("messages.claimed")
    urls = _addresses(rt, claims)
    known = {held.audience: held for held in claims if urls[held.audience] is not None}
    for held in claims:
        if held.audience not in known:
            gone = REMOVED if held.channel_id is None else UNREADABLE
            told = Outcome(key=held.audience, ok=False, reason=gone, final=True)
            _record(rt, held, told)
    for guard, theirs in (
        (None, [held for held in known.values() if held.channel_id is None]),
        (guard_of(rt), [held for held in known.values() if held.channel_id is not None]),
    ):
        letters = [_letter(rt, held, urls[held.audience] or "") for held in theirs]
        if not letters:
            continue
        found = notifier.send(letters, guard=guard, seconds=seconds, stopping=rt.stopping.is_set)
        for outcome in found:
            rt.trace("messages.sent")
            _record(rt, known[outcome.key], outcome)
    return bool(claims)


def _addresses(rt: Runtime, claims: Sequence[Held]) -> dict[str, str | None]:
    """By audience; None where there is none any more, or nobody can read it."""
    found: dict[str, str | None] = {}
    operators = telling_news.operators_before(rt)
    with rt.ledger.read() as session:
        for held in claims:
            if held.channel_id is None:
                found[held.audience] = operators.get(held.audience)
                continue
            channel = session.get(Channel, held.channel_id)
            try:
                cipher = "" if channel is None else channel.url_cipher
                found[held.audience] = rt.vault.decrypt(cipher)
            except VaultError:
                found[held.audience] = None
    return found


def _letter(rt: Runtime, held: Held, url: str) -> Letter:
    if held.is_test:
        return Letter(held.audience, url, TEST_TITLE, TEST_BODY)
    lines = [Line(row.topic, row.title, row.body) for row in held.rows]
    title, body = telling_words.text(lines, pages=rt.options.public_url)
    return Letter(held.audience, url, title, body)


def _record(rt: Runtime, held: Held, outcome: Outcome) -> None:
    """Write down what became of a text; nothing where somebody else has taken it since."""
    reason = rt.clean(outcome.reason or "")[:LONGEST_REASON]
    with rt.ledger.write() as session:
        now = rt.clock.now()
        if outcome.ok:
            if messages.sent(session, held, now) and held.channel_id is not None:
                channels.told(session, held.channel_id, now)
            log.info("messages.told", audience=held.audience, count=len(held.rows))
            return
        over, due_at = _over(rt, held, outcome, now)
        again = [row for row in held.rows if row not in over]
        gone = messages.give_up(session, held, over, reason, now)
        left = 0
        for doubts in {row.doubts for row in again}:
            left += messages.put_back(
                session,
                held,
                [row for row in again if row.doubts == doubts],
                due_at=due_at,
                error=reason,
                doubts=doubts + outcome.doubtful,
            )
        if (gone or left) and held.channel_id is not None:
            channels.in_trouble(session, held.channel_id, reason, given_up=gone > 0)
    log.warning(
        "messages.not_told",
        audience=held.audience,
        service=outcome.service,
        reason=reason,
        given_up=gone,
    )


def _over(rt: Runtime, held: Held, outcome: Outcome, now: float) -> tuple[list[Message], float]:
    """Those of these messages that are not tried again, and when the others are."""
    if outcome.final or held.is_test:
        return list(held.rows), now
    over, due_at = [], now
    for row in held.rows:
        tried = Tried(attempts=row.attempts - 1, age=now - row.created_at)
        decided = policy.decide(
            policy.TELL, Unavailable(outcome.reason or ""), tried, now=now, rng=rt.rng
        )
        if row.doubts + outcome.doubtful >= MOST_DOUBTS or not isinstance(decided, Again):
            over.append(row)
        else:
            due_at = max(due_at, now + decided.seconds)
    return over, due_at
