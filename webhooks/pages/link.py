"""Linking a goal in five steps: source, metric, goal, preview, confirm.

Each step has an address that holds what was chosen before (`webhooks.link_state`). What a step
shows of the source or of Beeminder is an errand; what is confirmed becomes one too.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from db.models import User
from db.states import ErrandKind
from webhooks import (
    asking,
    link_shown,
    link_state,
    link_steps,
    persons,
    sources_shown,
    visits,
)
from webhooks.link_state import Chosen
from webhooks.link_steps import At
from webhooks.visits import Visit

EVERY = (
    ("15m", "every 15 minutes"),
    ("1h", "every hour"),
    ("6h", "every 6 hours"),
    ("1d", "daily"),
)
CORRECTIONS = (
    ("", "as this Waggle is set"),
    ("careful", "careful: what makes a finished day worse waits for me"),
    ("always", "always send corrections"),
    ("never", "never change a finished day"),
)


def sources(visit: Visit) -> Response:
    """`/link`: which source."""
    chosen = link_state.read(visit.request.query_params)
    with visit.receiver.ledger.read() as session:
        user = persons.chosen(visit, session)
        people = persons.choices(session) if visit.viewer.operator else []
        found = [] if user is None else sources_shown.of_person(session, user.id or 0)
    titles = {form.name: form.title for form in visit.receiver.services.providers()}
    return link_steps.page(
        visit,
        "link/source.html",
        "/link",
        chosen,
        user=None if user is None else user.username,
        people=[person.username for person in people],
        sources=[
            (
                row.name,
                titles.get(row.provider, row.provider),
                sources_shown.account(row.settings),
                row.state,
                _path(visit, user, row.name),
            )
            for row in found
        ],
    )


def metric(visit: Visit) -> Response:
    """`/link/metric`: what of the source, with what it really has."""
    at = link_steps.at(visit)
    return at if isinstance(at, Response) else _metric(visit, at, {})


def goal(visit: Visit) -> Response:
    """`/link/goal`: which goal; the parameters are checked first."""
    at = link_steps.at(visit)
    if isinstance(at, Response):
        return at
    stopped = _params(visit, at)
    if isinstance(stopped, Response):
        return stopped
    asked = asking.ask(visit, ErrandKind.GOALS, user_id=at.user.id or 0)
    with visit.receiver.ledger.read() as session:
        fed = link_shown.fed(session, at.user.id or 0)
    wanted = (visit.query("q") or "").lower()
    found = [
        one
        for one in asked.answer.get("goals", [])
        if wanted in one["slug"].lower() or wanted in (one["title"] or "").lower()
    ]
    return link_steps.page(
        visit,
        "link/goal.html",
        "/link/goal",
        at.chosen,
        at=at,
        asked=asked,
        goals=found[: link_steps.PER_PAGE],
        more=max(0, len(found) - link_steps.PER_PAGE),
        many=len(asked.answer.get("goals", [])) > 8,  # noqa: PLR2004 -- more than fit on a screen
        q=visit.query("q") or "",
        fed=fed,
    )


def preview(visit: Visit) -> Response:
    """`/link/preview`: two weeks beside what is on the goal, and when and how it is sent."""
    at = link_steps.at(visit)
    if isinstance(at, Response):
        return at
    draft = _draft(visit, at)
    return draft if isinstance(draft, Response) else _preview(visit, at, draft, {})


def confirm(visit: Visit) -> Response:
    """`/link/confirm`: all that was chosen, once more."""
    at = link_steps.at(visit)
    if isinstance(at, Response):
        return at
    draft = _draft(visit, at)
    if isinstance(draft, Response):
        return draft
    return link_steps.page(
        visit,
        "link/confirm.html",
        "/link/confirm",
        at.chosen,
        at=at,
        draft=draft,
        feed=link_shown.name_of(at.user, draft["goal"], draft["label"]),
        every=dict(EVERY).get(at.chosen.get("every") or "1h", at.chosen.get("every")),
        corrections=dict(CORRECTIONS).get(at.chosen.get("corrections"), ""),
        asked=link_steps.ask_preview(visit, at, draft),
    )


def make(visit: Visit) -> Response:
    """Have the feed made, and go to where it can be seen that it is."""
    at = link_steps.at(visit)
    if isinstance(at, Response):
        return at
    draft = _draft(visit, at)
    if isinstance(draft, Response):
        return visit.go(at.chosen.path("/link/confirm"))  # which says what is wrong
    name = link_shown.name_of(at.user, draft["goal"], draft["label"])
    asking.begin(
        visit,
        ErrandKind.LINK,
        user_id=at.user.id or 0,
        source_id=at.source.id,
        params=draft | {"name": name, "take": not at.chosen.get("keep")},
        deed=("feed.link", name),
    )
    return visit.go(f"/feeds/{quote(name, safe='/:')}/link?then=feed")


def _params(visit: Visit, at: At) -> dict[str, Any] | Response:
    """The parameters as they are stored, or the step that asks for them once more."""
    if at.metric is None:
        return visit.go(at.chosen.path("/link/metric"))
    checked = visit.receiver.services.check_params(
        at.form.name, at.metric.name, dict(at.chosen.params)
    )
    if checked.values is None:
        return _metric(visit, at, checked.mistakes)
    return checked.values


def _draft(visit: Visit, at: At) -> dict[str, Any] | Response:
    """The whole feed as an errand wants it, or the step at which something is wrong."""
    params = _params(visit, at)
    if isinstance(params, Response):
        return params
    if not at.chosen.get("goal"):
        return visit.go(at.chosen.path("/link/goal"))
    given = {"since": link_steps.today(visit, at.user), "every": "1h"} | dict(at.chosen.values)
    checked = visit.receiver.services.check_feed(given, now=visit.now)
    if checked.values is None:
        plain = {"goal": given["goal"], "since": link_steps.today(visit, at.user), "every": "1h"}
        usual = visit.receiver.services.check_feed(plain, now=visit.now)
        if usual.values is None:  # it is the goal that is no goal
            say = f"{checked.mistakes.get('goal', 'That is no goal')}."
            return visit.go(at.chosen.path("/link/goal", goal=""), say=say, kind="bad")
        rest = {"metric": at.metric.name if at.metric else "", "params": params}
        return _preview(visit, at, usual.values | rest, checked.mistakes)
    return checked.values | {"metric": at.metric.name if at.metric else "", "params": params}


def _metric(visit: Visit, at: At, mistakes: Mapping[str, str]) -> Response:
    asked = None
    if at.metric is not None and at.metric.fields:
        asked = asking.ask(visit, ErrandKind.LOOK, user_id=at.user.id or 0, source_id=at.source.id)
    found = [] if asked is None else asked.answer.get("found", [])
    return link_steps.page(
        visit,
        "link/metric.html",
        "/link/metric",
        at.chosen,
        status=422 if mistakes else 200,
        at=at,
        asked=asked,
        fields=link_steps.offered(at.metric, found, visit),
        mistakes=mistakes,
        plain=Chosen(at.chosen.values).fields("metric"),  # the form gives the parameters anew
        q=visit.query("q") or "",
    )


def _preview(
    visit: Visit, at: At, draft: Mapping[str, Any], mistakes: Mapping[str, str]
) -> Response:
    with visit.receiver.ledger.read() as session:
        fed = link_shown.fed(session, at.user.id or 0).get(draft["goal"], [])
    asked = link_steps.ask_preview(visit, at, draft)
    return link_steps.page(
        visit,
        "link/preview.html",
        "/link/preview",
        at.chosen,
        status=422 if mistakes else 200,
        at=at,
        draft=draft,
        asked=asked,
        chart=link_steps.chart_of(asked.answer),
        fed=fed,
        since=at.chosen.get("since") or link_steps.today(visit, at.user),
        every=at.chosen.get("every") or "1h",
        everies=EVERY,
        choices=CORRECTIONS,
        mistakes=mistakes,
    )


def _path(visit: Visit, user: User | None, source: str) -> str:
    named = {"user": user.username} if user is not None and visit.viewer.operator else {}
    return Chosen({**named, "source": source}).path("/link/metric")


ROUTES = (
    visits.page("/link", sources),
    visits.form("/link", make),
    visits.page("/link/metric", metric),
    visits.page("/link/goal", goal),
    visits.page("/link/preview", preview),
    visits.page("/link/confirm", confirm),
)
