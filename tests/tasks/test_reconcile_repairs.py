"""What a repair writes over, what it leaves, and that it says which."""

import pytest

from clients.errors import ClientError
from db.models_points import Day
from db.states import DatapointState
from simulators.faults import Fault
from tasks.comparison import Kind
from tasks.repairs import Repair
from tests.tasks.differences import (
    change_row,
    daily,
    delete,
    edit,
    examine,
    kinds,
    measure_and_sync,
    notices,
    put,
    row,
)
from tests.tasks.scenes import TODAY, YESTERDAY, change_feed
from tests.world import DAY, World

pytestmark = pytest.mark.usefixtures("landed")


def test_today_is_repaired_when_asked_for(world: World) -> None:
    """Without a yes: nobody's finished day is touched."""
    edit(world, TODAY, value=4.0)
    report = examine(world, Repair.OURS)
    assert report.settled
    assert report.as_json()["differences"][0]["done"] == "repaired"
    assert world.values()[TODAY] == 2.5
    assert row(world, TODAY).state == DatapointState.LANDED
    assert examine(world).told == ()


def test_todays_deletion_is_not_undone_either(world: World) -> None:
    """A deleted point is never restored, also on the open day."""
    delete(world, TODAY)
    assert not examine(world, Repair.EDITS).settled
    assert list(world.values()) == [YESTERDAY]


def test_a_repair_without_a_yes_leaves_an_edit(world: World) -> None:
    """The person's value stays and the report says that a yes is missing."""
    edit(world, YESTERDAY, value=9.0)
    report = examine(world, Repair.OURS)
    assert [one.needs_a_yes for one in report.told] == [True]
    assert not report.settled
    assert world.values()[YESTERDAY] == 9.0


@pytest.mark.parametrize("frozen_before", [False, True])
def test_a_repair_with_a_yes_writes_an_edit_over(world: World, *, frozen_before: bool) -> None:
    """The ledger's value is there again, the notice is gone, and the day is ours again."""
    edit(world, YESTERDAY, value=9.0)
    if frozen_before:
        daily(world)
    report = examine(world, Repair.EDITS)
    assert report.settled
    assert (report.equal, report.as_json()["differences"][0]["done"]) == (2, "repaired")
    assert world.values()[YESTERDAY] == 7.0
    assert row(world, YESTERDAY).frozen is None
    assert notices(world) == []


def test_after_a_yes_the_source_is_asked_again(world: World) -> None:
    """A frozen day was not read: what the source says by now follows at once."""
    edit(world, YESTERDAY, value=6.0)
    daily(world)
    measure_and_sync(world, 8.0)
    assert examine(world, Repair.EDITS).settled
    world.work()
    assert world.values()[YESTERDAY] == 8.0


def test_a_point_that_was_moved_to_another_day_is_an_edit(world: World) -> None:
    """The same value on another day is another fact."""
    edit(world, YESTERDAY, timestamp=int(world.clock.at - 5 * DAY))
    (found,) = examine(world).as_json()["differences"]
    assert (found["daystamp"], found["kind"], found["done"]) == (YESTERDAY, "edited", "frozen")
    assert examine(world, Repair.EDITS).settled
    assert world.values() == {TODAY: 2.5, YESTERDAY: 7.0}


def test_a_point_confirmed_but_never_seen_is_missing(world: World) -> None:
    """Beeminder said "duplicate" and does not have it: told, and written by a repair."""
    delete(world, YESTERDAY)
    change_row(world, YESTERDAY, beeminder_id=None)
    report = examine(world)
    assert kinds(report) == {YESTERDAY: Kind.MISSING}
    assert not report.settled
    assert row(world, YESTERDAY).frozen is None
    report = examine(world, Repair.OURS)
    assert report.settled
    assert world.values() == {TODAY: 2.5, YESTERDAY: 7.0}


