"""What was learned once is known to all who share a notebook, for as long as they believe it."""

import pytest
from pydantic import TypeAdapter

from db.notebook import Learned
from tasks.knowledge import CLOCKS_DIFFER, Knowledge
from tasks.notebook import MemoryNotebook
from tests.world import NOON, ManualClock

NUMBER, TEXT = TypeAdapter(int), TypeAdapter(str)
HOUR = 3600.0


class Counting(MemoryNotebook):
    """A notebook that counts how often it is opened."""

    opened = 0

    def learned(self, names):
        """Count, and read."""
        self.opened += 1
        return super().learned(names)

    def learn(self, facts):
        """Count, and write."""
        self.opened += 1
        super().learn(facts)


@pytest.fixture
def clock() -> ManualClock:
    """Time that stands still until it is told to move."""
    return ManualClock()


@pytest.fixture
def notebook() -> Counting:
    """What several share."""
    return Counting()


def known(knowledge: Knowledge, within: float = HOUR) -> int | None:
    """What is known of the meter, asking the notebook if need be."""
    knowledge.look_up({"meter": within})
    return knowledge.get("meter", NUMBER, within=within)


def test_what_one_has_written_down_another_knows(notebook: Counting, clock: ManualClock) -> None:
    """Not before: what was not written down is of one process."""
    one, other = Knowledge(notebook, clock.now), Knowledge(notebook, clock.now)
    one.learn("meter", NUMBER, 7)
    assert (known(one), known(other)) == (7, None)
    one.write_down()
    assert known(other) == 7


def test_what_is_known_here_is_not_looked_up(notebook: Counting, clock: ManualClock) -> None:
    """The notebook is opened once for many names, and only for what is missing or too old."""
    Knowledge(notebook, clock.now).write_down()
    one = Knowledge(notebook, clock.now)
    for name in ("meter", "roof"):
        one.learn(name, NUMBER, 7)
    one.write_down()
    one.write_down()
    assert notebook.opened == 1
    other = Knowledge(notebook, clock.now)
    for _ in range(3):
        other.look_up({"meter": HOUR, "roof": HOUR})
    assert notebook.opened == 2
    clock.advance(HOUR + 1)
    other.look_up({"meter": HOUR, "roof": 2 * HOUR})
    assert notebook.opened == 3


def test_a_fact_is_believed_from_when_it_was_learned(
    notebook: Counting, clock: ManualClock
) -> None:
    """Not from when it was read: passed on from worker to worker it would never end."""
    one, other = Knowledge(notebook, clock.now), Knowledge(notebook, clock.now)
    one.learn("meter", NUMBER, 7)
    one.write_down()
    clock.advance(HOUR)
    assert known(other) == 7
    clock.advance(1)
    assert (known(one), known(other), known(other, within=2 * HOUR)) == (None, None, 7)


def test_what_was_learned_in_the_future_is_not_known(
    notebook: Counting, clock: ManualClock
) -> None:
    """A clock was wrong then; clocks that differ a little are all right."""
    late = NOON + CLOCKS_DIFFER
    notebook.learn({"meter": Learned(7, late)})
    assert known(Knowledge(notebook, clock.now)) == 7
    notebook.learn({"meter": Learned(7, late + 1)})
    assert known(Knowledge(notebook, clock.now)) is None


def test_the_newer_fact_wins(notebook: Counting, clock: ManualClock) -> None:
    """What was asked for here after it was written down there is what is true."""
    one, other = Knowledge(notebook, clock.now), Knowledge(notebook, clock.now)
    other.learn("meter", NUMBER, 6)
    other.write_down()
    clock.advance(1)
    one.learn("meter", NUMBER, 7)
    one.look_up({"meter": 0.0})
    clock.advance(1)
    one.look_up({"meter": 0.5})
    assert known(one) == 7
    one.write_down()
    assert known(Knowledge(notebook, clock.now)) == 7


def test_what_is_forgotten_is_gone_for_all_who_come(notebook: Counting, clock: ManualClock) -> None:
    """Also what was not written down yet, and what was never known."""
    one = Knowledge(notebook, clock.now)
    one.learn("meter", NUMBER, 7)
    one.write_down()
    one.learn("meter", NUMBER, 8)
    one.forget({"meter", "roof"})
    one.write_down()
    assert (known(one), known(Knowledge(notebook, clock.now))) == (None, None)


def test_a_fact_of_another_shape_is_not_known(notebook: Counting, clock: ManualClock) -> None:
    """Another version may have written it."""
    one = Knowledge(notebook, clock.now)
    one.learn("meter", TEXT, "seven")
    assert known(one) is None
