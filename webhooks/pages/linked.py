"""What ties a goal that is linked: who feeds it, undoing, unlinking, manual entry, a preview."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from starlette.responses import Response

from db.models import Goal, User
from db.states import ErrandKind, FeedState
from webhooks import asking, errors, link_shown, link_steps, persons, visits
from webhooks.link_shown import FeedLinked
from webhooks.visits import Visit

WORDS = {
    ErrandKind.LINK: "linked",
    ErrandKind.UNLINK: "unlinked",
    ErrandKind.UNDO: "unlinked again",
    ErrandKind.MANUAL: "back to manual entry",
}


@dataclass(frozen=True, slots=True)
class At:
    """A goal by its address: the part behind a colon is the label of one of its feeds."""

    user: User
    goal: Goal | None
    slug: str
    label: str | None
    feeds: list[FeedLinked]

    @property
    def name(self) -> str:
        """user/goal or user/goal:label."""
        return link_shown.name_of(self.user, self.slug, self.label or "")

    @property
    def meant(self) -> list[FeedLinked]:
        """The feed of that label, or all of the goal's."""
        return [feed for feed in self.feeds if self.label in (None, feed.label)]

    @property
    def path(self) -> str:
        """The address of all of this."""
        which = self.slug if self.label is None else f"{self.slug}:{self.label}"
        return f"/feeds/{quote(self.user.username)}/{quote(which, safe=':')}"


def _at(visit: Visit) -> At:
    slug, colon, label = visit.path("goal").lower().partition(":")
    with visit.receiver.ledger.read() as session:
        user = persons.of_name(visit, session, visit.path("user"))
        goal = link_shown.goal(session, user.id or 0, slug)
        feeds = [] if goal is None else link_shown.feeds(session, goal.id or 0)
    return At(user, goal, slug, label if colon else None, feeds)


def link(visit: Visit) -> Response:
    """`/feeds/{user}/{goal}/link`: what has just been done about it, and what can be done."""
    at = _at(visit)
    with visit.receiver.ledger.read() as session:
        lately = link_shown.lately(session, at.user.id or 0, at.slug, visit.now)
    if not at.feeds and not lately:
        raise errors.NotFoundError
    asked = asking.shown(visit, lately[0]) if lately else None
    if asked is not None and asked.done and visit.query("then") and not asked.answer["failed"]:
        word = WORDS[ErrandKind(lately[0].kind)]
        told = ". ".join([f"{asked.answer['feed']} is {word}", *asked.answer["said"]])
        return visit.go(f"/feeds/{quote(at.user.username)}/{quote(at.slug)}", say=f"{told}.")
    running = [feed for feed in at.meant if feed.state != FeedState.STOPPED]
    return visit.page(
        "link/linked.html",
        title=f"{at.name} · Waggle",
        at=at,
        asked=asked,
        done=WORDS[ErrandKind(lately[0].kind)] if lately else "",
        undo=link_shown.undo(lately) is not None,
        running=running,
        app=visit.receiver.config.app_name,
    )


def preview(visit: Visit) -> Response:
    """`/feeds/{user}/{goal}/preview`: what the next sync would send, and why."""
    at = _at(visit)
    running = [feed for feed in at.feeds if feed.state != FeedState.STOPPED]
    feed = next((feed for feed in running if feed in at.meant), None)
    if feed is None:
        raise errors.NotFoundError
    asked = asking.ask(
        visit, ErrandKind.PREVIEW, user_id=at.user.id or 0, params={"feed_id": feed.id}
    )
    return visit.page(
        "link/feed_preview.html",
        title=f"Preview of {at.name} · Waggle",
        at=at,
        feed=feed,
        running=running,
        asked=asked,
        chart=link_steps.chart_of(asked.answer),
    )


def _doing(kind: ErrandKind, action: str) -> Callable[[Visit], Response]:
    """A form that has something done about a goal."""

    def handler(visit: Visit) -> Response:
        at = _at(visit)
        if at.goal is None or not at.meant:
            raise errors.NotFoundError
        name, label = at.name, at.label
        if kind is ErrandKind.UNDO:
            with visit.receiver.ledger.read() as session:
                lately = link_shown.lately(session, at.user.id or 0, at.slug, visit.now)
            linked = link_shown.undo(lately)
            if linked is not None:  # just the feed that it made, also where others are on the goal
                name, label = linked.params["name"], linked.params["label"]
            else:
                say = "There is no link to undo any more; unlinking does the same."
                return visit.go(f"{at.path}/link", say=say, kind="warn")
        asking.begin(
            visit,
            kind,
            user_id=at.user.id or 0,
            goal_id=at.goal.id,
            params={"name": name, "label": label},
            deed=(action, name),
        )
        return visit.go(f"{at.path}/link")

    return handler


ROUTES = (
    visits.page("/feeds/{user}/{goal}/link", link),
    visits.page("/feeds/{user}/{goal}/preview", preview),
    visits.form("/feeds/{user}/{goal}/unlink", _doing(ErrandKind.UNLINK, "feed.unlink")),
    visits.form("/feeds/{user}/{goal}/manual", _doing(ErrandKind.MANUAL, "feed.manual")),
    visits.form("/feeds/{user}/{goal}/relink", _doing(ErrandKind.LINK, "feed.relink")),
    visits.form("/feeds/{user}/{goal}/undo", _doing(ErrandKind.UNDO, "feed.undo")),
)
