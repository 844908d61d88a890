"""A world with a registered app, for the tests of who feeds a goal at Beeminder."""

import contextlib

import httpx

from db import datasources, notices, outbox, pauses
from db.models import Goal
from db.states import FeedState
from tasks import datasource, datasource_change
from tasks.runtime import Options
from tests.tasks.scenes import Stall
from tests.world import World

APP = "waggle"
GOAL_PATH = "goals/energy.json"


class Sourced:
    """A world with a registered app, and the one goal that matters here."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.goal_id = world.feed().goal_id
        self.state = world.beeminder.state
        world.beeminder.register_app(
            APP, client_id=APP, client_secret="x", redirect_uri="https://x.example.org"
        )

    def runtime(self, **more):
        """A worker that knows the app."""
        url = self.world.beeminder_server.url
        options = {"beeminder_url": url, "beeminder_rate": 0, "app_name": APP} | more
        return self.world.runtime(options=Options(**options))

    @property
    def there(self):
        """What Beeminder says feeds the goal."""
        return self.state.goal("alice", "energy").autodata

    @there.setter
    def there(self, name):
        self.state.goal("alice", "energy").autodata = name
        self.put(autodata=name)

    @property
    def row(self):
        """The goal in the ledger."""
        with self.world.reading() as session:
            return session.get_one(Goal, self.goal_id)

    def put(self, **columns):
        """Set columns of the goal."""
        with self.world.ledger.write() as session:
            goal = session.get_one(Goal, self.goal_id)
            for name, value in columns.items():
                setattr(goal, name, value)
            session.add(goal)

    def consider(self, **more):
        """What a sync does after it."""
        datasource.consider(self.runtime(**more), self.goal_id)

    def work(self, **more):
        """Everything that is due; how many changes were tried."""
        rt, tries = self.runtime(**more), 0
        while datasource_change.run(rt):
            tries += 1
        return tries

    def stop(self):
        """Unlink the goal."""
        with self.world.ledger.write() as session:
            ids = [self.world.feed_id]
            pauses.halt(session, ids, state=FeedState.STOPPED, reason="x", now=0)
            outbox.withdraw(session, ids)
            datasources.give_back(session, [self.goal_id], self.world.clock.at)

    def told(self):
        """The messages that are open."""
        with self.world.reading() as session:
            return [notice.message for notice in notices.open_for(session)]

    def sets(self):
        """How often Beeminder was asked to set it."""
        return self.world.beeminder.faults.count(method="PUT", path=GOAL_PATH)


@contextlib.contextmanager
def stalled(house, method="PUT"):
    """A worker whose request is held up until it is let go."""
    stall = Stall(method=method, path=GOAL_PATH)
    with httpx.Client(transport=stall, timeout=10) as http:
        rt = house.runtime()
        rt.http = http
        yield stall, rt
