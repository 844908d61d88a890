"""One measurement: start, watch the two servers, count."""

import time
from collections.abc import Callable

from bench.figures import Case, Figures
from bench.world import World
from simulators.windows import Window

LOOK = 0.05  # seconds between two looks
QUIET = 3.0  # seconds before a measurement in which nothing is asked


def measure(
    world: World,
    case: Case,
    *,
    jobs: range,
    start: Callable[[], None],
    ideal: float,
    patience: float,
    window: Window | None = None,
) -> Figures:
    """Have these jobs done, and write down how that went; `patience` in seconds.

    `window`: how the vendor limits each tenant.
    """
    time.sleep(QUIET)
    found = Figures(case=case, jobs=len(jobs), ideal=ideal)
    world.vendor.begin(window)
    world.begin()
    start()
    if wait(world, jobs, patience):
        first_at = world.vendor.served(jobs).first_at or 0.0
        found.landed = (world.landed(jobs)[1] or 0.0) - first_at
    served = world.vendor.served(jobs)
    if served.jobs == len(jobs) and served.first_at is not None and served.last_at is not None:
        found.makespan = served.last_at - served.first_at
    found.count(world.vendor.report(), served=served.requests)
    return found


def wait(world: World, jobs: range, patience: float) -> bool:
    """Until each of these jobs has written its datapoint; False: not within `patience` seconds."""
    ends_at = time.monotonic() + patience
    while world.landed(jobs)[0] < len(jobs):
        if time.monotonic() > ends_at:
            return False
        time.sleep(LOOK)
    return True
