"""A source that says what a test wants of each day, and a worker that looks again."""

from datetime import UTC, datetime

from db.models_points import Datapoint
from simulators import beeminder_datapoints
from simulators.beeminder_state import Datapoint as Point
from tasks.runtime import Options, Runtime
from tests.tasks.scenes import all_rows
from tests.world import World


def morning(daystamp: str) -> float:
    """Six in the morning of this day in UTC."""
    return datetime.strptime(f"{daystamp}06", "%Y%m%d%H").replace(tzinfo=UTC).timestamp()


def say(world: World, days: dict[str, float], *, series: int | None = None) -> None:
    """The source has these values of these days, and nothing else."""
    samples = [(morning(day), value) for day, value in days.items()]
    world.bemserver.state.set_values(
        series or world.series, samples, data_state="Clean", replace=True
    )


def look(world: World, *, after: float = 700.0, rt: Runtime | None = None) -> None:
    """Time passes (by default so much that facts are read again), and somebody asks."""
    world.clock.advance(after)
    world.call_back()
    world.work(rt)


def with_options(world: World, **options: object) -> Runtime:
    """A worker with these options."""
    facts = {"beeminder_url": world.beeminder_server.url, "beeminder_rate": 0}
    return world.runtime(options=Options(**(facts | options)))


def row(world: World, daystamp: str) -> Datapoint:
    """The ledger's only row of that day."""
    (found,) = [row for row in all_rows(world, Datapoint) if row.daystamp == daystamp]
    return found


def point(world: World, daystamp: str, slug: str = "energy") -> Point:
    """Our only point of that day at Beeminder."""
    (found,) = [point for point in world.points(slug) if point.daystamp == daystamp]
    return found


def edit(world: World, daystamp: str, slug: str = "energy", **fields: object) -> None:
    """A person changes our point of that day at Beeminder."""
    goal = world.beeminder.state.goal("alice", slug)
    target = point(world, daystamp, slug).id
    beeminder_datapoints.change(world.beeminder.state, goal, target, fields, via=None)


def delete(world: World, daystamp: str, slug: str = "energy") -> None:
    """A person deletes our point of that day at Beeminder."""
    goal = world.beeminder.state.goal("alice", slug)
    target = point(world, daystamp, slug).id
    beeminder_datapoints.delete(world.beeminder.state, goal, target, via=None)


def ours(world: World) -> int:
    """How often we have changed anything at Beeminder."""
    return sum(change.via is not None for change in world.beeminder.state.history)
