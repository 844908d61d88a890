"""Users, goals and datapoints as the JSON that Beeminder answers with."""

from datetime import date
from typing import Any

from simulators import beeminder_days as days
from simulators import beeminder_road as road
from simulators.beeminder_road import Standing
from simulators.beeminder_state import BeeminderState, Datapoint, Goal, User

_WEEK = 7
_COLOURS = ("red", "orange", "blue", "green", "green", "green", "green", "dkgreen")
_HEXES = {
    "red": "#ff0000",
    "orange": "#f89406",
    "blue": "#125bca",
    "green": "#39b44a",
    "dkgreen": "#228b22",
    "gray": "#808080",
}
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
    """All attributes of a goal; what `facts` says replaces what is calculated."""
    now = state.clock()
    points = sorted(item.datapoints.values(), key=lambda p: (p.timestamp, p.id))
    stands = road.standing(state, item)
    today = state.daystamp(item, now)
    safebuf, losedate = _safety(state, item, stands)
    colour = "gray" if safebuf is None else _COLOURS[max(0, min(_WEEK, safebuf))]
    archived = item.is_archived(now)
    graph = f"/{item.owner}/{item.slug}"
    latest = recent(item, 1)
    roadall, fullroad = road.matrix(state, item), road.full(state, item, stands.knots)
    line_today = road.line(stands.knots, stands.today)
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
        **dict(zip(("goaldate", "goalval", "rate"), roadall[-1], strict=True)),
        "mathishard": fullroad[-1],
        "runits": item.runits,
        "losedate": losedate,
        "deadline": item.deadline,
        "leadtime": 0,
        "alertstart": 34_200,
        "queued": now < item.queued_until,
        "updated_at": int(item.changed_at),
        "initday": fullroad[0][0],
        "curday": road.noon(state, item, stands.today) if points else None,
        "lastday": road.noon(state, item, _ordinal(points[-1].daystamp)) if points else None,
        "initval": fullroad[0][1],
        "curval": stands.value if points else None,
        "currate": road.rate(stands.knots, stands.today) * road.UNIT_DAYS[item.runits],
        "delta": stands.value - line_today,
        "delta_text": "",
        "rah": road.line(stands.knots, stands.today + _WEEK),
        "safebump": road.line(stands.knots, stands.today + stands.safe_days),
        "dueby": _due(stands),
        "safebuf": safebuf,
        "colorkey": colour,
        "colorhex": _HEXES[colour],
        "urgencykey": f"FRO{'1' if archived else 'x'};PPRx;DL{losedate};P0999999995;{item.slug}",
        "limsum": f"+1 due in {safebuf} days",
        "pledge": 5,
        "contract": {"amount": 5, "stepdown_at": None},
        "kyoom": item.kyoom,
        "odom": item.odom,
        "aggday": item.aggday,
        "yaw": item.yaw,
        "dir": item.dir,
        "lane": item.yaw,
        "frozen": item.frozen or archived,
        "won": item.won or archived,
        "lost": item.lost,
        "archivedate": item.archivedate or (int(item.created_at) if archived else None),
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
        "road": roadall[1:-1],
        "roadall": roadall,
        "fullroad": fullroad,
        **item.facts,
    }
    if emaciated:
        for name in _ROADS:
            shown.pop(name, None)
    if datapoints:
        shown["datapoints"] = [datapoint(point) for point in points]
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


def current_value(state: BeeminderState, item: Goal) -> float | None:
    """Aggregated by day, added up when the goal auto-sums; None without a datapoint."""
    return road.standing(state, item).value if item.datapoints else None


def _safety(state: BeeminderState, item: Goal, stands: Standing) -> tuple[int | None, int]:
    """Safe days, and the last second of the last of them."""
    safebuf = item.facts.get("safebuf", stands.safe_days)
    if safebuf is None:
        return None, int(state.clock())
    last = date.fromordinal(stands.today + max(0, safebuf)).strftime("%Y%m%d")
    zone = state.users[item.owner].timezone
    return safebuf, days.last_second_of(last, zone=zone, deadline=item.deadline)


def _due(stands: Standing) -> dict[str, dict[str, float]]:
    """What the line asks for on each day of a week, as a total and as what is missing."""
    coming = {
        day: road.line(stands.knots, day) for day in range(stands.today, stands.today + _WEEK)
    }
    return {
        date.fromordinal(day).strftime("%Y%m%d"): {"total": total, "delta": total - stands.value}
        for day, total in coming.items()
    }


def _ordinal(daystamp: str) -> int:
    return days.parse_daystamp(daystamp).toordinal()
