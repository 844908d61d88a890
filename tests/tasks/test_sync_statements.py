"""What a callback asks of the ledger: on a server each statement is a round trip."""

from db.states import Lane
from tasks import sync
from tests.db.counting import all_statements
from tests.world import DAY, NOON, World

MOST = 40


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
    assert len(sent) <= MOST, "\n".join(sent)


def test_more_is_looked_for_by_one_question(world: World) -> None:
    """After each piece of work there is mostly nothing; what has come meanwhile is done."""
    once = sync.pieces(world.runtime(), Lane.URGENT)
    world.call_back()
    assert once()
    with all_statements(world.ledger) as sent:
        assert not once()
    assert len(sent) == 1

    asked_for = world.call_back()
    assert once()
    assert world.event(asked_for).state == "done"
