"""From a simulated RIME to Beeminder: every metric, both ways in, limits and trouble."""

from collections.abc import Iterator

import pytest
from sqlmodel import select

from db.models import Feed, Goal, Source
from db.states import Lane
from simulators.faults import Fault
from simulators.windows import Window
from tests.tasks import rime_world
from tests.tasks.rime_world import (
    CONNECTOR,
    EMAIL,
    KEY,
    PASSWORD,
    PIPELINE,
    PROJECT,
    RimeWorld,
    at,
    ran,
)
from tests.tasks.scenes import TODAY, YESTERDAY, look_up
from tests.world import World

METRICS = {
    "rows_extracted": {YESTERDAY: 100.0, TODAY: 25.0},
    "runs_succeeded": {YESTERDAY: 1.0, TODAY: 1.0},
    "runs_failed": {YESTERDAY: 0.0, TODAY: 1.0},
    "run_minutes": {YESTERDAY: 10.0, TODAY: 8.5},
}
LOGIN = {"email": EMAIL, "secrets": {"password": PASSWORD}}


@pytest.fixture
def shop(world: World) -> Iterator[RimeWorld]:
    """Yesterday and today at a tenant, one run that goes on."""
    with rime_world.beside(world) as made:
        rime = made.rime
        ran(rime, at("19 10:00"), rows=100, lasted=600)
        ran(rime, at("20 00:00"), rows=20, lasted=300)
        ran(rime, at("20 09:00"), rows=5, lasted=60, status="Partially failed")
        ran(rime, at("20 09:30"), rows=900, lasted=120, status="Failed")
        ran(rime, at("20 10:00"), rows=0, lasted=30, status="Cancelled")
        ran(rime, at("20 10:30"), rows=None, lasted=0, status="Skipped")
        ran(rime, None, started_at=at("20 11:00"), rows=77, status="Running", id="live")
        ran(rime, at("20 02:00"), owner=PIPELINE, status="Succeeded", rows=None)
        yield made


def told(shop: RimeWorld, slug: str) -> dict[str, str]:
    """What a callback for this goal ends in; its feed says the same."""
    event = shop.world.call_back(slug)
    look_up(shop.world)
    shop.world.work(lane=Lane.URGENT)
    shop.world.work()
    error = shop.world.event(event).error or {}
    with shop.world.reading() as session:
        goal = session.exec(select(Goal).where(Goal.slug == slug)).one()
        feed = session.exec(select(Feed).where(Feed.goal_id == goal.id)).one()
    assert feed.last_error == error["message"]
    return error


def recent(shop: RimeWorld, slug: str) -> dict[str, float]:
    """Our values of yesterday and today."""
    found = shop.world.values(slug)
    return {stamp: found[stamp] for stamp in (YESTERDAY, TODAY) if stamp in found}


@pytest.mark.parametrize("way", ["key", "login"])
def test_every_metric_lands(shop: RimeWorld, way: str) -> None:
    """Each on its goal, by key or by login; and nothing at the source was touched."""
    source = shop.source(**(LOGIN if way == "login" else {}))
    for metric in METRICS:
        shop.feed(metric.replace("_", "-"), source, metric)
    shop.feed("nightly", source, "runs_succeeded", pipeline=PIPELINE)

    shop.world.work()

    for metric, expected in METRICS.items():
        assert recent(shop, metric.replace("_", "-")) == expected
    assert recent(shop, "nightly")[TODAY] == 1.0
    assert shop.rime.state.harm == []
    posts = [request.path for request in shop.rime.faults.requests if request.method != "GET"]
    assert posts == ([] if way == "key" else ["/api/v1/auth/login"])
    for request in shop.rime.faults.requests:
        assert KEY not in request.query
        assert "eyJ" not in request.query


def test_twice_is_once(shop: RimeWorld) -> None:
    """A second sync of the same runs sends nothing; a run that ends adds to its day."""
    feed = shop.feed("rows", shop.source(), "rows_extracted")
    shop.world.work()
    puts = len([r for r in shop.world.beeminder.faults.requests if r.method != "GET"])
    again(shop, feed)
    assert len([r for r in shop.world.beeminder.faults.requests if r.method != "GET"]) == puts
    assert recent(shop, "rows") == {YESTERDAY: 100.0, TODAY: 25.0}

    run = shop.rime.state.owner(CONNECTOR).runs["live"]
    shop.rime.state.finish_run(run, rows=1000)
    again(shop, feed)
    assert recent(shop, "rows") == {YESTERDAY: 100.0, TODAY: 1025.0}


