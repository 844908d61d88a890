"""Looking for ended leases: before each claim, but no more than once a second."""

from structlog.testing import capture_logs

from tasks import deaths
from tests.tasks.scenes import LEASE_OVER, TRIED_AGAIN, die
from tests.world import World, crash_at


def test_what_died_is_free_again_and_logged(world: World) -> None:
    """By the next process that looks; the log says who died with which worker."""
    die(world, world.runtime(trace=crash_at("claimed")))
    world.clock.advance(LEASE_OVER)
    with capture_logs() as logs:
        deaths.bury(world.runtime())
    assert world.feed().lease_owner is None
    assert logs == [
        {
            "event": "work.died",
            "log_level": "warning",
            "owner": "worker-1",
            "worker": "gone",
            "counted": world.feed_id,
            "suspects": (),
            "events": (),
        }
    ]


def test_a_fifth_death_is_an_error_in_the_log(world: World) -> None:
    """An operator who reads only errors hears of what is set aside."""
    for _ in range(5):
        die(world, world.runtime(trace=crash_at("claimed")))
        world.clock.advance(TRIED_AGAIN)
    with capture_logs() as logs:
        deaths.bury(world.runtime())
    assert [(log["event"], log["log_level"]) for log in logs] == [
        ("work.died", "warning"),
        ("feed.set_aside", "error"),
    ]


def test_one_process_looks_once_a_second(world: World) -> None:
    """Every callback comes by here; leases of ten seconds need no closer look."""
    rt = world.runtime()
    die(world, world.runtime(trace=crash_at("claimed")))
    world.clock.advance(LEASE_OVER - 1.0)
    deaths.bury(rt)
    world.clock.advance(0.9)
    deaths.bury(rt)
    assert world.feed().lease_owner is not None
    world.clock.advance(0.2)
    deaths.bury(rt)
    assert world.feed().lease_owner is None
