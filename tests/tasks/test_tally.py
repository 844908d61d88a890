"""What a process counts: written once, and kept until it is."""

import pytest
from sqlalchemy.exc import SQLAlchemyError

from db import tallies
from db.models import Source
from db.tallies import Key
from tasks import sweep
from tasks.tally import Tally
from tests.tasks.scenes import at_once
from tests.world import World


def counted(world: World, tally: Tally) -> dict[Key, float]:
    """Write it down; what the ledger has then."""
    with world.ledger.write() as session:
        tally.write(session, world.clock.at)
    tally.forget()
    with world.ledger.read() as session:
        return {key: seen.value for key, seen in tallies.everything(session).items()}


def test_each_count_is_written_once(world: World) -> None:
    """Threads count while others do; a write that fails loses nothing, a second adds nothing."""
    tally = Tally()
    at_once(4, lambda _number: [tally.count("deferrals", "bime") for _ in range(100)])

    def unlucky() -> None:
        with world.ledger.write() as session:
            tally.write(session, world.clock.at)
            session.connection().exec_driver_sql("SELECT nothing FROM nowhere")

    with pytest.raises(SQLAlchemyError):
        unlucky()
    tally.count("deferrals", "bime", by=5)
    assert counted(world, tally) == {Key("deferrals", "bime"): 405}
    assert counted(world, tally) == {Key("deferrals", "bime"): 405}


def test_only_what_is_known_is_counted() -> None:
    """A word of somebody else never becomes one of ours."""
    tally = Tally()
    with pytest.raises(ValueError, match="'odd'"):
        tally.count("syncs", "bime", "odd")
    with pytest.raises(KeyError):
        tally.count("odd")
    with pytest.raises(ValueError, match="'odd'"):
        tally.mark(tallies.SWEEP, "odd", at=1.0)


def test_work_is_counted_by_how_it_ended(world: World) -> None:
    """A sync with its login, its requests and its datapoint; one that fails; and the sweep."""
    rt = world.runtime()
    world.work(rt)
    sweep.run(rt)
    found = counted(world, rt.tally)
    assert found[Key("syncs", "bemserver", "fresh")] == 1
    assert found[Key("token_refreshes", "bemserver", "renewed")] == 1
    assert found[Key("datapoints", "", "landed")] == len(world.points()) > 0
    assert found[Key("vendor_requests", "beeminder", "answered")] > 0
    assert found[Key("vendor_requests", "bemserver", "answered")] > 0
    assert Key(tallies.SWEEP) in found

    world.bemserver.state.users.clear()
    with world.ledger.write() as session:
        session.get_one(Source, world.source_id).session_cipher = None
    world.call_back()
    again = world.runtime()
    world.work(again)
    found = counted(world, again.tally)
    assert found[Key("syncs", "bemserver", "failed")] == 1
    assert found[Key("token_refreshes", "bemserver", "refused")] == 1
