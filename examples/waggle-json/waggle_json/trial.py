"""What the vendor answers and what has to be read, for `waggle provider test`."""

from collections.abc import Mapping
from typing import Any

from tasks.trial import Feed, Trial


def _settings(url: str) -> Mapping[str, Any]:
    return {"url": f"{url}/api", "token": "a-token-of-the-trial"}


TRIAL = Trial(
    settings=_settings,
    # Paths with their bodies; a text that is a number counts as one.
    answers={
        "/api/tank": {"tank": {"litres": 120.5, "state": "ok"}},
        "/api/days/2026-11-18": {"pages": [{"read": 12}]},
        "/api/days/2026-11-19": {"pages": [{"read": 0}]},
        "/api/days/2026-11-20": {"pages": [{"read": "3.5"}]},
        "/api/steps?from=2026-11-18T00%3A00%3A00Z&to=2026-11-19T00%3A00%3A00Z": {"sum": 1},
        "/api/steps?from=2026-11-19T00%3A00%3A00Z&to=2026-11-20T00%3A00%3A00Z": {"sum": 2},
        "/api/steps?from=2026-11-20T00%3A00%3A00Z&to=2026-11-21T00%3A00%3A00Z": {"sum": 3},
    },
    feeds=[
        Feed(metric="number", params={"path": "tank", "pointer": "/tank/litres"}, expected=120.5),
        Feed(
            metric="number_of_day",
            params={"path": "days/{day}", "pointer": "/pages/0/read"},
            expected={"20261118": 12.0, "20261119": 0.0, "20261120": 3.5},
        ),
        Feed(
            metric="number_of_day",
            params={"path": "steps?from={start}&to={end}", "pointer": "/sum"},
            expected={"20261118": 1.0, "20261119": 2.0, "20261120": 3.0},
        ),
    ],
    absent=Feed(metric="number", params={"path": "pool", "pointer": "/litres"}),
)
