"""A renewal of tokens that kills its worker: found, given up, and told."""

from collections.abc import Callable

import httpx

from db import needs, pauses, tries
from db.models import Source
from simulators.faults import Fault
from tasks import refresh, renewals, suspects, sweep
from tasks.runtime import Runtime
from tests.tasks.scenes import all_rows, change_feed
from tests.tasks.test_refresh import DUE, LIFE
from tests.world import DAY, CrashError, World


def test_a_renewal_that_kills_is_made_alone_and_given_up(world: World) -> None:
    """Once beside others, five times alone; then its owner is told, and its syncs log in."""
    world.work()
    world.clock.advance(DUE)
    died = [killed(world, refresh.run), killed(world, refresh.run)]
    assert died == [True, False]
    for _ in range(10):
        world.clock.advance(renewals.TRY_SECONDS)
        keep_alive(world)
        died.append(killed(world, suspects.run))
    assert died.count(True) == 6

    world.clock.advance(LIFE)
    event_id = world.call_back()
    world.work()
    assert world.event(event_id).state == "done"
    assert not killed(world, refresh.run)
    assert not killed(world, suspects.run)
    with world.reading() as session:
        (need,) = needs.of(session, world.clock.at)
    assert (need.subject, need.kind) == ("source plant of alice", "renewal")
    assert "5 times in a row" in need.message
    assert "`waggle resume USER/GOAL`" in need.message


def test_a_person_has_a_renewal_tried_again(world: World) -> None:
    """Resuming a goal of the source: its tokens are renewed ahead of time again."""
    world.work()
    change_source(world, renew_tries=tries.GIVEN_UP)
    world.clock.advance(DUE)
    assert refresh.run(world.runtime()) == 0
    with world.ledger.write() as session:
        pauses.wake(session, [world.feed_id], world.clock.at)
    assert refresh.run(world.runtime()) == 1


def test_a_renewal_that_died_once_and_then_ends_well_is_anybodys(world: World) -> None:
    """A worker that was killed for other reasons: one try alone, and all is as before."""
    world.work()
    world.clock.advance(DUE)
    assert killed(world, refresh.run)
    world.clock.advance(renewals.TRY_SECONDS)
    assert sweep.run(world.runtime())["suspects.default"] == 1
    assert suspects.run(world.runtime())
    assert all_rows(world, Source)[0].renew_tries == 0
    world.clock.advance(DUE)
    assert refresh.run(world.runtime()) == 1


def test_a_renewal_that_is_put_off_has_shown_nothing(world: World) -> None:
    """Told to wait after three deaths: these still count."""
    world.work()
    world.clock.advance(DUE)
    change_source(world, renew_tries=3)
    world.bemserver.faults.add(Fault(path="auth/token/refresh", status=503, retry_after="50"))
    assert not suspects.run(world.runtime())
    assert all_rows(world, Source)[0].renew_tries == 3


def killed(world: World, run: Callable[[Runtime], object]) -> bool:
    """Does a worker that does this die of a renewal?"""
    rt = world.runtime()
    with httpx.Client(transport=Killing()) as http:
        rt.http = http
        try:
            run(rt)
        except CrashError:
            return True
    return False


class Killing(httpx.HTTPTransport):
    """The process dies at the first request for tokens."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One request, or the end."""
        if "auth/token" in request.url.path:
            raise CrashError
        return super().handle_request(request)


def change_source(world: World, **columns: object) -> None:
    """Set columns of the world's first source."""
    with world.ledger.write() as session:
        source = session.get_one(Source, world.source_id)
        for name, value in columns.items():
            setattr(source, name, value)
        session.add(source)


def keep_alive(world: World) -> None:
    """The token has not ended yet, and its source is in use."""
    at = world.clock.at
    change_source(world, access_expires_at=at + LIFE, used_at=at)
    change_feed(world, due_at=at + DAY)
