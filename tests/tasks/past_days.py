"""What tests of backfills set up and look at: a month or two of samples, and chunks being done."""

from db import backfills
from db.models import Backfill
from tasks import backfill, days
from tasks.runtime import Runtime
from tests.tasks.scenes import TODAY
from tests.world import DAY, NOON, CrashError, World

FIRST = "20261001"  # 51 days before today: two chunks


def day(ago: int) -> str:
    """The daystamp of so many days before today."""
    return days.stamp(days.parse(TODAY) - ago * days.ONE_DAY)


def history(world: World, count: int, *, value: float = 3.0) -> dict[str, float]:
    """One sample at noon of each of the last `count` days; returns the values by daystamp."""
    there = dict.fromkeys((NOON - 3600, NOON - 1800, NOON - DAY), 0.0)  # counts no more
    samples = {NOON - 60 - ago * DAY: value + ago for ago in range(count)}
    world.measure(world.series, there | samples)
    return {day(ago): value + ago for ago in range(count)}


def ask(world: World, first: str = FIRST, last: str = TODAY, feed_id: int | None = None) -> int:
    """Ask for days; returns the id of the backfill."""
    with world.ledger.write() as session:
        made = backfills.ask(
            session, feed_id or world.feed_id, first=first, last=last, now=world.clock.at
        )
        return made.id or 0


def row(world: World, backfill_id: int) -> Backfill:
    """A backfill as it stands now."""
    with world.reading() as session:
        return session.get_one(Backfill, backfill_id)


def work(world: World, rt: Runtime | None = None) -> int:
    """Do all chunks that are due; returns how many."""
    rt, count = rt or world.runtime(), 0
    while backfill.run(rt) or backfill.run(rt, alone=True):
        count += 1
    return count


def die(rt: Runtime) -> bool:
    """Do chunks until the process is killed; False when nothing killed it."""
    try:
        while backfill.run(rt) or backfill.run(rt, alone=True):
            pass
    except CrashError:
        return True
    return False


def created(world: World) -> list[int]:
    """How often each of our points was made at Beeminder."""
    counts = world.beeminder.state.write_counts("alice", "energy")
    assert all("deleted" not in found for found in counts.values())
    return [found["created"] for found in counts.values()]
