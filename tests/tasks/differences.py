"""What persons and accidents do to points of ours at Beeminder, and how that is looked at."""

from db.models import Notice
from db.models_points import Datapoint
from simulators import beeminder_datapoints
from simulators.beeminder_state import Datapoint as Held
from tasks import reconcile
from tasks.comparison import Kind
from tasks.reconcile_report import Report
from tasks.repairs import Repair
from tasks.runtime import Runtime
from tests.tasks.scenes import all_rows, change_feed
from tests.world import DAY, World


def point(world: World, daystamp: str) -> Held:
    """Our point of that day."""
    return next(held for held in world.points() if held.daystamp == daystamp)


def edit(world: World, daystamp: str, **fields: object) -> None:
    """A person changes our point of that day."""
    state = world.beeminder.state
    goal = state.goal("alice", "energy")
    beeminder_datapoints.change(state, goal, point(world, daystamp).id, fields, via=None)


def delete(world: World, daystamp: str) -> None:
    """A person deletes our point of that day."""
    state = world.beeminder.state
    held = point(world, daystamp)
    beeminder_datapoints.delete(state, state.goal("alice", "energy"), held.id, via=None)


def put(world: World, daystamp: str, requestid: str, value: float = 1.0) -> None:
    """A point with a requestid of somebody's."""
    state = world.beeminder.state
    fields = {"value": value, "daystamp": daystamp, "requestid": requestid}
    beeminder_datapoints.upsert(state, state.goal("alice", "energy"), fields, via="personal")


def examine(world: World, repair: Repair = Repair.NOTHING, rt: Runtime | None = None) -> Report:
    """What a person is told who asks for it."""
    report = reconcile.examine(rt or world.runtime(), world.feed().goal_id, repair=repair)
    assert report is not None
    return report


def daily(world: World) -> bool:
    """The goal is overdue, and a worker hears the bell."""
    change_feed(world, reconciled_at=0.0)
    return reconcile.run(world.runtime())


def kinds(report: Report) -> dict[str, Kind]:
    """What differs or waits, by daystamp."""
    return {one.finding.daystamp: one.finding.kind for one in report.told}


def row(world: World, daystamp: str) -> Datapoint:
    """The ledger's row of that day."""
    return next(row for row in all_rows(world, Datapoint) if row.daystamp == daystamp)


def change_row(world: World, daystamp: str, **columns: object) -> None:
    """Set columns of the ledger's row of that day."""
    with world.ledger.write() as session:
        found = session.get_one(Datapoint, row(world, daystamp).id)
        for name, value in columns.items():
            setattr(found, name, value)
        session.add(found)


def notices(world: World) -> list[tuple[str, str]]:
    """(kind, key) of what is open."""
    return [(one.kind, one.key) for one in all_rows(world, Notice) if one.cleared_at is None]


def measure_and_sync(world: World, value: float) -> None:
    """The source has another value for yesterday, and the feed is synced."""
    world.measure(world.series, {world.clock.at - DAY: value})
    change_feed(world, due_at=world.clock.at)
    world.work()
