"""One refusal that is about several feeds: all of them are put back, and nobody is forgotten."""

from sqlmodel import col, update

from clients.errors import Unavailable
from db import claiming
from db.models import Feed
from db.states import Lane
from tasks import callbacks, jobs, setbacks
from tasks.gates import DeferredError
from tasks.jobs import Job
from tests.tasks.scenes import all_rows, link_many
from tests.world import World

OWNER = "desk"


def claimed(world: World) -> list[Job]:
    """A worker that holds everything that is due."""
    together = {name: provider.together for name, provider in world.runtime().providers.items()}
    with world.ledger.write() as session:
        claims = claiming.claim(
            session, owner=OWNER, now=world.clock.at, lane=Lane.BULK, together=together
        )
        return jobs.load(session, claims).jobs


def rows(world: World) -> dict[int, Feed]:
    """Every feed by its id."""
    return {feed.id or 0: feed for feed in all_rows(world, Feed)}


def closed(world: World) -> DeferredError:
    """The gate of the source is closed for a minute."""
    return DeferredError(world.clock.at + 60.0, {"code": "rate_limited", "message": "busy"})


def test_all_of_them_wait_until_the_time_that_was_named(world: World) -> None:
    """A limit costs no attempt, and no lease is left."""
    link_many(world, 4)
    held = claimed(world)
    rt = world.runtime()

    with rt.leases.holding([job.held.feed_id for job in held], world.clock.at):
        setbacks.none_now(rt, held, closed(world), where="source plant")
        assert rt.leases.renewable(world.clock.at) == []

    assert len(held) == 5
    for feed in rows(world).values():
        assert (feed.lease_owner, feed.due_at) == (None, world.clock.at + 60.0)
        assert (feed.deferrals, feed.attempts) == (1, 0)


def test_who_lost_its_lease_keeps_nobody_back(world: World) -> None:
    """One of them was claimed by somebody else meanwhile: it stays theirs, the others are free."""
    link_many(world, 4)
    held = claimed(world)
    lost = held[2].held.feed_id
    with world.ledger.write() as session:
        session.connection().execute(
            update(Feed)
            .where(col(Feed.id) == lost)
            .values(epoch=col(Feed.epoch) + 1, lease_owner="another")
        )
    before = rows(world)[lost].model_dump()

    setbacks.none_now(world.runtime(), held, Unavailable("down"), where="source plant")

    after = rows(world)
    assert after.pop(lost).model_dump() == before
    assert {(feed.lease_owner, feed.attempts) for feed in after.values()} == {(None, 1)}


def test_a_callback_among_them_is_told(world: World) -> None:
    """The feed that it waits for is put back with it: the wait is counted, and it goes on after."""
    link_many(world, 2)
    event_id = world.call_back()
    callbacks.open_new(world.runtime())
    held = claimed(world)
    assert len(held) == 3

    setbacks.none_now(world.runtime(), held, closed(world), where="source plant")

    event = world.event(event_id)
    assert (event.state, event.deferrals, event.attempts) == ("working", 1, 0)
    world.clock.advance(61.0)
    world.work()
    assert world.event(event_id).state == "done"
