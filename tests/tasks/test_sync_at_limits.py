"""Whole worlds at limits: several workers at once, and nobody knocks early."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlmodel import select

from db import quotas_seen
from db.engine import Ledger
from db.models import Event, Source
from db.models_limits import Quota as Row
from db.states import Lane
from simulators.faults import Fault
from simulators.limiter import Limiter
from simulators.server import LocalServer
from simulators.windows import Kind, Rounding, Window
from tasks import refresh
from tasks.limits import Limit, Quota
from tasks.runtime import Options, Runtime
from tests.tasks.crowd import CrowdClock, counted_by, together
from tests.tasks.scenes import TODAY, all_rows, change_feed, second_source
from tests.world import World
from webhooks.app import create_app
from webhooks.config import ReceiverConfig
from webhooks.services import Identity

UNKNOWN = Quota(account="plant", unknown=True)
FIVE = Quota(account="plant", limit=Limit(requests=5, seconds=1.0))


class Crowded(World):
    """A world whose clock several workers share."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self.clock: CrowdClock = CrowdClock()
        self.beeminder.__init__(clock=self.clock.now)
        self.bemserver.__init__(clock=self.clock.now)


@pytest.fixture
def crowded(ledger: Ledger) -> Iterator[Crowded]:
    """That world, before its first sync."""
    with Crowded(ledger) as made:
        yield made


def worker(world: World, quota: Quota, *, rate: float = 1000.0) -> Runtime:
    """A process that knows this of the source, and of Beeminder no limit but our own."""
    url = world.beeminder_server.url
    return world.runtime(
        providers=counted_by(quota), options=Options(beeminder_url=url, beeminder_rate=rate)
    )


def many(world: World, count: int) -> list[str]:
    """So many goals with a feed each, over ten sources of one account; their names."""
    sources = [second_source(world, f"s{number}") for number in range(10)]
    slugs = [f"g{number}" for number in range(count)]
    for number, slug in enumerate(slugs):
        world.beeminder.state.add_goal("alice", slug, kyoom=True, aggday="sum")
        series = world.bemserver.state.add_series(f"meter {number}", campaign="Home").id
        world.measure(series, {world.clock.at - 3600: 1.0 + number})
        world.link(slug, series=series, source=sources[number % 10], lane=Lane.BULK)
    return slugs


def all_landed(world: World, slugs: list[str]) -> bool:
    """Is every value where it belongs?"""
    return all(world.values(slug).get(TODAY) == 1.0 + n for n, slug in enumerate(slugs))


def nobody_was_early(limiter: Limiter) -> bool:
    """One refusal for each closing at most, beside those that were on their way."""
    report = limiter.report()
    return (report.early, report.late) == (0, 0)


@pytest.mark.parametrize(
    ("kind", "known"), [("fixed", False), ("gcra", False), ("fixed", True), ("sliding", True)]
)
def test_a_limit_of_the_source_is_kept_by_all_workers(
    crowded: Crowded, kind: Kind, *, known: bool
) -> None:
    """Thirty feeds through five requests a second, four workers: no refusal, or few and no more."""
    crowded.work()  # logged in: one login at a time is another promise
    slugs = many(crowded, 30)
    limiter = crowded.bemserver.limiter
    limiter.set(Window(kind=kind, requests=5, seconds=1.0))

    workers = [worker(crowded, FIVE if known else UNKNOWN) for _ in range(4)]
    together(crowded.clock, workers, 60, lambda: all_landed(crowded, slugs))

    assert all_landed(crowded, slugs)
    assert nobody_was_early(limiter)
    report = limiter.report()
    assert report.served > 10
    assert report.refused == 0 or not known


@pytest.mark.parametrize(("kind", "rate"), [("fixed", 1000.0), ("gcra", 1000.0), ("gcra", 3.0)])
def test_a_limit_of_beeminder_is_kept_by_all_workers(
    crowded: Crowded, kind: Kind, rate: float
) -> None:
    """The same at Beeminder, which counts by person: with a rate that fits, and with none."""
    crowded.work()
    slugs = many(crowded, 20)
    limiter = crowded.beeminder.limiter
    limiter.set(Window(kind=kind, requests=10, seconds=2.0))

    workers = [worker(crowded, UNKNOWN, rate=rate) for _ in range(4)]
    together(crowded.clock, workers, 60, lambda: all_landed(crowded, slugs))

    assert all_landed(crowded, slugs)
    assert nobody_was_early(limiter)
    assert limiter.report().served > 20


