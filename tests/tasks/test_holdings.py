"""What Beeminder holds of ours is read whole, whatever happens between two pages."""

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import pytest

import clients
from clients.errors import UnexpectedResponse
from simulators import beeminder_datapoints, beeminder_views
from simulators.faults import Fault
from tasks import days, holdings
from tasks.beeminder import Access
from tests.tasks.scenes import TODAY, YESTERDAY
from tests.world import World

T = TypeVar("T")


def put(world: World, daystamp: str, requestid: str | None, value: float = 1.0) -> str:
    """A datapoint at Beeminder; returns its id."""
    goal = world.beeminder.state.goal("alice", "energy")
    fields: dict[str, object] = {"value": value, "daystamp": daystamp, "requestid": requestid}
    point, _ = beeminder_datapoints.upsert(world.beeminder.state, goal, fields, via=None)
    return point.id


def ago(count: int) -> str:
    """The day so many days before today."""
    return days.stamp(days.parse(TODAY) - timedelta(days=count))


def put_many(world: World, count: int, *, until: int = 0) -> list[str]:
    """One of our points on each of so many days, the last `until` days ago; their requestids."""
    stamps = [ago(until + number) for number in range(count)]
    for stamp in reversed(stamps):
        put(world, stamp, f"wg-{stamp}")
    return [f"wg-{stamp}" for stamp in reversed(stamps)]


def pages_asked(world: World) -> int:
    """How many pages of datapoints were asked for."""
    return world.beeminder.faults.count(r"datapoints\.json", "GET")


class Between(Access):
    """The real thing, with something that happens at Beeminder after the n-th answer."""

    def __init__(self, world: World, happens: dict[int, Callable[[], object]]) -> None:
        super().__init__(world.runtime(), world.user_id)
        self._happens = happens
        self._calls = 0

    def call(self, ask: Callable[[clients.BeeminderClient], T], *, deadline: float = 20.0) -> T:
        """One call, then whatever happens next."""
        answer = super().call(ask, deadline=deadline)
        self._calls += 1
        self._happens.get(self._calls, lambda: None)()
        return answer


@pytest.fixture
def access(world: World) -> Access:
    """What alice lets us do."""
    return Access(world.runtime(), world.user_id)


@pytest.mark.parametrize("count", [0, 1, 24, 25, 299, 300, 301, 1000])
def test_every_point_is_read_once(world: World, access: Access, count: int) -> None:
    """Whatever the number, at the seams of pages too: each requestid, and nothing else."""
    expected = put_many(world, count)
    assert sorted(holdings.ours(access, "energy")) == expected


def test_what_is_not_ours_is_not_told(world: World, access: Access) -> None:
    """Points by hand, by others, and by Beeminder itself, even under a requestid like ours."""
    put(world, TODAY, None)
    put(world, TODAY, "ifttt-1")
    for number, flag in enumerate(("is_dummy", "is_initial")):
        point_id = put(world, YESTERDAY, f"wg-{number}")
        goal = world.beeminder.state.goal("alice", "energy")
        setattr(goal.datapoints[point_id], flag, True)
    put(world, TODAY, "wg-mine", 3.0)
    found = holdings.ours(access, "energy")
    assert [(name, point.value) for name, point in found.items()] == [("wg-mine", 3.0)]
    assert len(holdings.all_points(access, "energy")) == 5


def test_old_days_are_not_paged_through(world: World, access: Access) -> None:
    """A look back of two days on a goal of years is one request."""
    expected = put_many(world, 1000)
    found = holdings.ours(access, "energy", since=YESTERDAY)
    assert set(expected[-2:]) <= set(found)
    assert pages_asked(world) == 1


def test_pages_in_another_order_are_read_on(
    world: World, access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where old days come between new ones, an old day at a page's end is not taken for the end."""
    expected = put_many(world, 350, until=298)
    put(world, "20200101", "wg-last-of-the-page")
    expected += put_many(world, 298)
    put(world, "20200102", "wg-first-of-the-page")
    real = beeminder_datapoints.listed
    monkeypatch.setattr(
        beeminder_datapoints, "listed", lambda goal, params: real(goal, {**params, "sort": "id"})
    )
    found = holdings.ours(access, "energy", since=ago(309))
    assert set(expected[-310:]) <= set(found)


@pytest.mark.parametrize("page", [1, 2])
def test_a_point_deleted_between_two_pages_hides_no_other(world: World, page: int) -> None:
    """What moves up across the seam is found all the same: else it would count as deleted."""
    expected = put_many(world, 700)
    state = world.beeminder.state
    goal = state.goal("alice", "energy")
    newest = max(goal.datapoints.values(), key=lambda point: point.daystamp)

    def deletes() -> None:
        beeminder_datapoints.delete(state, goal, newest.id, via=None)

    found = holdings.ours(Between(world, {page: deletes}), "energy")
    assert set(expected[:-1]) <= set(found)


def test_a_point_added_between_two_pages_counts_once(world: World) -> None:
    """What moves down across the seam is seen twice, and is one point."""
    expected = put_many(world, 700)
    access = Between(world, {1: lambda: put(world, "20261121", "wg-new")})
    assert set(expected) <= set(holdings.ours(access, "energy"))
    points = holdings.all_points(access, "energy")
    assert len({point.id for point in points}) == len(points) == 701


def test_a_server_with_smaller_pages_than_asked_for(
    world: World, access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that is short because the server gives no more is not taken for the last."""
    expected = put_many(world, 130)
    real = beeminder_datapoints.listed
    monkeypatch.setattr(
        beeminder_datapoints, "listed", lambda goal, params: real(goal, {**params, "per": 25})
    )
    assert sorted(holdings.ours(access, "energy")) == expected


def test_a_server_that_knows_no_pages(world: World, access: Access) -> None:
    """The same page again ends the reading; nothing is told twice."""
    put_many(world, 400)
    goal = world.beeminder.state.goal("alice", "energy")
    every = [beeminder_views.datapoint(point) for point in goal.datapoints.values()]
    world.beeminder.faults.add(
        Fault(method="GET", path="datapoints", status=200, body=every, times=None)
    )
    assert len(holdings.all_points(access, "energy")) == 400
    assert pages_asked(world) == 2


def test_pages_without_end_are_refused(
    world: World, access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A goal that never ends does not keep a worker for ever, and is not half-read either."""
    put_many(world, 100)
    monkeypatch.setattr(holdings, "PER_PAGE", 25)
    monkeypatch.setattr(holdings, "PAGES_AT_MOST", 3)
    with pytest.raises(UnexpectedResponse, match="3 pages of 25"):
        holdings.ours(access, "energy")
