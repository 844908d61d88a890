"""Users, goals and datapoints as the JSON that Beeminder answers with."""

import math
from typing import Any

from simulators import beeminder_days as days
from simulators.beeminder_state import BeeminderState, Datapoint, Goal, User

_DAY = 86_400
_COLOURS = ("red", "orange", "blue", "green")
_HEXES = {"red": "#ff0000", "orange": "#f89406", "blue": "#125bca", "green": "#228b22"}
_ROADS = ("road", "roadall", "fullroad")
_SKINNY = frozenset(
    {
        "slug",
        "title",
        "description",
        "goalval",
        "rate",
        "goaldate",
        "svg_url",
        "graph_url",
        "thumb_url",
        "goal_type",
        "autodata",
        "losedate",
        "urgencykey",
        "deadline",
        "leadtime",
        "alertstart",
        "id",
        "queued",
        "updated_at",
        "burner",
        "yaw",
        "lane",
        "delta",
        "runits",
        "limsum",
        "frozen",
        "lost",
        "won",
        "contract",
        "delta_text",
        "safebump",
        "gunits",
        "todayta",
        "timey",
        "hhmmformat",
        "last_datapoint",
    }
)


def datapoint(point: Datapoint) -> dict[str, Any]:
    """A datapoint without `status`."""
    return {
        "id": point.id,
        "timestamp": point.timestamp,
        "daystamp": point.daystamp,
        "value": point.value,
        "comment": point.comment,
        "updated_at": int(point.changed_at),
        "requestid": point.requestid,
        "origin": point.origin,
        "creator": point.creator,
        "is_dummy": point.is_dummy,
        "is_initial": point.is_initial,
        "created_at": days.iso_milliseconds(point.landed_at),
        "urtext": None,
        "fulltext": f"{point.daystamp} {point.value:g} {point.comment}".strip(),
        "canonical": f"{int(point.daystamp[-2:])} {point.value:g}",
    }


def recent(goal: Goal, count: int | None = None) -> list[dict[str, Any]]:
    """Datapoints, last added or edited first."""
    points = sorted(goal.datapoints.values(), key=lambda p: (p.changed_at, p.id), reverse=True)
    return [datapoint(point) for point in points[:count]]


def goal(
    state: BeeminderState, item: Goal, *, emaciated: bool = False, datapoints: bool = False
) -> dict[str, Any]:
    """All attributes of a goal."""
    now = state.clock()
    points = sorted(item.datapoints.values(), key=lambda p: (p.timestamp, p.id))
    today = state.daystamp(item, now)
    safebuf, losedate = _safety(state, item, today)
    colour = _COLOURS[max(0, min(3, safebuf))]
    owner = state.users[item.owner]
    graph = f"/{item.owner}/{item.slug}"
    latest = recent(item, 1)
    shown = {
        "id": item.id,
        "slug": item.slug,
        "title": item.title or item.slug,
        "description": None,
        "fineprint": None,
        "yaxis": item.gunits,
        "gunits": item.gunits,
        "goal_type": item.goal_type,
        "autodata": item.autodata,
        "goaldate": item.goaldate,
        "goalval": item.goalval,
        "rate": item.rate,
        "mathishard": [item.goaldate, item.goalval, item.rate],
        "runits": item.runits,
        "losedate": losedate,
        "deadline": item.deadline,
        "leadtime": 0,
        "alertstart": 34_200,
        "queued": now < item.queued_until,
        "updated_at": int(item.changed_at),
        "initday": points[0].timestamp if points else int(item.created_at),
        "curday": points[-1].timestamp if points else None,
        "lastday": points[-1].timestamp if points else None,
        "initval": points[0].value if points else 0,
        "curval": current_value(item, points),
        "currate": item.rate,
        "delta": 0,
        "delta_text": "",
        "safebump": None,
        "safebuf": safebuf,
        "colorkey": colour,
        "colorhex": _HEXES[colour],
        "urgencykey": f"FROx;{losedate};{item.slug}",
        "limsum": f"+1 due in {safebuf} days",
        "pledge": 5,
        "contract": {"amount": 5, "stepdown_at": None},
        "kyoom": item.kyoom,
        "odom": item.odom,
        "aggday": item.aggday,
        "yaw": item.yaw,
        "dir": item.dir,
        "lane": item.yaw,
        "frozen": item.frozen or item.archived,
        "won": item.won or item.archived,
        "lost": item.lost,
        "archivedate": None,
        "todayta": any(point.daystamp == today for point in points),
        "secret": False,
        "datapublic": False,
        "weekends_off": False,
        "integery": False,
        "timey": False,
        "hhmmformat": False,
        "burner": "frontburner",
        "numpts": len(points),
        "tags": list(item.tags),
        "callback_url": None,
        "autoratchet": None,
        "autodata_config": {},
        "last_datapoint": latest[0] if latest else None,
        "recent_data": recent(item, 5),
        "svg_url": f"{graph}.svg",
        "graph_url": f"{graph}.png",
        "thumb_url": f"{graph}-thumb.png",
        "road": [[int(owner.created_at), 0, item.rate]],
        "roadall": [[int(owner.created_at), 0, None], [None, item.goalval, item.rate]],
        "fullroad": [[int(owner.created_at), 0, item.rate]],
        **item.facts,
    }
    if emaciated:
        for name in _ROADS:
            shown.pop(name, None)
    if datapoints:
        shown["datapoints"] = recent(item)
    return shown


