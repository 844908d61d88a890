"""Taking feeds out of work: who waits for them is answered, who works on them is fenced off.

A sync that is under way would write its result, and the state `active`, over the pause: the epoch
is raised, so that it can write nothing any more.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import case, exists, select, update
from sqlmodel import Session, col

from db import feeds, inbox, notices, resting, sources
from db.models import Cover, Event, Feed, Goal
from db.opening import no_such_feed
from db.resting import NOTICE, SET_ASIDE
from db.states import EventState, FeedState, Lane

# Why a feed does not run that runs again with a new token.
ENDED_BY_TOKEN = ("deauthorized", "reauthorize", "auth_failed")
BY_A_PERSON = "paused by a person"


def pause(session: Session, found: Sequence[Feed], now: float) -> list[Feed]:
    """A person pauses these feeds; returns those that were not asleep before.

    What Waggle has paused or set aside is a person's pause from now on.
    """
    awake = [
        feed
        for feed in found
        if resting.is_claimable(feed.state, feed.reason)
        or resting.is_set_aside(feed.state, feed.reason)
    ]
    ids = [feed.id or 0 for feed in awake]
    halt(session, ids, state=FeedState.PAUSED, reason=BY_A_PERSON, now=now)
    return awake


def resume(session: Session, found: Sequence[Feed], now: float) -> list[Feed]:
    """A person has these feeds run; returns those that do. What is stopped needs to be linked."""
    resumed = [feed for feed in found if feed.state != FeedState.STOPPED]
    wake(session, [feed.id or 0 for feed in resumed], now)
    return resumed


def halt(
    session: Session, feed_ids: Collection[int], *, state: FeedState, reason: str, now: float
) -> None:
    """Pause or stop these feeds; an event that waited for nothing else ends as "no such feed".

    Also what Waggle itself had paused, because the goal rests: it is a person's pause now.
    """
    feeds.lock(session, col(Feed.id).in_(feed_ids))
    session.connection().execute(
        update(Feed)
        .where(col(Feed.id).in_(feed_ids))
        .values(
            state=state.value,
            reason=reason,
            epoch=col(Feed.epoch) + 1,
            lease_owner=None,
            lease_until=0.0,
        )
    )
    subjects = [f"feed:{feed_id}" for feed_id in feed_ids]
    if state == FeedState.STOPPED:  # what was kept back for a decision is withdrawn with it
        notices.clear_all(session, subjects=subjects, now=now)
    for subject in subjects:
        for kind in (NOTICE, SET_ASIDE):
            notices.clear(session, subject=subject, kind=kind, now=now)
    waiting = session.connection().execute(
        update(Cover)
        .where(col(Cover.feed_id).in_(feed_ids), col(Cover.done).is_(False))
        .values(done=True)
        .returning(col(Cover.event_id))
    )
    ids = set(waiting.scalars())
    open_cover = exists().where(col(Cover.event_id) == col(Event.id), col(Cover.done).is_(False))
    for_nothing_else = session.connection().execute(
        select(col(Event.id)).where(
            col(Event.id).in_(ids), col(Event.state) == EventState.WORKING, ~open_cover
        )
    )
    ended = list(for_nothing_else.scalars())
    inbox.finish(session, ended, now, error=no_such_feed(f"the feed is {state.value}"))


def wake(session: Session, feed_ids: Collection[int], now: float) -> None:
    """Sync these feeds again, at once, as if nothing had failed before.

    Those that had been set aside run alone at first.
    """
    feeds.lock(session, col(Feed.id).in_(feed_ids))
    for source_id in sources.renew_again(session, feed_ids):
        notices.clear(session, subject=f"source:{source_id}", kind=sources.RENEWAL, now=now)
    aside = session.connection().execute(
        select(col(Feed.id)).where(col(Feed.id).in_(feed_ids), col(Feed.reason) == SET_ASIDE)
    )
    for feed_id in aside.scalars().all():
        notices.clear(session, subject=f"feed:{feed_id}", kind=SET_ASIDE, now=now)
    session.connection().execute(
        update(Feed)
        .where(col(Feed.id).in_(feed_ids))
        .values(
            state=FeedState.ACTIVE.value,
            reason=None,
            lane=case((col(Feed.lane) > Lane.DEFAULT, Lane.DEFAULT.value), else_=col(Feed.lane)),
            due_at=now,
            attempts=0,
            deferrals=0,
            garbled=0,
            deaths=0,
            suspect_of="",
            deferred_since=None,
            failing_since=None,
            last_error=None,
        )
    )


def wake_after_token(session: Session, user_id: int, now: float) -> int:
    """A person gave us a new token: what the old one had stopped runs again; returns how many."""
    goals = select(col(Goal.id)).where(col(Goal.user_id) == user_id)
    ended = session.connection().execute(
        select(col(Feed.id)).where(
            col(Feed.goal_id).in_(goals),
            col(Feed.state).in_((FeedState.FAILING, FeedState.STOPPED)),
            col(Feed.reason).in_(ENDED_BY_TOKEN),
        )
    )
    feed_ids = [feed_id for feed_id in ended.scalars() if feed_id is not None]
    wake(session, feed_ids, now)
    return len(feed_ids)


def wake_after_login(session: Session, source_id: int, now: float) -> int:
    """A person linked this source, again perhaps: its feeds that had failed run; how many."""
    failed = session.connection().execute(
        select(col(Feed.id)).where(
            col(Feed.source_id) == source_id,
            col(Feed.state) == FeedState.FAILING,
            resting.running(),
        )
    )
    feed_ids = [feed_id for feed_id in failed.scalars() if feed_id is not None]
    wake(session, feed_ids, now)
    return len(feed_ids)
