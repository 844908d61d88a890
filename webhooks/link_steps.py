"""What the steps of linking a goal share: who links what, what is offered, and how a step looks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from starlette.responses import Response

from db.models import Source, User
from db.states import ErrandKind
from webhooks import asking, charts, errors, link_state, persons, sources_shown
from webhooks.charts import DayShown
from webhooks.link_state import Chosen
from webhooks.services import Field, MetricForm, ProviderForm
from webhooks.visits import Visit

STEPS = (
    ("/link", "Source"),
    ("/link/metric", "Metric"),
    ("/link/goal", "Goal"),
    ("/link/preview", "Preview"),
    ("/link/confirm", "Confirm"),
)
PER_PAGE = 48


@dataclass(frozen=True, slots=True)
class At:
    """A step of somebody's link, with the rows and forms that were chosen."""

    user: User
    source: Source
    form: ProviderForm
    metric: MetricForm | None
    chosen: Chosen


def at(visit: Visit) -> At | Response:
    """Who links what, or the step at which something has to be chosen first."""
    sent = visit.request.method == "POST"
    chosen = link_state.read(visit.form if sent else visit.request.query_params)
    with visit.receiver.ledger.read() as session:
        user = persons.chosen(visit, session)
        if user is None or not chosen.get("source"):
            return visit.go("/link")
        row = sources_shown.one(session, user.id or 0, chosen.get("source"))
    if row is None:
        raise errors.NotFoundError
    forms = {form.name: form for form in visit.receiver.services.providers()}
    if row.provider not in forms:
        say = f"No provider {row.provider} is installed here any more: choose another source."
        return visit.go("/link", say=say, kind="bad")
    form = forms[row.provider]
    named = chosen.get("metric") or (form.metrics[0].name if len(form.metrics) == 1 else "")
    return At(user, row, form, form.metric(named), chosen)


def offered(
    metric: MetricForm | None, found: Sequence[dict[str, str]], visit: Visit
) -> list[tuple[Field, list[dict[str, str]], int, int]]:
    """(a parameter, what the source has for it, how many more, how many there are in all).

    What it has is of a kind that is called like the parameter, or ends with its name.
    """
    wanted = (visit.query("q") or "").lower()
    offers = []
    for field in metric.fields if metric else ():
        word = field.name.replace("_", " ")
        fitting = [
            one
            for one in found
            if (one["kind"] == word or one["kind"].split()[-1] == word) and one["id"] != "…"
        ]
        shown = [
            one
            for one in fitting
            if not wanted or any(wanted in one[key].lower() for key in ("id", "name", "detail"))
        ]
        offers.append((field, shown[:PER_PAGE], max(0, len(shown) - PER_PAGE), len(fitting)))
    return offers


def ask_preview(visit: Visit, at: At, draft: Mapping[str, Any]) -> asking.Asked:
    """The preview of this draft. How often it is synced changes nothing of it, so asks nobody."""
    return asking.ask(
        visit,
        ErrandKind.PREVIEW,
        user_id=at.user.id or 0,
        source_id=at.source.id,
        params=dict(draft) | {"every": 3600.0},
    )


def chart_of(answer: Mapping[str, Any]) -> str:
    """The days of a preview as a chart; empty without an answer."""
    shown = [
        DayShown(daystamp=row["daystamp"], source=row["source"], there=row["there"])
        for row in answer.get("days", [])
    ]
    if not any(day.source is not None or day.there is not None for day in shown):
        return ""
    return charts.days(shown, label="The last 14 days", unit=answer.get("unit") or "")


def today(visit: Visit, user: User) -> str:
    """The date of now where this person lives."""
    try:
        zone = ZoneInfo(user.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        zone = ZoneInfo("UTC")
    return datetime.fromtimestamp(visit.now, zone).date().isoformat()


def page(
    visit: Visit, template: str, step: str, chosen: Chosen, *, status: int = 200, **values: object
) -> Response:
    """A step with the way to those before it."""
    here = [path for path, _ in STEPS].index(step)
    return visit.page(
        template,
        status=status,
        title="Link a goal · Waggle",
        chosen=chosen,
        steps=[
            (chosen.path(path) if place < here else None, word, place < here, place == here)
            for place, (path, word) in enumerate(STEPS)
        ],
        **values,
    )