def test_points_of_another_waggle_are_told_and_left(world: World) -> None:
    """Named like ours and not in the ledger: also a confirmed repair leaves them."""
    put(world, "20261101", "wg-0123456789abcdef-20261101", 5.0)
    put(world, "20261101", "ifttt-1", 6.0)
    report = examine(world, Repair.EDITS)
    (found,) = report.as_json()["differences"]
    assert (found["kind"], found["beeminder"], found["ledger"]) == ("foreign", 5.0, None)
    assert (found["feed"], found["done"], report.settled) == ("alice/energy", "left", False)
    assert len(world.beeminder.state.datapoints("alice", "energy")) == 4


def test_an_edit_under_a_held_correction_is_the_persons(world: World) -> None:
    """What a yes writes back is what had landed, not what nobody has approved."""
    change_row(world, YESTERDAY, state="held", value=0.0, content_hash="other")
    edit(world, YESTERDAY, value=9.0)
    assert daily(world)
    assert (row(world, YESTERDAY).frozen, row(world, YESTERDAY).value) == ("edited", 7.0)
    assert examine(world, Repair.EDITS).settled
    assert world.values()[YESTERDAY] == 7.0


def test_where_the_source_wins_an_edit_is_written_over(world: World) -> None:
    """`on_edit = "source"`: nobody is told, and the outbox sends it again."""
    change_feed(world, options={"on_edit": "source"})
    edit(world, YESTERDAY, value=9.0)
    assert daily(world)
    world.work()
    assert world.values()[YESTERDAY] == 7.0
    assert notices(world) == []


def test_a_pinned_day_is_left_as_it_is(world: World) -> None:
    """Also today, and also by a confirmed repair."""
    with world.ledger.write() as session:
        day = session.get_one(Day, (world.feed_id, TODAY))
        day.pinned = True
        session.add(day)
    edit(world, TODAY, value=4.0)
    assert kinds(examine(world, Repair.EDITS)) == {TODAY: Kind.EDITED}
    assert world.values()[TODAY] == 4.0


def test_a_repair_that_beeminder_refuses_is_told(world: World) -> None:
    """The report says that it failed, and why."""
    edit(world, TODAY, value=4.0)
    world.beeminder.faults.add(
        Fault(method="POST", path="datapoints", status=422, body={"errors": "frozen"}, times=None)
    )
    report = examine(world, Repair.OURS)
    assert not report.settled
    (one,) = [one for one in report.told if one.finding.kind == Kind.EDITED]
    assert one.done == "failed"
    assert "frozen" in (one.why or "")


def test_a_repair_that_meets_an_outage_is_finished_later(world: World) -> None:
    """The person hears of the outage; the yes that was given is carried out by the outbox."""
    edit(world, YESTERDAY, value=9.0)
    world.beeminder.faults.add(Fault(method="POST", path="datapoints", status=503, times=1))
    with pytest.raises(ClientError):
        examine(world, Repair.EDITS)
    assert world.values()[YESTERDAY] == 9.0
    assert world.feed().lease_until == 0.0
    world.work()
    assert world.values()[YESTERDAY] == 7.0
    assert notices(world) == []


def test_what_landed_before_an_outage_is_marked(world: World) -> None:
    """Half of a repair is through when Beeminder goes away: that half is not sent again."""
    edit(world, YESTERDAY, value=9.0)
    edit(world, TODAY, value=9.0)
    faults = world.beeminder.faults
    faults.add(Fault(method="POST", path="create_all", status=422, body={"errors": "no"}))
    faults.add(Fault(method="POST", path=r"datapoints\.json", status=503, after=1))
    with pytest.raises(ClientError):
        examine(world, Repair.EDITS)
    assert world.values() == {YESTERDAY: 7.0, TODAY: 9.0}
    assert (row(world, YESTERDAY).state, row(world, TODAY).state) == ("landed", "pending")
    assert examine(world, Repair.OURS).told[0].finding.kind == Kind.PENDING
