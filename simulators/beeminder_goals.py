"""Creating and changing goals."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from simulators import beeminder_aggregate as aggregate
from simulators import beeminder_days as days
from simulators import beeminder_views as views
from simulators.beeminder_state import MAX_SLUG, BeeminderState, Datapoint, Goal, User
from simulators.beeminder_tokens import ApiError

# yaw, dir, aggday, kyoom, odom: what a goal type is short for.
_TYPES = {
    "hustler": (1, 1, "sum", True, False),
    "biker": (1, 1, "last", False, True),
    "fatloser": (-1, -1, "min", False, False),
    "gainer": (1, 1, "max", False, False),
    "inboxer": (-1, -1, "min", False, False),
    "drinker": (-1, 1, "sum", True, False),
    "custom": (1, 1, "last", False, False),
}
_BUILT_IN_SOURCES = frozenset({"api", "ifttt", "zapier"})
_GIVEN_TWO = 2
# Fields that are only kept and shown again.
_PLAIN = ("yaxis", "tmin", "tmax", "panic", "ephem")
_BOOLEANS = ("secret", "datapublic", "integery")
_YES = ("true", "1", "True", True, 1)


def create(state: BeeminderState, user: User, params: Mapping[str, Any]) -> dict[str, Any]:
    """POST goals.json: the goal as JSON. ApiError 422 with a list per field."""
    errors: dict[str, list[str]] = {}
    slug = str(params.get("slug") or "").lower()
    kind = str(params.get("goal_type") or "")
    if not re.fullmatch(r"[a-z0-9_-]+", slug) or len(slug) > MAX_SLUG:
        errors["slug"] = ["is invalid"]
    elif slug in user.goals:
        errors["slug"] = ["has already been taken"]
    if kind not in _TYPES:
        errors["gtype"] = ["can't be blank"] if not kind else ["is not included in the list"]
    if not params.get("gunits"):
        errors["gunits"] = ["can't be blank"]
    given = [name for name in ("goaldate", "goalval", "rate") if _given(params, name) is not None]
    if len(given) != _GIVEN_TWO:
        errors["rfin"] = ["exactly two of goaldate, goalval and rate are needed"]
    if errors:
        raise ApiError(422, {"errors": errors})
    yaw, direction, aggday, kyoom, odom = _TYPES[kind]
    goaldate = _given(params, "goaldate")
    now = state.clock()
    goal = Goal(
        id=state.new_id(),
        slug=slug,
        owner=user.username,
        created_at=now,
        changed_at=now,
        title=params.get("title"),
        goal_type=kind,
        gunits=str(params["gunits"]),
        rate=_given(params, "rate"),
        goalval=_given(params, "goalval"),
        goaldate=None if goaldate is None else int(goaldate),
        initval=_given(params, "initval") or 0.0,
        kyoom=kyoom,
        aggday=aggday,
        odom=odom,
        yaw=yaw,
        dir=direction,
        autodata=_source(state, str(params.get("datasource") or "")),
        tags=_tags(params.get("tags")),
    )
    # A goal that was just made has no numbers yet.
    fresh = dict.fromkeys(("safebuf", "lane", "delta", "mathishard", "curval"))
    shown = {**fresh, "losedate": int(now), "colorkey": "gray", "queued": True}
    if params.get("dryrun") not in _YES:
        user.goals[slug] = goal
        _add_initial(state, user, goal, value=_given(params, "initval") or 0.0)
        state.touch(goal)
    return {**views.goal(state, goal), **shown}


def change(state: BeeminderState, goal: Goal, params: Mapping[str, Any]) -> None:
    """PUT on a goal: only what is sent changes, and nothing if any of it is wrong. ApiError 422."""
    counting = [name for name in ("aggday", "kyoom") if name in params]
    if counting and not state.premium:
        raise ApiError(422, {"errors": {counting[0]: ["can't be changed on your plan"]}})
    if "aggday" in params and params["aggday"] not in aggregate.METHODS:
        raise ApiError(422, {"errors": {"aggday": ["is not included in the list"]}})
    drawn = _road(state, goal, params["roadall"]) if "roadall" in params else None
    source = _source(state, str(params["datasource"] or "")) if "datasource" in params else None
    if "slug" in params and params["slug"] != goal.slug:
        _rename(state, goal, str(params["slug"]).lower())
    if drawn is not None:
        goal.roadall = drawn
    if "datasource" in params:
        goal.autodata = source
    if "title" in params:
        goal.title = params["title"]
    if "aggday" in params:
        goal.aggday = str(params["aggday"])
    if "kyoom" in params:
        goal.kyoom = params["kyoom"] in _YES
    if "tags" in params:
        goal.tags = _tags(params["tags"])
    goal.facts.update({name: params[name] for name in _PLAIN if name in params})
    goal.facts.update({name: params[name] in _YES for name in _BOOLEANS if name in params})
    state.touch(goal)


def _rename(state: BeeminderState, goal: Goal, slug: str) -> None:
    if not re.fullmatch(r"[a-z0-9_-]+", slug) or len(slug) > MAX_SLUG:
        raise ApiError(422, {"errors": {"slug": ["is invalid"]}})
    try:
        state.rename_goal(goal.owner, goal.slug, slug)
    except KeyError:
        raise ApiError(422, {"errors": {"slug": ["has already been taken"]}}) from None


def _source(state: BeeminderState, name: str) -> str | None:
    if name == "":
        return None
    if name in _BUILT_IN_SOURCES:
        return name
    for known in state.apps:
        if known.lower() == name.lower():
            return known
    raise ApiError(422, {"errors": {"datasource": ["is not included in the list"]}})


def _road(state: BeeminderState, goal: Goal, given: Any) -> list[list[Any]]:  # noqa: ANN401 - whatever was sent
    """Rows of time, value and rate, where one is null; times may be dates as text."""
    zone = ZoneInfo(state.users[goal.owner].timezone)
    try:
        rows = json.loads(given) if isinstance(given, str) else given
        drawn = [[_instant(time, zone), value, rate] for time, value, rate in rows]
        first, last = drawn[0], drawn[-1]
    except (ValueError, TypeError, IndexError):
        raise _no_road() from None
    one_null = all(row.count(None) == 1 for row in drawn)
    dated = all(row[0] is not None for row in drawn if row is not last)
    if not one_null or not dated or first[2] is not None or first is last:
        raise _no_road()
    return drawn


def _instant(time: Any, zone: ZoneInfo) -> int | None:  # noqa: ANN401 - whatever was sent
    if isinstance(time, str):
        on = days.parse_daystamp(time.replace("-", ""))
        return int(datetime(on.year, on.month, on.day, 12, tzinfo=zone).timestamp())
    return None if time is None else int(time)


def _no_road() -> ApiError:
    return ApiError(422, {"errors": {"message": "Error parsing params (roadall)"}})


def _tags(given: Any) -> list[str]:  # noqa: ANN401 - whatever was sent
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError:
            given = [part.strip() for part in given.split(",") if part.strip()]
    return [str(tag) for tag in given] if isinstance(given, list) else []


def _given(params: Mapping[str, Any], name: str) -> float | None:
    try:
        return None if params.get(name) in (None, "", "null") else float(params[name])
    except (TypeError, ValueError):
        raise ApiError(422, {"errors": {name: ["is not a number"]}}) from None


def _add_initial(state: BeeminderState, user: User, goal: Goal, *, value: float) -> None:
    now = state.clock()
    today = state.daystamp(goal, now)
    first = state.new_id()
    goal.datapoints[first] = Datapoint(
        id=first,
        timestamp=days.last_second_of(today, zone=user.timezone, deadline=goal.deadline),
        daystamp=today,
        value=value,
        comment="initial datapoint",
        origin="nihilo",
        is_initial=True,
        landed_at=now,
        changed_at=now,
    )
