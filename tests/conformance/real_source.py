"""alice's goals at a simulated Beeminder, fed by Waggle from the real BEMServer."""

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from db.engine import Ledger
from db.models import Source
from db.states import FeedState
from simulators.real_bemserver import RealBemserver
from tasks.runtime import Options, Runtime
from tests.conformance.naive import Place
from tests.tasks.scenes import change_feed
from tests.world import World

SUMS: Mapping[str, object] = {"kyoom": True, "aggday": "sum"}
STANDS: Mapping[str, object] = {"kyoom": False, "aggday": "last"}


@contextlib.contextmanager
def world_of(ledger: Ledger, bem: RealBemserver, place: Place, *, at: float) -> Iterator[World]:
    """A world without feeds; alice lives there, and her plant is Bob's of the real server."""
    with World(ledger, at=at) as world:
        world.beeminder.state.change_user("alice", timezone=place.zone)
        change_feed(world, state=FeedState.STOPPED)
        bob = next(user for user in bem.seed.users if user.name == "Bob")
        with ledger.write() as session:
            source = session.get_one(Source, world.source_id)
            source.settings = {"url": bem.url, "email": bob.email}
            source.credentials_cipher = world.vault.encrypt(json.dumps({"password": bob.password}))
            session.add(source)
        yield world


def feed(
    world: World,
    slug: str,
    place: Place,
    *,
    series: int,
    counts: Mapping[str, object],
    params: Mapping[str, object],
    **columns: Any,
) -> int:
    """A new goal that counts like this, and its feed; `params` say how the series is read."""
    known = {"gunits": "ppm", "deadline": place.deadline, **counts}
    world.beeminder.state.add_goal("alice", slug, **known)
    return world.link(slug, series=series, params={"data_state": "Raw", **params}, **columns)


def worker(world: World, *, lookback: int = 2) -> Runtime:
    """A worker that looks back so many days; it stays logged in."""
    url = world.beeminder_server.url
    options = Options(beeminder_url=url, beeminder_rate=0, lookback_days=lookback)
    return world.runtime(options=options)


def look(world: World, rt: Runtime, slugs: Iterable[str], *, at: float) -> None:
    """It is `at` now (UTC seconds), and Beeminder calls for all of these goals."""
    world.clock.at = at
    events = [world.call_back(slug) for slug in slugs]
    world.work(rt)
    assert {world.event(event).state for event in events} == {"done"}
