"""Waits of hours: told once to whom they concern, kept as they are, and over when they are."""

import pytest
from sqlmodel import select

from db import needs, notices, quotas, quotas_closing
from db.models import Feed, Notice, Source
from db.models_limits import Quota
from db.states import FeedState
from tasks import long_waits, sweep
from tests.world import NOON, World

HOUR = 3600.0
KEY = "bemserver:plant"


@pytest.fixture(autouse=True)
def _counted(world: World) -> None:
    """The plant is counted by a quota of its own."""
    with world.ledger.write() as session:
        session.get_one(Source, world.source_id).quota_key = KEY


def close(world: World, seconds: float, key: str = KEY) -> None:
    """The vendor asks for a pause."""
    with world.ledger.write() as session:
        quotas.ensure(session, key, vendor=key.partition(":")[0])
        quotas_closing.close(session, key, world.clock.at + seconds, now=world.clock.at)


def told(world: World) -> list[str]:
    """Look once; the open notices of this kind, under the names of what they are about."""
    long_waits.tell(world.runtime())
    with world.ledger.read() as session:
        found = needs.of(session, world.clock.at)
    return [f"{need.subject}: {need.message}" for need in found if need.kind == long_waits.KIND]


def rows(world: World) -> list[Notice]:
    """Every notice of this kind that ever was."""
    with world.ledger.read() as session:
        return list(session.exec(select(Notice).where(Notice.kind == long_waits.KIND)))


def test_a_wait_of_hours_is_told_once(world: World) -> None:
    """With its times, at the first look and not again; the sweep is who looks."""
    close(world, 2 * HOUR + 1)
    sweep.run(world.runtime())
    (line,) = told(world)
    assert line.startswith("source plant of alice: the source wants no requests from 2026-11-20")
    assert "12:00 UTC to 2026-11-20 14:01 UTC" in line
    (row,) = rows(world)
    world.clock.advance(60)
    assert told(world) == [line]
    assert rows(world) == [row]


def test_a_wait_of_an_hour_is_not_told(world: World) -> None:
    """A quota by the hour closes for an hour at most: that is every day's."""
    close(world, HOUR)
    assert told(world) == []


def test_it_is_over_when_something_was_answered(world: World) -> None:
    """Half open it is told still; the next wait of hours is news again."""
    close(world, 2 * HOUR)
    told(world)
    world.clock.advance(2 * HOUR + 1)
    assert told(world)
    with world.ledger.write() as session:
        session.get_one(Quota, KEY).proven_at = world.clock.at
    assert told(world) == []
    world.clock.advance(60)
    close(world, 3 * HOUR)
    assert told(world)
    (row,) = rows(world)
    assert row.created_at == world.clock.at


def test_many_short_ones_are_a_long_one(world: World) -> None:
    """A vendor that refuses every quarter of an hour, and answers nothing between."""
    for _ in range(5):
        close(world, 900)
        told(world)
        world.clock.advance(901)
    (row,) = rows(world)
    assert row.cleared_at is None
    assert row.created_at <= NOON + 4 * 901


def test_the_person_at_beeminder_is_told(world: World) -> None:
    """Their gate is nobody else's."""
    close(world, 2 * HOUR, key=f"beeminder:{world.user_id}")
    (line,) = told(world)
    assert line.startswith("alice: Beeminder wants no requests")


def test_a_gate_of_nobody_stops_no_sweep(world: World) -> None:
    """A person or a source that is gone since: nobody is told, and the others are."""
    close(world, 2 * HOUR, key="beeminder:987654")
    close(world, 2 * HOUR, key="bemserver:gone")
    close(world, 2 * HOUR)
    assert [line.partition(":")[0] for line in told(world)] == ["source plant of alice"]


def test_whoever_needs_nothing_is_not_told(world: World) -> None:
    """A source whose feeds are all stopped waits for nothing."""
    close(world, 2 * HOUR)
    with world.ledger.write() as session:
        session.get_one(Feed, world.feed_id).state = FeedState.STOPPED
    assert told(world) == []


def test_a_wait_has_begun_when_it_is_told(world: World) -> None:
    """Its beginning is rounded down to the minute, as its end is rounded up."""
    world.clock.advance(11)
    close(world, 2 * HOUR)
    (line,) = told(world)
    assert "from 2026-11-20 12:00 UTC to 2026-11-20 14:01 UTC" in line


def test_a_longer_wait_changes_what_is_told(world: World) -> None:
    """The vendor asked for more: the times are the new ones, and it is no second piece of news."""
    close(world, 2 * HOUR)
    (before,) = told(world)
    close(world, 5 * HOUR)
    (after,) = told(world)
    assert "17:00 UTC" in after
    assert after != before
    assert len(rows(world)) == 1


def test_nothing_is_written_while_nothing_changes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep looks every second: it takes the lock of the ledger only for news."""
    close(world, 2 * HOUR)
    told(world)
    monkeypatch.setattr(notices, "raise_", lambda *_args, **_more: pytest.fail("written again"))
    monkeypatch.setattr(notices, "clear", lambda *_args, **_more: pytest.fail("cleared"))
    told(world)
