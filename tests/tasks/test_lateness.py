"""Feeds that are late: told each once, unless what holds them up is told already."""

import pytest

from db import breakers, needs, notices
from db.models import Source, User
from db.models_limits import Breaker
from db.states import FeedState, SourceState, UserState
from tasks import lateness
from tests.tasks.scenes import change_feed
from tests.world import World


def told(world: World) -> list[str]:
    """Look once; what is open of it."""
    lateness.tell(world.runtime())
    with world.ledger.read() as session:
        found = needs.of(session, world.clock.at)
    return [f"{need.subject}: {need.message}" for need in found if need.kind == lateness.KIND]


def fail(world: World, ago: float = 3 * 3600, **more: object) -> None:
    """The feed has failed for so long."""
    values = {"failing_since": world.clock.at - ago, "last_error": "no answer", **more}
    change_feed(world, **values)


def test_two_hours_without_data_are_late(world: World) -> None:
    """Since when and why; not sooner, and no more when it is in step again."""
    fail(world, 3600)
    assert told(world) == []
    fail(world, 7201)
    (line,) = told(world)
    assert line.startswith("alice/energy: no fresh data since 2026-11-20 09:59 UTC")
    assert line.endswith("no answer")
    assert told(world) == [line]
    change_feed(world, failing_since=None, last_error=None)
    assert told(world) == []


def test_one_that_stopped_is_told_without_waiting(world: World) -> None:
    """Nothing comes of it before somebody does something."""
    fail(world, 1, state=FeedState.FAILING, reason="unfit_goal")
    (line,) = told(world)
    assert "stopped since" in line


@pytest.mark.parametrize("state", [FeedState.PAUSED, FeedState.STOPPED])
def test_one_that_a_person_stopped_is_not_late(world: World, state: FeedState) -> None:
    """They know."""
    fail(world, state=state)
    assert told(world) == []


def silent(world: World, subject: str) -> None:
    """A breaker is open."""
    with world.ledger.write() as session:
        session.add(Breaker(subject=subject, opened_at=world.clock.at))


def change(world: World, table: type[Source] | type[User], **columns: object) -> None:
    """Set columns of alice, or of her source."""
    with world.ledger.write() as session:
        row = session.get_one(table, world.source_id if table is Source else world.user_id)
        for name, value in columns.items():
            setattr(row, name, value)
        session.add(row)


def raise_red(world: World) -> None:
    """Its owner was told that the goal derails."""
    with world.ledger.write() as session:
        notices.raise_(
            session,
            user_id=world.user_id,
            subject=f"feed:{world.feed_id}",
            kind="failing_red",
            message="red",
            now=world.clock.at,
        )


HINDRANCES = {
    "source out of reach": lambda world: silent(world, breakers.source(world.source_id)),
    "Beeminder out of reach": lambda world: silent(world, breakers.link(world.user_id)),
    "login refused": lambda world: change(world, Source, state=SourceState.REAUTHORIZE),
    "token refused": lambda world: change(world, User, state=UserState.REAUTHORIZE),
    "set aside": lambda world: change_feed(world, state=FeedState.FAILING, reason="set_aside"),
    "red day": raise_red,
}


@pytest.mark.parametrize("hindrance", HINDRANCES)
def test_what_is_told_already_is_not_told_of_each_feed(world: World, hindrance: str) -> None:
    """One cause, one message."""
    fail(world)
    HINDRANCES[hindrance](world)
    assert told(world) == []
