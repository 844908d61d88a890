"""What workers would have answered to errands: long answers, of which pages show a part."""

from sqlmodel import Session, select

from db.models_pages import Errand
from db.states import ErrandKind, ErrandState

GOALS = 120
SERIES = 300
DAYS = [f"202611{day:02}" for day in range(8, 22)]


def goal(slug: str) -> dict[str, object]:
    """A goal as Beeminder tells it."""
    return {
        "slug": slug,
        "title": f"Use less than last year, in the building {slug}",
        "yaw": -1,
        "kyoom": True,
        "aggday": "sum",
        "odom": False,
        "gunits": "kWh",
        "autodata": "fitbit",
        "curval": 5.0,
        "counts": "a day's value is the sum of its datapoints",
    }


def day(daystamp: str) -> dict[str, object]:
    """A day of a preview."""
    return {
        "daystamp": daystamp,
        "source": 2.5,
        "value": 2.5,
        "points": 1,
        "comment": "timeseries 17 of the main building",
        "asked": True,
        "action": "create",
        "why": "",
        "there": 1.25,
        "ours": 0,
        "others": 1,
    }


ANSWERS: dict[str, dict[str, object]] = {
    ErrandKind.GOALS: {
        "app": "waggle",
        "goals": [goal(f"electricity-{number:04}") for number in range(GOALS)],
    },
    ErrandKind.LOOK: {
        "provider": "BEMServer",
        "listed": True,
        "more": 12,
        "found": [
            {
                "kind": "timeseries",
                "id": str(number),
                "name": f"Main meter of floor {number}",
                "detail": "in kWh",
            }
            for number in range(SERIES)
        ],
    },
    ErrandKind.CHECK: {"provider": "BEMServer", "listed": True, "more": 0, "found": []},
    ErrandKind.PREVIEW: {
        "goal": goal("new-goal"),
        "kind": "total",
        "unit": "kWh",
        "shape": "as_is",
        "problem": None,
        "unfit": True,
        "warnings": ["the source counts in kWh, the goal in hours"],
        "zone": "Europe/Paris",
        "feeds": 1,
        "datasource": {
            "app": "waggle",
            "now": "'fitbit'",
            "ours": False,
            "sets": True,
            "replaces": True,
        },
        "days": [day(each) for each in DAYS],
    },
}


def give(session: Session, now: float) -> int:
    """Answer everything that waits; how much that was."""
    waiting = session.exec(select(Errand).where(Errand.state == ErrandState.WAITING)).all()
    for errand in waiting:
        errand.state, errand.answer = ErrandState.DONE, ANSWERS[errand.kind]
        errand.ended_at = now
        session.add(errand)
    return len(waiting)
