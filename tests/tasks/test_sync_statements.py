"""What a callback asks of the ledger: on a server each statement is a round trip."""

from db.states import Lane
from tasks import sync
from tests.db.counting import all_statements
from tests.world import DAY, NOON, World

MOST = {"sqlite": 41, "postgresql": 44}  # locks of rows are statements there


def test_a_callback_asks_no_more_than_it_has_to(world: World) -> None:
    """From a stored callback to its answer, one value sent: none is asked that was asked before."""
    far = {"losedate": int(NOON + 30 * DAY), "safebuf": 30}
    world.beeminder.state.change_goal("alice", "energy", facts=far)
    world.work()
    world.clock.advance(700)
    world.measure(world.series, {NOON + 300: 4.5})
    asked_for = world.call_back()

    with all_statements(world.ledger) as sent:
        assert sync.run(world.runtime(), Lane.URGENT)

    assert (world.event(asked_for).state, world.event(asked_for).datapoints) == ("done", 1)
    assert len(sent) <= MOST[world.ledger.url.get_backend_name()], "\n".join(sent)
