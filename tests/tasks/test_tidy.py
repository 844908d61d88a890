"""Nothing to tidy is the rule; where there is something is in `tests/services/test_tidying.py`."""

from sqlmodel import SQLModel

from db import tidying
from tasks import tidy
from tests.world import World


def test_a_small_ledger_is_left_alone(world: World) -> None:
    """On both databases; what earlier tests left behind in the same one does not count."""
    tidying.tidy(world.ledger, *SQLModel.metadata.tables)
    world.work()
    assert tidy.run(world.runtime()) == []
