"""Links that died: their owner is told once, with what to do, and no more when they live again."""

import pytest

from db import needs
from db.models import Source, User
from db.states import FeedState, SourceState, UserState
from tasks import links_lost
from tests.tasks.scenes import change_feed
from tests.world import World


def told(world: World) -> list[str]:
    """Look twice; what is open."""
    for _ in range(2):
        links_lost.tell(world.runtime())
    with world.ledger.read() as session:
        return [
            f"{need.kind} {need.subject}: {need.message}"
            for need in needs.of(session, world.clock.at)
        ]


@pytest.mark.parametrize(("kind", "word"), [("oauth", "connect again"), ("personal", "the file")])
def test_a_token_that_is_refused_is_told(world: World, kind: str, word: str) -> None:
    """What to do depends on how the person was linked."""
    with world.ledger.write() as session:
        user = session.get_one(User, world.user_id)
        user.state, user.token_kind = UserState.REAUTHORIZE, kind
    (line,) = told(world)
    assert line.startswith("link alice: Beeminder does not accept")
    assert word in line
    with world.ledger.write() as session:
        session.get_one(User, world.user_id).state = UserState.ACTIVE
    assert told(world) == []


def test_a_login_that_is_refused_is_told(world: World) -> None:
    """With the reason that the source gave."""
    with world.ledger.write() as session:
        source = session.get_one(Source, world.source_id)
        source.state, source.last_error = SourceState.REAUTHORIZE, "source plant: wrong password"
    (line,) = told(world)
    assert line.startswith("login source plant of alice: the login is refused")
    assert "wrong password" in line
    with world.ledger.write() as session:
        session.get_one(Source, world.source_id).state = SourceState.ACTIVE
    assert told(world) == []


def test_what_nothing_needs_is_told_to_nobody(world: World) -> None:
    """A link that no feed uses may be as dead as it likes."""
    change_feed(world, state=FeedState.STOPPED)
    with world.ledger.write() as session:
        session.get_one(User, world.user_id).state = UserState.REAUTHORIZE
        session.get_one(Source, world.source_id).state = SourceState.REAUTHORIZE
    assert told(world) == []
