"""The server that stood behind `bemserver_exchanges.json`: its users, series and samples."""

import math

from simulators.bemserver import Bemserver
from simulators.bemserver_state import microseconds

NOW = microseconds("2026-11-22T01:49:05+00:00") / 1_000_000
_DAY = "2020-01-01T"


def build(*, basic: bool = False) -> Bemserver:
    """Series 1 to 14, users 1 to 3; the clock stands still."""
    bemserver = Bemserver(clock=lambda: NOW)
    bemserver.keys.basic = basic
    state = bemserver.state
    state.add_user("admin@bem.test", "admin-pw-1", name="Admin", is_admin=True, scopes=())
    state.add_user("alice@bem.test", "alice-pw-1", name="Alice", scopes={1})
    state.add_user("idle@bem.test", "idle-pw-1", name="Idle", is_active=False, scopes={1})
    state.add_series(
        "Elec kWh",
        description="main meter",
        values=[
            (_DAY + "00:00Z", 0.1),
            (_DAY + "01:00Z", 1.5),
            (_DAY + "03:00Z", 2.5),
            (_DAY + "04:00Z", 9.0),
            (_DAY + "12:00Z", 7.0),
            ("2020-01-02T00:00Z", 12.5),
        ],
    )
    state.add_series(
        "Air temp",
        unit="°C",
        values=[
            ("2019-12-31T23:00Z", 20.0),
            (_DAY + "00:30Z", -3.25),
            (_DAY + "03:00Z", 21.0),
            (_DAY + "04:00Z", 22.5),
        ],
    )
    quarters = [
        (f"{_DAY}{hour:02}:{quarter * 15:02}Z", 100 + 10 * hour + 1.5 * quarter)
        for hour in range(6)
        for quarter in range(4)
    ]
    state.add_series("Power", unit="W", values=[*quarters, ("2020-01-02T00:00Z", math.inf)])
    state.add_series("Gas index", unit="m³", values=_gas())
    for number in range(1, 10):
        state.add_series(f"Sensor {number:02}", unit="")
    state.add_series("Hidden", campaign="Other", scope="Theirs")
    return bemserver


def _gas() -> list[tuple[float | str, float]]:
    first: list[tuple[float | str, float]] = [
        (_DAY + "00:00:00.123456Z", 1.0),
        (_DAY + "00:00:00.500000Z", 2.0),
        (_DAY + "01:00:00Z", 3.0),
    ]
    for start in ("2020-03-28T00:00Z", "2020-10-24T00:00Z"):
        begin = microseconds(start) / 1_000_000
        first += [(begin + 3600 * hour, 1.0) for hour in range(72)]
    return first
