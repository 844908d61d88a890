"""A world in which alice also has an account at Bime, with a goal for each of its metrics."""

from sqlmodel import select

from db.models import Feed, Goal, Source
from simulators.bime import Bime
from simulators.server import LocalServer
from tests.world import World

BIME_TOKEN = "canary-bime-token"
VIEWER = "canary-viewer-token"
LISTS = ("dashboards", "named_users")
FEEDS = {
    "made": ("dashboards_created", {}),
    "changed": ("dashboards_updated", {}),
    "published": ("dashboards_published", {}),
    "people": ("records_created", {"resource": "named_users"}),
}


class Bimed:
    """A world with `bime`, its source, and one feed for each metric by the slug of its goal."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.bime = Bime(clock=world.clock.now)
        self.state = self.bime.state
        self.state.add_account("acme", token=BIME_TOKEN)
        self.server = LocalServer(self.bime.app)

    def __enter__(self):
        self.server.start()
        self.source_id = self._source()
        self.feeds = {slug: self._feed(slug, *asked) for slug, asked in FEEDS.items()}
        with self.world.ledger.write() as session:  # the world's own feed is not what matters here
            session.delete(session.get_one(Feed, self.world.feed_id))
        return self

    def __exit__(self, *_args):
        self.server.stop()

    def _source(self):
        world = self.world
        with world.ledger.write() as session:
            source = Source(
                user_id=world.user_id,
                name="boards",
                provider="bime",
                settings={"url": f"{self.server.url}/v2"},
                credentials_cipher=world.vault.encrypt(f'{{"access_token": "{BIME_TOKEN}"}}'),
            )
            session.add(source)
            session.flush()
            return source.id

    def _feed(self, slug, metric, params):
        world, level = self.world, metric == "dashboards_published"
        world.beeminder.state.add_goal(
            "alice", slug, kyoom=not level, aggday="last" if level else "sum"
        )
        with world.ledger.write() as session:
            goal = Goal(user_id=world.user_id, slug=slug, declared_slug=slug)
            session.add(goal)
            session.flush()
            feed = Feed(
                goal_id=goal.id,
                source_id=self.source_id,
                label="",
                metric=metric,
                params=params,
                due_at=world.clock.at,
                created_at=world.clock.at,
            )
            session.add(feed)
            session.flush()
            return feed.id

    def sync(self):
        """Every feed once, after a callback for each goal."""
        for slug in FEEDS:
            self.world.call_back(slug)
        self.world.work()

    def values(self):
        """What stands at Beeminder by goal and day, for the goals that have anything."""
        found = {slug: self.world.values(slug) for slug in FEEDS}
        return {slug: values for slug, values in found.items() if values}

    def asked(self):
        """The requests to Bime: list and status."""
        requests = self.bime.faults.requests
        return [(record.path.removeprefix("/v2/"), record.status) for record in requests]

    def writes(self):
        """How often anything was written to Beeminder."""
        log = self.world.beeminder.faults.requests
        return [record.path for record in log if record.method not in ("GET", "HEAD")]

    def rows(self, table):
        """All rows of a table."""
        with self.world.reading() as session:
            return list(session.exec(select(table)))
