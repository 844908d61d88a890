"""Where the demo's numbers come from: the simulated BEMServer, or a real one."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from simulators import demo_world
from simulators.bemserver_seed import Campaign, Group, Seed, Series, User
from simulators.main import BEMSERVER_PREFIX, Simulators
from simulators.real_bemserver import RealBemserver

HOUR = 3600
DAYS = 7
STATE = "Clean"
ADMIN_PASSWORD = "demo-admin-password"  # noqa: S105 -- made up, and public


@dataclass(frozen=True, slots=True)
class Plant:
    """A BEMServer to read: `grow` adds one sample (UTC seconds, value) to a series by name."""

    kind: str
    url: str
    grow: Callable[[str, float, float], None]


def simulated(simulators: Simulators, url: str) -> Plant:
    """The simulator that is already running at `url`."""

    def grow(series: str, at: float, value: float) -> None:
        simulators.bemserver.state.set_values(series, [(at, value)], data_state=STATE)

    return Plant("simulated BEMServer", url + BEMSERVER_PREFIX, grow)


@contextlib.contextmanager
def real(home: Path, say: Callable[[str], None]) -> Iterator[Plant]:
    """The real BEMServer in an environment of its own, with the same two meters."""
    with RealBemserver(home, seed=_seed(), prefix="/api/v0", say=say) as server:
        ids = {demo_world.HOME_SERIES: 1, demo_world.ROOF_SERIES: 2}

        def grow(series: str, at: float, value: float) -> None:
            server.add_samples(ids[series], [(at, value)], data_state=STATE)

        yield Plant("real BEMServer", server.url, grow)


def _seed() -> Seed:
    """The demo world's people, and a week of hours up to now for both meters."""
    until = int(time.time()) // HOUR * HOUR
    hours = range(until - DAYS * 24 * HOUR, until, HOUR)
    meters = (
        (demo_world.HOME_SERIES, "Rue des Lilas", "Meters", demo_world.home_value),
        (demo_world.ROOF_SERIES, "Workshop", "Roof", demo_world.roof_value),
    )
    return Seed(
        users=(
            User(name="Admin", email="admin@example.org", password=ADMIN_PASSWORD, admin=True),
            User(name="Alice", email=demo_world.EMAIL, password=demo_world.PASSWORD),
        ),
        campaigns=tuple(
            Campaign(name=campaign, scopes=(scope,)) for _, campaign, scope, _ in meters
        ),
        groups=(
            Group(
                name="Owners",
                members=(demo_world.EMAIL,),
                scopes=tuple((campaign, scope) for _, campaign, scope, _ in meters),
            ),
        ),
        series=tuple(
            Series(
                name=name,
                unit="kWh",
                campaign=campaign,
                scope=scope,
                samples={STATE: tuple((float(at), value(at)) for at in hours)},
            )
            for name, campaign, scope, value in meters
        ),
    )