def again(shop: RimeWorld, feed: int) -> None:
    """Sync a feed once more, a minute later."""
    shop.world.clock.advance(60)
    with shop.world.ledger.write() as session:
        row = session.get_one(Feed, feed)
        row.due_at = shop.world.clock.at
        session.add(row)
    shop.world.work()


def test_the_next_worker_does_not_read_a_long_list_again(shop: RimeWorld) -> None:
    """Another process, or this one after a restart, asks for what may be new; the points agree."""
    for number in range(250):
        ran(shop.rime, at("01 00:00") + 300 * number, rows=1)
    source = shop.source()
    feed = shop.feed("rows", source, "rows_extracted")
    for pages in (3, 4, 5):  # three by the first, one by each that comes later
        again(shop, feed)  # by a worker of its own
        assert shop.rime.faults.count("orders/runs") == pages
        assert recent(shop, "rows") == {YESTERDAY: 100.0, TODAY: 25.0}

    with shop.world.ledger.write() as session:
        row = session.get_one(Source, source)
        row.settings = row.settings | {"times_zone": "UTC"}
        session.add(row)
    again(shop, feed)
    assert shop.rime.faults.count("orders/runs") == 8  # read in another way: read whole
    assert recent(shop, "rows") == {YESTERDAY: 100.0, TODAY: 25.0}


def test_a_session_ends_and_is_refreshed(shop: RimeWorld) -> None:
    """After an hour by the refresh token; the password is sent once."""
    feed = shop.feed("rows", shop.source(**LOGIN), "rows_extracted")
    shop.world.work()
    shop.world.clock.advance(3600)
    again(shop, feed)
    assert shop.rime.faults.count("auth/login") == 1
    assert shop.rime.faults.count("auth/refresh") == 1
    assert recent(shop, "rows")[TODAY] == 25.0


