"""A change of a data source that kills its worker: found, given up, and told."""

import contextlib

import httpx
import pytest

from db.states import Lane
from simulators.faults import Fault
from tasks import datasource_change, deaths, policy, suspects, sync
from tests.tasks.scenes import change_feed
from tests.tasks.sourced import APP, GOAL_PATH, Sourced
from tests.world import CrashError


@pytest.fixture
def house(world):
    """A world with an app."""
    return Sourced(world)


class Killing(httpx.HTTPTransport):
    """The process dies when it sets a data source."""

    def handle_request(self, request):
        """One request, or the end."""
        if request.method == "PUT":
            raise CrashError
        return super().handle_request(request)


def deaths_of(house, tries=10):
    """Workers that die of the change, of so many that take whatever is due."""
    died = 0
    for _ in range(tries):
        rt = house.runtime()
        with httpx.Client(transport=Killing()) as rt.http:
            try:
                _ = datasource_change.run(rt) or suspects.run(rt)
            except CrashError:
                died += 1
        house.world.clock.advance(datasource_change.TRY_SECONDS + 1)
    return died


def test_a_change_that_kills_its_worker_is_given_up(house):
    """Once beside others, five times alone; its owner is told what to do, and that is all."""
    house.world.work()
    house.consider()
    assert deaths_of(house) == 6
    (message,) = house.told()
    assert "5 times in a row" in message
    assert "`waggle link alice/energy`" in message
    house.world.clock.advance(2 * policy.DAY)
    house.consider()
    assert (house.work(), house.row.datasource_want) == (0, None)
    assert len(house.told()) == 1

    datasource_change.make(house.runtime(), house.goal_id, APP)
    assert (house.there, house.told(), house.row.datasource_tries) == (APP, [], 0)


def test_a_source_whose_return_kills_is_left_to_its_owner(house):
    """Nothing else is tried, not manual entry either: that would kill as well."""
    house.there = "ifttt"
    datasource_change.make(house.runtime(), house.goal_id, APP)
    house.world.work()
    house.stop()
    assert deaths_of(house) == 6
    (message,) = house.told()
    assert "'ifttt'" in message
    assert "settings at Beeminder" in message
    assert (house.work(), house.there) == (0, APP)


def test_a_change_that_is_put_off_has_shown_nothing(house):
    """Beeminder is away after three deaths: these still count, and it is made alone."""
    house.consider()
    house.put(datasource_tries=3)
    house.world.beeminder.faults.add(Fault(path=GOAL_PATH, status=500, times=1))
    assert house.work() == 0
    assert suspects.run(house.runtime())
    assert (house.row.datasource_tries, house.there) == (3, None)


def test_feeds_beside_a_change_that_kills_are_only_tried_alone(house):
    """They died with it once at the most, so none of them is set aside."""
    house.world.work()
    house.consider()
    for _ in range(12):
        change_feed(house.world, due_at=house.world.clock.at)
        rt = house.runtime()
        rt.trace = lambda step, rt=rt: step == "claimed" and datasource_change.run(rt)
        with httpx.Client(transport=Killing()) as rt.http, contextlib.suppress(CrashError):
            while sync.run(rt, Lane.BULK) or suspects.run(rt):
                pass
        house.world.clock.advance(datasource_change.TRY_SECONDS + 1)
        deaths.bury(house.runtime())
    feed = house.world.feed()
    assert (feed.state, feed.deaths, feed.suspect) == ("active", 0, False)
    assert len(house.told()) == 1
