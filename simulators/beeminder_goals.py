"""Creating and changing goals."""

import json
import re
from collections.abc import Mapping
from typing import Any

from simulators import beeminder_days as days
from simulators import beeminder_views as views
from simulators.beeminder_state import MAX_SLUG, BeeminderState, Datapoint, Goal, User
from simulators.beeminder_tokens import ApiError

_DIRECTIONS = {
    "hustler": (1, 1),
    "biker": (1, 1),
    "fatloser": (-1, -1),
    "gainer": (1, 1),
    "inboxer": (-1, -1),
    "drinker": (-1, 1),
    "custom": (1, 1),
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
    if kind not in _DIRECTIONS:
        errors["gtype"] = ["can't be blank"] if not kind else ["is not included in the list"]
    if not params.get("gunits"):
        errors["gunits"] = ["can't be blank"]
    given = [name for name in ("goaldate", "goalval", "rate") if _given(params, name) is not None]
    if len(given) != _GIVEN_TWO:
        errors["rfin"] = ["exactly two of goaldate, goalval and rate are needed"]
    if errors:
        raise ApiError(422, {"errors": errors})
    yaw, direction = _DIRECTIONS[kind]
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
        kyoom=kind in ("hustler", "drinker"),
        aggday="sum" if kind in ("hustler", "drinker") else "last",
        odom=kind == "biker",
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
    """PUT on a goal: only what is sent changes. ApiError 422."""
    if "roadall" in params:
        _road(params["roadall"])
    if "datasource" in params:
        goal.autodata = _source(state, str(params["datasource"] or ""))
    if "slug" in params and params["slug"] != goal.slug:
        _rename(state, goal, str(params["slug"]).lower())
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


def _road(given: Any) -> None:  # noqa: ANN401 - whatever was sent
    try:
        rows = json.loads(given) if isinstance(given, str) else given
    except ValueError:
        rows = None
    if not isinstance(rows, list):
        raise ApiError(422, {"errors": {"message": "Error parsing params (roadall)"}})


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