@pytest.mark.parametrize("rotates", [True, False])
def test_a_session_that_is_revoked_is_renewed_once(shop: RimeWorld, rotates: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    """A 401 before its time: one refresh, the same request again; the old token stays if no new."""
    shop.rime.unknowns.set(rotates=rotates)
    feed = shop.feed("rows", shop.source(**LOGIN), "rows_extracted")
    shop.world.work()
    for count in (1, 2):
        shop.rime.tokens.revoke("access")
        again(shop, feed)
        assert shop.rime.faults.count("auth/refresh") == count
    assert shop.rime.faults.count("auth/login") == 1


@pytest.mark.parametrize("told", [True, False])
def test_a_tenant_that_does_not_refresh(shop: RimeWorld, told: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    """The path is not there: the password again, also where no end of life was told."""
    shop.rime.unknowns.set(refresh_path=None, tells_expiry=told)
    feed = shop.feed("rows", shop.source(**LOGIN), "rows_extracted")
    shop.world.work()
    shop.rime.tokens.revoke("access")
    again(shop, feed)
    assert shop.rime.faults.count("auth/login") == 2
    refreshes = [r.status for r in shop.rime.faults.requests if r.path.endswith("auth/refresh")]
    assert refreshes == [404]
    assert shop.world.feed(feed).last_error is None
    assert recent(shop, "rows")[TODAY] == 25.0


def test_a_refresh_path_of_the_settings(shop: RimeWorld) -> None:
    """It is asked there, and nowhere else."""
    shop.rime.unknowns.set(refresh_path="auth/token/renew")
    source = shop.source(**LOGIN, refresh_path="auth/token/renew")
    feed = shop.feed("rows", source, "rows_extracted")
    shop.world.work()
    shop.rime.tokens.revoke("access")
    again(shop, feed)
    assert shop.rime.faults.count("auth/token/renew") == 1
    assert shop.rime.faults.count("auth/login") == 1


@pytest.mark.parametrize("secrets", [{"api_key": "canary-wrong"}, {"password": "canary-wrong"}])
def test_who_is_refused_is_told_with_the_request(shop: RimeWorld, secrets: dict) -> None:
    """No datapoint, no second try; the error names the request and no secret."""
    login = {"email": EMAIL} if "password" in secrets else {}
    source = shop.source(secrets=secrets, **login)
    shop.feed("rows", source, "rows_extracted")
    error = told(shop, "rows")
    assert error["code"] == "auth_failed"
    assert error["request_id"].startswith("req_")
    assert "canary" not in str(error)
    assert shop.world.values("rows") == {}
    assert len(shop.rime.faults.requests) == 1


def test_what_the_vendor_says_is_told_with_its_request(shop: RimeWorld) -> None:
    """Message, details and X-Request-Id stand where people look."""
    details = [{"field": "limit", "message": "too many"}]
    error = {"code": "validation_error", "message": "Invalid request", "details": details}
    shop.rime.faults.add(
        Fault(status=400, times=None, body={"error": error}, headers={"X-Request-Id": "req_77"})
    )
    shop.feed("rows", shop.source(), "rows_extracted")
    found = told(shop, "rows")
    assert found["request_id"] == "req_77"
    assert "source shop: RIME answered 400" in found["message"]
    assert "Invalid request (limit: too many)" in found["message"]


def test_a_run_that_can_not_be_counted_is_told(shop: RimeWorld) -> None:
    """Nothing is sent of the feed, field and run are named; its neighbour goes on."""
    ran(shop.rime, at("20 11:30"), hidden=frozenset({"rows"}), id="bare")
    source = shop.source()
    shop.feed("rows", source, "rows_extracted")
    runs = shop.feed("n", source, "runs_failed")
    error = told(shop, "rows")
    assert "run bare (completed): field total_rows is missing" in error["message"]
    assert error["request_id"].startswith("req_")
    assert shop.world.values("rows") == {}
    assert recent(shop, "n") == METRICS["runs_failed"]
    assert shop.world.feed(runs).last_error is None


@pytest.mark.parametrize("kind", ["gcra", "fixed", "sliding"])
def test_a_limit_that_nobody_names_is_kept_to(shop: RimeWorld, kind: str) -> None:
    """A list of eight pages through four requests in a minute: all of it, and nobody came early."""
    for number in range(700):
        ran(shop.rime, at("18 00:00") + number, rows=1)
    shop.rime.limiter.set(Window(kind=kind, requests=4, seconds=60.0))
    feed = shop.feed("rows", shop.source(), "rows_extracted")
    rt = shop.world.runtime()  # one process: another one would begin the list anew
    for _ in range(40):
        shop.world.work(rt)
        if recent(shop, "rows"):
            break
        shop.world.clock.advance(30)
    assert recent(shop, "rows") == METRICS["rows_extracted"]
    assert shop.world.values("rows")["20261118"] == 700.0
    assert shop.rime.limiter.report().early == 0
    assert shop.world.feed(feed).last_error is None


def test_connectors_with_plain_names_share_a_limit(shop: RimeWorld) -> None:
    """One is refused: nothing of the other is asked before its time, then both are right."""
    shop.rime.state.add_connector(PROJECT, "customers")
    ran(shop.rime, at("20 09:00"), owner="customers", rows=3)
    source = shop.source()
    feeds = [
        shop.feed(f"rows-of-{connector}", source, "rows_extracted", connector=connector)
        for connector in (CONNECTOR, "customers")
    ]
    shop.rime.faults.add(Fault(path="runs", status=429, headers={"Retry-After": "150"}))
    shop.world.work()
    for feed in reversed(feeds):
        again(shop, feed)
    assert shop.rime.faults.count("runs") == 1

    for feed in feeds:
        again(shop, feed)
    assert recent(shop, "rows-of-orders") == METRICS["rows_extracted"]
    assert recent(shop, "rows-of-customers") == {YESTERDAY: 0.0, TODAY: 3.0}


def test_all_users_of_a_tenant_wait_for_its_limit(shop: RimeWorld) -> None:
    """Two sources, two ways in, two projects of one tenant: one refusal stops both."""
    shop.rime.state.add_project("lab")
    shop.rime.state.add_connector("lab", "tests")
    first = shop.feed("rows", shop.source(), "rows_extracted")
    other = shop.source("lab", project="lab", email=EMAIL, secrets={"password": PASSWORD})
    second = shop.feed("lab", other, "runs_failed", connector="tests")
    shop.rime.faults.add(Fault(path="runs", status=429, headers={"Retry-After": "120"}))
    shop.world.work()
    assert shop.rime.faults.count("runs") == 1
    with shop.world.reading() as session:
        keys = {row.quota_key for row in session.exec(select(Source)) if row.provider == "rime"}
    assert len(keys - {None}) == 1
    assert recent(shop, "rows") == {}
    shop.world.clock.advance(125)
    for feed in (first, second):
        again(shop, feed)
    assert recent(shop, "rows") == METRICS["rows_extracted"]


def test_a_project_with_a_name_to_quote(shop: RimeWorld) -> None:
    """An id with spaces and signs is one segment of the path all the way."""
    name = "a b?c=#d&é"
    shop.rime.state.add_project(name)
    shop.rime.state.add_connector(name, "x y")
    ran(shop.rime, at("20 01:00"), rows=3, owner="x y")
    shop.feed("odd", shop.source(project=name), "rows_extracted", connector="x y")
    shop.world.work()
    assert recent(shop, "odd") == {YESTERDAY: 0.0, TODAY: 3.0}
