"""What a claim is about, read for all of its feeds at once."""

from collections.abc import Sequence

from sqlalchemy import event
from sqlmodel import delete

from db.feeds import Claim
from db.models import Feed
from db.models_points import Datapoint, Day
from db.states import Lane
from tasks import jobs
from tests.tasks.scenes import all_rows
from tests.world import World


def test_a_claim_is_loaded_in_as_many_questions_as_one_feed(world: World) -> None:
    """Fifty feeds of a source are claimed together: what they are about is not asked one by one."""
    with world.ledger.write() as session:
        known = world.feed()
        for number in range(9):
            label = f"copy{number}"
            session.add(
                Feed(goal_id=known.goal_id, source_id=known.source_id, metric="m", label=label)
            )
    feeds = all_rows(world, Feed)
    asked: list[str] = []

    @event.listens_for(world.ledger.reading_engine, "after_cursor_execute")
    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    def load(rows: Sequence[Feed]) -> int:
        asked.clear()
        claims = [Claim(row.id or 0, row.source_id, 1, 0, "worker", Lane.URGENT) for row in rows]
        with world.ledger.read() as session:
            batch = jobs.load(session, claims)
        assert [job.feed.id for job in batch.jobs] == [row.id for row in rows]
        assert {job.feeds for job in batch.jobs} == {10}
        return len(asked)

    assert load(feeds) == load(feeds[:1])


def test_the_same_facts_give_the_same_ids_after_a_lost_home(world: World) -> None:
    """The memory of what was sent is lost: the same facts are recognised, nothing is doubled."""
    world.work()
    before = {point.requestid: point.id for point in world.points()}
    with world.ledger.write() as session:
        session.connection().execute(delete(Datapoint))
        session.connection().execute(delete(Day))
    world.call_back()

    world.work()

    assert {point.requestid: point.id for point in world.points()} == before