def test_a_limit_that_nobody_expected_teaches_a_pace_as_well(crowded: Crowded) -> None:
    """A source that is not known to limit is counted from its first refusal on."""
    crowded.work()
    slugs = many(crowded, 30)
    limiter = crowded.bemserver.limiter
    limiter.set(Window(kind="fixed", requests=5, seconds=1.0))

    workers = [worker(crowded, Quota(account="plant")) for _ in range(4)]
    together(crowded.clock, workers, 60, lambda: all_landed(crowded, slugs))

    assert all_landed(crowded, slugs)
    assert nobody_was_early(limiter)
    with crowded.ledger.read() as session:
        gate = quotas_seen.look(session, Quota(account="plant").key("bemserver"))
    assert gate is not None
    assert 0.2 <= gate.learned_interval <= 0.25
    assert sum(tally.closings for tally in limiter.report().keys.values()) <= 4


@pytest.mark.parametrize(("headers", "rounding"), [("x-ratelimit", "date"), ("ratelimit", "ceil")])
def test_what_good_answers_say_is_left_is_kept_by_all_workers(
    crowded: Crowded, headers: str, rounding: Rounding
) -> None:
    """A vendor that counts down on each answer has hardly anybody to refuse, and nobody early."""
    crowded.work()
    slugs = many(crowded, 20)
    limiter = crowded.bemserver.limiter
    window = Window(kind="fixed", requests=10, seconds=5.0, rounding=rounding)
    limiter.set(window, headers=headers)

    workers = [worker(crowded, Quota(account="plant")) for _ in range(3)]
    together(crowded.clock, workers, 120, lambda: all_landed(crowded, slugs))

    assert all_landed(crowded, slugs)
    assert nobody_was_early(limiter)


def test_a_maintenance_is_waited_for_by_all_workers(crowded: Crowded) -> None:
    """Both sides are closed for half a minute: nobody asks before, everything lands after."""
    crowded.work()
    slugs = many(crowded, 12)
    crowded.bemserver.limiter.close(None, 30)
    crowded.beeminder.limiter.close(None, 20)

    workers = [worker(crowded, UNKNOWN) for _ in range(3)]
    together(crowded.clock, workers, 50, lambda: all_landed(crowded, slugs))

    assert all_landed(crowded, slugs)
    for limiter in (crowded.bemserver.limiter, crowded.beeminder.limiter):
        assert nobody_was_early(limiter)


def passed(world: World) -> int:
    """How many requests the gate of the source has let through."""
    with world.ledger.read() as session:
        row = session.get(Row, UNKNOWN.key("bemserver"))
    return 0 if row is None else row.passed


def test_each_request_to_a_source_takes_a_turn(world: World) -> None:
    """Login and refresh, reads and pages, a second try, a redirect: none goes beside the gate."""
    rt, faults = worker(world, UNKNOWN), world.bemserver.faults
    world.work(rt)
    assert passed(world) == faults.count() >= 3  # with a login

    change_feed(world, due_at=0.0, params={"timeseries": "Main meter", "campaign": "Home"})
    faults.add(Fault(method="GET", path="campaigns", action="reset"))
    faults.add(Fault(method="GET", path="timeseries/", status=302, headers={"Location": "/"}))
    before = faults.count()
    world.work(rt)
    assert faults.count(path="campaigns") >= 2
    assert passed(world) == faults.count() > before

    world.clock.advance(800)
    before = faults.count(path="auth/")
    assert refresh.run(rt) == 1
    assert faults.count(path="auth/") == before + 1
    world.clock.advance(70 * 86400)
    with world.ledger.write() as session:
        session.exec(select(Source)).one().access_expires_at = 0.0
    change_feed(world, due_at=0.0)
    passed_before, asked_before = passed(world), faults.count()
    world.work(rt)
    assert faults.count(path="auth/") > before + 1  # the refresh token has ended as well
    # After a calm of weeks the count begins anew.
    assert passed_before == asked_before
    assert passed(world) == faults.count() - asked_before