def user(
    state: BeeminderState,
    item: User,
    *,
    diff_since: float | None = None,
    associations: bool = False,
    skinny: bool = False,
    emaciated: bool = False,
    datapoints_count: int | None = None,
) -> dict[str, Any]:
    """A user; `goals` holds slugs, or goals when `diff_since` or `associations` is given."""
    goals: list[Any] = [item_goal.slug for item_goal in item.goals.values()]
    if diff_since is not None or associations:
        goals = []
        for item_goal in item.goals.values():
            if diff_since is not None and item_goal.changed_at <= diff_since:
                continue
            shown = goal(state, item_goal, emaciated=emaciated)
            if skinny and diff_since is not None:
                goals.append({k: v for k, v in shown.items() if k in _SKINNY})
                continue
            points = recent(item_goal, datapoints_count)
            if diff_since is not None:
                points = [point for point in points if point["updated_at"] > diff_since]
            goals.append({**shown, "datapoints": points})
    shown_user: dict[str, Any] = {
        "id": item.id,
        "username": item.username,
        "timezone": item.timezone,
        "created_at": int(item.created_at),
        "updated_at": int(item.changed_at),
        "goals": goals,
        "deadbeat": item.deadbeat,
        "urgency_load": 0,
        "default_leadtime": 0,
        "default_alertstart": 34_200,
        "default_deadline": 0,
        "subscription": None,
        "has_authorized_fitbit": False,
    }
    if diff_since is not None:
        shown_user["deleted_goals"] = [
            {"id": goal_id} for goal_id, at in item.deleted_goals if at > diff_since
        ]
    return shown_user


def current_value(item: Goal, points: list[Datapoint]) -> float | None:
    """Aggregated by day, added up when the goal auto-sums. `points` are in order of time."""
    if not points:
        return None
    per_day: dict[str, list[float]] = {}
    for point in points:
        per_day.setdefault(point.daystamp, []).append(point.value)
    values = [_aggregate(item.aggday, per_day[day]) for day in sorted(per_day)]
    return math.fsum(values) if item.kyoom else values[-1]


def _safety(state: BeeminderState, item: Goal, today: str) -> tuple[int, int]:
    """Safe days and derail time; `facts` may say it more exactly for a test."""
    safebuf = int(item.facts.get("safebuf", 3))
    zone = state.users[item.owner].timezone
    end = days.last_second_of(today, zone=zone, deadline=item.deadline) + 1
    return safebuf, end + max(0, safebuf) * _DAY


def _aggregate(aggday: str, values: list[float]) -> float:
    if aggday == "sum":
        return math.fsum(values)
    if aggday in ("min", "max"):
        return min(values) if aggday == "min" else max(values)
    return values[-1] if aggday == "last" else math.fsum(values) / len(values)
