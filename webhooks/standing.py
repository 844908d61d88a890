"""How a feed stands, in words: since when, why, and the one thing that a person can do. Pure."""

from dataclasses import dataclass
from urllib.parse import quote

from db import resting
from db.states import EventState, FeedState, SourceState, UserState
from webhooks import words
from webhooks.shown_feeds import Call, ShownFeed

SOURCES, CONNECT = "/sources", "/beeminder/connect"


@dataclass(frozen=True, slots=True)
class Todo:
    """The one thing to do: a link, or (`sends`) a form of one button."""

    label: str
    path: str
    sends: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """`badge` is a class of the style sheet, `word` what it says; `why` is a sentence or two."""

    badge: str
    word: str
    why: str = ""
    since: float | None = None
    todo: Todo | None = None


def path(username: str, slug: str, label: str = "") -> str:
    """The page of a goal, or of one of its feeds."""
    place = f"{slug}:{label}" if label else slug
    return f"/feeds/{quote(username, safe='')}/{quote(place, safe=':')}"


def path_of(feed: ShownFeed, *, alone: bool = True) -> str:
    """The page of a feed; one without a label beside others (not `alone`) ends with a colon."""
    found = path(feed.username, feed.slug, feed.label)
    return found if alone or feed.label else f"{found}:"


def of(feed: ShownFeed, now: float, *, goal_page: str, can_connect: bool = True) -> Standing:
    """How it stands. `goal_page`: the goal at Beeminder; `can_connect`: people sign in there."""
    here = path_of(feed)
    if feed.state == FeedState.STOPPED:
        return _stopped(feed, here, can_connect=can_connect)
    if feed.state == FeedState.PAUSED:
        return _paused(feed, here, goal_page)
    if feed.user_state != UserState.ACTIVE:
        return Standing(
            badge="failing",
            word="needs attention",
            why=feed.last_error or "Beeminder refuses the token: sign in there once more.",
            since=feed.failing_since,
            todo=Todo("Sign in at Beeminder again", CONNECT) if can_connect else None,
        )
    if feed.source_state == SourceState.REAUTHORIZE or feed.state == FeedState.FAILING:
        return _failing(feed, here)
    return _running(feed, now, here)


def _stopped(feed: ShownFeed, here: str, *, can_connect: bool) -> Standing:
    if feed.reason == "deauthorized":
        why = "Waggle's access was taken away at Beeminder: nothing is read or sent."
        todo = Todo("Connect again", CONNECT) if can_connect else None
    elif feed.reason == "unlinked":
        why = "It was unlinked: nothing is read or sent, and what was sent stays."
        todo = Todo("Link it again", f"{here}/relink", sends=True)
    else:
        reason = feed.reason or "no reason is known"
        why = f"It was stopped ({reason}); `waggle apply` brings it back."
        todo = None
    return Standing(badge="stopped", word="stopped", why=why, since=None, todo=todo)


def _paused(feed: ShownFeed, here: str, goal_page: str) -> Standing:
    if resting.is_resting(feed.state, feed.reason):
        return Standing(
            badge="paused",
            word="rests",
            why=feed.last_error or "The goal takes no data; it is looked at again by itself.",
            todo=Todo("Look at the goal at Beeminder", goal_page),
        )
    return Standing(
        badge="paused",
        word="paused",
        why="Paused by a person: nothing is read or sent, and Beeminder is told that there is no "
        "such feed.",
        todo=Todo("Resume", f"{here}/resume", sends=True),
    )


def _failing(feed: ShownFeed, here: str) -> Standing:
    todo, why = Todo("Try again", f"{here}/resume", sends=True), "It failed, for no known reason."
    if feed.source_state == SourceState.REAUTHORIZE:
        todo = Todo("Give it its login again", SOURCES)
        why = f"{feed.source} refuses its login."
    return Standing(
        badge="failing",
        word="needs attention",
        why=feed.last_error or why,
        since=feed.failing_since,
        todo=todo,
    )


def _running(feed: ShownFeed, now: float, here: str) -> Standing:
    if feed.held:
        days = "One correction waits" if feed.held == 1 else f"{feed.held} corrections wait"
        return Standing(
            badge="held",
            word="waits for you",
            why=f"{days} for your decision; everything else goes on.",
            todo=Todo("Decide", f"{here}#held"),
        )
    if feed.wait is not None:
        return Standing(badge="waiting", word="waits", why=f"It {feed.wait.told()}.")
    if feed.at_work:
        return Standing(badge="working", word="syncing now", why=feed.last_error or "")
    if feed.last_error:
        when = "now" if feed.due_at <= now else words.ago(feed.due_at, now)
        return Standing(
            badge="retrying",
            word="trying again",
            why=f"{feed.last_error} (next try: {when})",
            since=feed.failing_since,
        )
    if feed.due_at <= now:
        word = "waits for its turn" if feed.last_synced_at is not None else "not synced yet"
        return Standing(badge="waiting", word=word)
    return Standing(badge="active", word="in step")


def answered(call: Call | None, now: float, *, hold: float) -> str:
    """What became of the last time that Beeminder asked, in a few words; empty for never.

    `hold`: for how long it waits for its answer, in seconds.
    """
    if call is None:
        return ""
    if call.waited is None:
        return f"Beeminder asked {words.lasted(now - call.received_at)} ago and waits"
    took = words.lasted(call.waited)
    if call.state != EventState.DONE:
        return f"could not answer Beeminder after {took}"
    return (
        f"answered Beeminder in {took}" if call.waited <= hold else f"fresh after {took}, too late"
    )
