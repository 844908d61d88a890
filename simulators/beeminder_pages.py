"""Pages to look at: users and goals, the datapoints of a goal, and buttons that call back."""

from datetime import datetime, timedelta
from html import escape
from urllib.parse import parse_qsl, quote
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from simulators import beeminder_html as html
from simulators import beeminder_views as views
from simulators.beeminder_calls import CallResult, Calls, NotCalledError
from simulators.beeminder_state import BeeminderState, Datapoint, Goal, User

_SHOWN = 60
_CHART_DAYS = 30
_CHART = (720, 120)
_FINE = range(200, 300)


class Pages:
    """`/`, `/<user>/<goal>`, and the buttons behind `/buttons/<what>`."""

    def __init__(self, state: BeeminderState, calls: Calls) -> None:
        self.state = state
        self.calls = calls

    def routes(self) -> list[Route]:
        """Put them last: a goal's page is any path of two parts."""
        return [
            Route("/", self.home, methods=["GET"]),
            Route("/buttons/{what}", self.press, methods=["POST"]),
            Route("/{user}/{slug}", self.goal, methods=["GET"]),
        ]

    async def home(self, _request: Request) -> Response:
        """All users with their goals, and the calls made so far."""
        with self.state.lock:
            people = "".join(self._user(user) for user in self.state.users.values())
            apps = [
                [escape(app.name), _code(app.client_id), _code(app.autofetch_url or "none")]
                for app in self.state.apps.values()
            ]
        listed = html.table(["app", "client id", "autofetch URL"], apps)
        calls = _calls(list(self.calls.made))
        return html.page("Goals", f"{people}<section><h2>Apps</h2>{listed}</section>{calls}")

    async def goal(self, request: Request) -> Response:
        """One goal with its datapoints."""
        username, slug = request.path_params["user"], request.path_params["slug"]
        try:
            with self.state.lock:
                goal = self.state.goal(username, slug)
                points = self.state.datapoints(username, slug)
                user = self.state.users[username]
                body = self._goal_body(user, goal, points)
        except KeyError:
            return html.page("No such goal", "<section>Nothing lives here.</section>", status=404)
        made = [call for call in self.calls.made if (call.username, call.slug) == (username, slug)]
        return html.page(f"{username}/{slug}", body + _calls(made))

    async def press(self, request: Request) -> Response:
        """A button: makes the call, then shows the page that it stands on."""
        fields = dict(parse_qsl((await request.body()).decode()))
        username, slug = fields.get("username", ""), fields.get("slug", "")
        back = f"/{quote(username)}/{quote(slug)}" if slug else "/"
        try:
            match request.path_params["what"]:
                case "refresh":
                    plan = self.calls.plan_refresh(username, slug, force="force" in fields)
                case "remind":
                    plan = self.calls.plan_reminder(username, slug)
                case _:
                    plan = self.calls.plan_deauthorize(username, app=fields.get("app"))
        except NotCalledError as exc:
            text = (
                f"<section><p class=bad>{escape(str(exc))}</p><a href='{back}'>back</a></section>"
            )
            return html.page("Nobody was called", text, status=409)
        await self.calls.make(plan)
        return RedirectResponse(back, status_code=303)

    def _user(self, user: User) -> str:
        rows = []
        for goal in user.goals.values():
            link = f"/{quote(user.username)}/{quote(goal.slug)}"
            value = views.current_value(self.state, goal)
            rows.append(
                [
                    f"<a href='{link}'>{escape(goal.slug)}</a>",
                    escape(goal.title or ""),
                    f"{value:g} {escape(goal.gunits)}" if value is not None else "no data",
                    escape(goal.autodata or "manual"),
                    _buttons(user, goal),
                ]
            )
        heads = ["goal", "title", "now", "data source", ""]
        leave = "".join(
            html.button(
                "/buttons/deauthorize",
                f"De-authorize {name}",
                {"username": user.username, "app": name},
            )
            for name in user.app_tokens
        )
        where = f"<span class=soft>{escape(user.timezone)}</span>"
        return (
            f"<section><h2>{escape(user.username)} {where}</h2>"
            f"{html.table(heads, rows)}<p>{leave}</p></section>"
        )

    def _goal_body(self, user: User, goal: Goal, points: list[Datapoint]) -> str:
        zone = ZoneInfo(user.timezone)
        rows = [
            [
                escape(point.daystamp),
                f"{point.value:g}",
                escape(point.comment),
                _code(point.requestid or ""),
                escape(point.origin),
                datetime.fromtimestamp(point.landed_at, zone).strftime("%d %b %H:%M:%S"),
            ]
            for point in reversed(points[-_SHOWN:])
        ]
        heads = ["day", f"value ({goal.gunits})", "comment", "requestid", "origin", "landed"]
        today = self.state.daystamp(goal, self.state.clock())
        facts = (
            f"{escape(goal.title or '')} · {escape(goal.goal_type)} · {escape(goal.aggday)}"
            f"{' · auto-sum' if goal.kyoom else ''} · deadline {goal.deadline // 3600:+d} h"
            f" · data from {escape(goal.autodata or 'nobody')}"
        )
        return (
            f"<section><p>{facts}</p>{_buttons(user, goal)}</section>"
            f"<section><h2>By day</h2>{_chart(points, today)}</section>"
            f"<section><h2>{len(points)} datapoints</h2>{html.table(heads, rows)}</section>"
        )


def _buttons(user: User, goal: Goal) -> str:
    who = {"username": user.username, "slug": goal.slug}
    pressed = html.button("/buttons/refresh", "Refresh", who, main=True)
    return pressed + (html.button("/buttons/remind", "Remind", who) if user.hook_url else "")


def _chart(points: list[Datapoint], today: str) -> str:
    """A bar per day up to today; what a screen reader gets is the range."""
    totals: dict[str, float] = {}
    for point in points:
        totals[point.daystamp] = totals.get(point.daystamp, 0.0) + point.value
    last = datetime.strptime(today, "%Y%m%d")  # noqa: DTZ007 - a date
    names = [f"{last - timedelta(days=age):%Y%m%d}" for age in reversed(range(_CHART_DAYS))]
    width, height = _CHART
    highest = max((totals.get(name, 0.0) for name in names), default=0.0) or 1.0
    step = width / _CHART_DAYS
    bars = "".join(
        f'<rect x="{index * step + 1:.1f}" width="{step - 2:.1f}" y="{height - size:.1f}"'
        f' height="{size:.1f}" fill="#d9a400"><title>{name}: {totals[name]:g}</title></rect>'
        for index, name in enumerate(names)
        if (size := max(0.0, totals.get(name, 0.0)) / highest * height) > 0
    )
    return (
        f'<svg viewBox="0 0 {width} {height}" role=img width="100%"'
        f' aria-label="Daily totals of {_CHART_DAYS} days, at most {highest:g}">{bars}</svg>'
        f"<p class=soft>{names[0]} to {names[-1]}, highest {highest:g}</p>"
    )


def _calls(made: list[CallResult]) -> str:
    if not made:
        return ""
    rows = []
    for call in reversed(made[-20:]):
        kind = "good" if call.status in _FINE else "bad"
        said = call.body or call.error or ""
        rows.append(
            [
                escape(call.kind),
                escape(f"{call.username}/{call.slug or ''}"),
                f"<strong class={kind}>{call.status or 'no answer'}</strong>",
                f"{call.duration:.2f} s",
                f"<pre>{escape(said[:300])}</pre>",
            ]
        )
    heads = ["call", "about", "answer", "took", "it said"]
    return f"<section><h2>Calls made</h2>{html.table(heads, rows)}</section>"


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"
