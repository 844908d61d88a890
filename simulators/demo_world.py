"""A small believable world for the demo: two buildings, one person, two goals.

Every value follows from its hour, so two starts tell the same story and the plant goes on living.
"""

import hashlib
import math
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from simulators.beeminder import Beeminder
from simulators.bemserver import Bemserver

ZONE: Final = "Europe/Paris"
USERNAME: Final = "alice"
BEEMINDER_TOKEN: Final = "demo-personal-token-of-alice"  # noqa: S105 - made up, and public
APP_NAME: Final = "waggle"
EMAIL: Final = "alice@example.org"
PASSWORD: Final = "demo-password"  # noqa: S105 - made up, and public
HOME_SERIES: Final = "Home electricity"
ROOF_SERIES: Final = "Workshop solar output"
_HOUR = 3600
_DAYS = 30


def fill(
    beeminder: Beeminder,
    bemserver: Bemserver,
    *,
    autofetch_url: str | None = None,
    deauthorize_url: str | None = None,
    redirect_uri: str | None = None,
) -> None:
    """Puts the world into two empty simulators; the URLs belong to the registered app."""
    beeminder.register_app(
        APP_NAME,
        autofetch_url=autofetch_url,
        deauthorize_url=deauthorize_url,
        redirect_uri=redirect_uri or "http://127.0.0.1:8000/beeminder/callback",
    )
    _fill_beeminder(beeminder)
    _fill_bemserver(bemserver)


def _fill_beeminder(beeminder: Beeminder) -> None:
    state = beeminder.state
    state.add_user(USERNAME, timezone=ZONE, token=BEEMINDER_TOKEN)
    state.add_goal(
        USERNAME,
        "energy",
        title="Use less electricity at home",
        goal_type="drinker",
        gunits="kWh",
        rate=9.0,
        yaw=-1,
        dir=1,
        kyoom=True,
        aggday="sum",
        autodata=APP_NAME,
    )
    state.add_goal(
        USERNAME,
        "output",
        title="Solar output of the workshop",
        goal_type="hustler",
        gunits="kWh",
        rate=4.0,
        kyoom=True,
        aggday="sum",
        autodata=APP_NAME,
        deadline=3 * _HOUR,
    )


def _fill_bemserver(bemserver: Bemserver) -> None:
    state = bemserver.state
    state.add_user(EMAIL, PASSWORD, name="Alice")
    home = state.add_series(
        HOME_SERIES, campaign="Rue des Lilas", scope="Meters", description="hourly kWh, main meter"
    )
    roof = state.add_series(
        ROOF_SERIES, campaign="Workshop", scope="Roof", description="hourly kWh of the panels"
    )
    kinds = {home.id: home_value, roof.id: roof_value}
    next_hour = int(state.clock()) // _HOUR * _HOUR - _DAYS * 24 * _HOUR

    def grow(now: float) -> None:
        nonlocal next_hour
        while next_hour + _HOUR <= now:
            for series, value_at in kinds.items():
                for data_state in ("Raw", "Clean"):
                    values = [(next_hour, value_at(next_hour))]
                    state.set_values(series, values, data_state=data_state)
            next_hour += _HOUR

    grow(state.clock())
    state.growers.append(grow)


def home_value(instant: int) -> float:
    """A quiet night, a busy morning and evening; kWh."""
    hour = datetime.fromtimestamp(instant, ZoneInfo(ZONE)).hour
    busy = math.exp(-((hour - 7.5) ** 2) / 3) + 1.4 * math.exp(-((hour - 19.5) ** 2) / 6)
    return round(0.12 + 0.55 * busy + 0.1 * _chance("home", instant), 3)


def roof_value(instant: int) -> float:
    """What the sun gives between eight and five; kWh."""
    hour = datetime.fromtimestamp(instant, ZoneInfo(ZONE)).hour + 0.5
    sun = max(0.0, math.sin(math.pi * (hour - 8) / 9)) if 8 < hour < 17 else 0.0  # noqa: PLR2004 - winter day
    day = datetime.fromtimestamp(instant, UTC).toordinal()
    return round(1.3 * sun * (0.35 + 0.65 * _chance("clouds", day)), 3)


def _chance(what: str, number: int) -> float:
    """A number from 0 to 1 that is always the same for the same question."""
    digest = hashlib.blake2b(f"{what} {number}".encode(), digest_size=4).digest()
    return int.from_bytes(digest) / 0xFFFFFFFF