def test_each_request_to_beeminder_takes_a_turn(world: World) -> None:
    """Facts, reads of points, pushes one by one after a batch was refused: all of them count."""
    rt, faults = worker(world, UNKNOWN), world.beeminder.faults
    faults.add(Fault(method="POST", path="create_all", status=500))
    for _ in range(3):
        world.call_back()
        world.work(rt)
        world.clock.advance(20)
    assert world.values()[TODAY] == 2.5
    with world.ledger.read() as session:
        row = session.get_one(Row, f"beeminder:{world.user_id}")
    assert row.passed == faults.count() >= 5


def test_a_deferral_costs_no_attempt_and_is_counted(world: World) -> None:
    """A callback whose source is closed waits, is told of nothing but that, and is done after."""
    world.work()
    rt = worker(world, UNKNOWN)
    world.bemserver.faults.add(Fault(path="timeseries", status=429, retry_after="60"))
    event_id = world.call_back()
    world.work(rt)

    event, asked = world.event(event_id), world.bemserver.faults.count()
    assert (event.state, event.attempts, event.deferrals) == ("working", 0, 1)
    assert (world.feed().attempts, world.feed().deferrals) == (0, 1)
    assert event.error is None  # nothing went wrong
    for _ in range(5):
        world.clock.advance(11)
        world.work(rt)
    assert world.bemserver.faults.count() == asked
    assert world.event(event_id).deferrals == 1  # passed over, not taken and put back

    world.clock.advance(10)
    world.work(rt)
    event = world.event(event_id)
    assert (event.state, event.attempts, event.deferrals) == ("done", 1, 1)
    assert world.feed().deferrals == 0


def test_what_was_refused_is_a_limit_and_no_trouble(world: World) -> None:
    """A source that limits is not failing: its state says nothing of it."""
    world.work()
    world.bemserver.faults.add(Fault(path="timeseries", status=429, retry_after="60"))
    change_feed(world, due_at=0.0)
    world.work(worker(world, UNKNOWN))
    with world.ledger.read() as session:
        source = session.exec(select(Source)).one()
    assert (source.state, source.last_error) == ("active", None)


def test_who_calls_is_answered_late_and_their_data_follows(world: World) -> None:
    """A held callback whose source is closed for a minute: 503 late, and the work goes on."""
    world.work()
    world.bemserver.faults.add(Fault(path="timeseries", status=429, retry_after="60"))
    app = create_app(
        config=ReceiverConfig(
            public_url="http://waggle.test",
            callback_secrets=("path-secret",),
            session_key="signing key",
            hold_seconds=1.0,
        ),
        ledger=world.ledger,
        vault=world.vault,
        clock=world.clock,
        ring=world.ring,
        services=Nobody(),
    )
    rt = worker(world, UNKNOWN)
    with LocalServer(app) as server, ThreadPoolExecutor(1) as threads:
        sent = threads.submit(
            world.http.post,
            f"{server.url}/beeminder/autofetch/path-secret",
            data={"username": "alice", "slug": "energy"},
        )
        while not sent.done():  # for as long as it is held
            world.work(rt)
        answer = sent.result()
        app.state.receiver.holds.release()
    assert (answer.status_code, answer.json()) == (503, {"status": "late"})
    assert 55 <= int(answer.headers["Retry-After"]) <= 61
    (event,) = all_rows(world, Event)
    assert (event.state, event.attempts, event.deferrals) == ("working", 0, 1)

    world.clock.advance(61)
    world.work(rt)

    assert world.event(event.id).state == "done"
    assert world.values()[TODAY] == 2.5


class Nobody:
    """Beeminder, which the door does not ask about callbacks."""

    def identify(self, token: str) -> Identity:
        """Never."""
        raise AssertionError
