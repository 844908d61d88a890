"""Reading a (simulated) RIME: every spelling, days of people, trouble of one among many."""

import contextlib
from collections.abc import Iterator

import httpx
import pytest
from structlog.testing import capture_logs

from clients.errors import AuthFailed, Forbidden, NotFound, Unavailable, UnexpectedResponse
from clients.gate import ClosedError, Open
from simulators.faults import Fault
from simulators.rime import Rime
from tasks.providers import Found
from tests.tasks import rime_world
from tests.tasks.rime_world import CONNECTOR, KEY, PIPELINE, PROJECT, Asker, at, ran
from tests.world import NO_TLS, NOON, ManualClock

ORDERS, NIGHTLY = {"connector": CONNECTOR}, {"pipeline": PIPELINE}
ALL = [
    (metric, ORDERS)
    for metric in ("rows_extracted", "runs_succeeded", "runs_failed", "run_minutes")
]


@pytest.fixture
def rime() -> Rime:
    """Yesterday and today with a run of each kind; one of today goes on."""
    made = rime_world.shop(ManualClock().now)
    ran(made, at("19 10:00"), rows=100)
    ran(made, at("19 23:59"), rows=10, lasted=600)
    ran(made, at("20 00:00"), rows=20, lasted=300)
    ran(made, at("20 09:00"), rows=5, status="Partially failed")
    ran(made, at("20 09:30"), rows=1000, status="Failed", lasted=120)
    ran(made, at("20 10:00"), rows=0, status="Cancelled", lasted=30)
    ran(made, at("20 10:05"), rows=None, status="Skipped", lasted=0)
    ran(made, None, started_at=at("20 11:00"), rows=77, status="Running")
    ran(made, at("20 02:00"), owner=PIPELINE, status="Succeeded", rows=None, lasted=900)
    return made


EXPECTED = [[110.0, 25.0], [2.0, 1.0], [0.0, 1.0], [11.0, 8.5]]


@contextlib.contextmanager
def asking(rime: Rime, gate=None, **more: object) -> Iterator[Asker]:
    """An asker at noon of the 20th."""
    with (
        httpx.Client(timeout=5, verify=NO_TLS) as http,
        rime_world.asking(rime, http, now=NOON, gate=gate or Open(), **more) as asked,
    ):
        yield asked


def test_every_metric(rime: Rime) -> None:
    """Four feeds of one connector cost one read of its runs; a pipeline has its own."""
    with asking(rime) as ask:
        assert ask(*ALL) == EXPECTED
        assert rime.faults.count("orders/runs") == 1
        assert ask(("runs_succeeded", NIGHTLY), ("run_minutes", NIGHTLY)) == [[0, 1], [0, 15]]


FLAVOURS = [
    {"names": names, "times": times, "statuses": statuses}
    for names in ("snake", "camel", "short")
    for times in ("iso", "offset", "epoch", "milliseconds")
    for statuses in ("lower", "title", "upper")
]


@pytest.mark.parametrize("flavour", FLAVOURS, ids=lambda one: "-".join(one.values()))
def test_every_spelling_is_the_same(rime: Rime, flavour: dict) -> None:
    """Whatever names, times and words a tenant uses."""
    rime.unknowns.set(**flavour)
    with asking(rime) as ask:
        assert ask(*ALL) == EXPECTED


def test_a_shape_of_ones_own(rime: Rime) -> None:
    """Pointers lead through it; without them the first field is named."""
    rime.unknowns.set(names="nested")
    pointers = {
        "id_pointer": "/run/key",
        "status_pointer": "/result/phase",
        "rows_pointer": "/summary/total~1rows",
        "started_pointer": "/timing/0",
        "ended_pointer": "/timing/1",
    }
    with asking(rime, **pointers) as ask:
        assert ask(*ALL) == EXPECTED
    with asking(rime) as ask:
        (error,) = ask(ALL[0])
        assert isinstance(error, UnexpectedResponse)
        assert "field data.0.id" in str(error)
        assert error.request_id.startswith("req_")


def test_times_without_a_zone(rime: Rime) -> None:
    """In the vendor's default zone they are right with `times_zone`, and told without it."""
    rime.unknowns.set(times="naive")
    with asking(rime, times_zone="Pacific/Auckland") as ask:
        assert ask(*ALL) == EXPECTED
    with asking(rime) as ask:
        assert all("`times_zone`" in str(error) for error in ask(*ALL))


@pytest.mark.parametrize("order", ["newest", "oldest", "shuffled"])
@pytest.mark.parametrize("end_cursor", ["null", "absent", "empty", "repeated"])
@pytest.mark.parametrize("has_more", ["right", "absent", "always"])
def test_every_way_of_paging(order: str, end_cursor: str, has_more: str) -> None:
    """250 runs on three pages are 250 runs, however they come and however the list ends."""
    rime = rime_world.shop(ManualClock().now)
    for number in range(250):
        ran(rime, at("19 00:02") + 300 * number, rows=1)
    rime.unknowns.set(order=order, end_cursor=end_cursor, has_more=has_more)
    with asking(rime) as ask:
        (values,) = ask(ALL[1])
    assert values == [250.0, 0.0]
    assert rime.faults.count("orders/runs") == 3


def test_days_of_somebody_elsewhere(rime: Rime) -> None:
    """In Auckland the 20th of November began at eleven of the 19th; with a deadline as well."""
    with asking(rime) as ask:
        # There it is the 21st already: asked are the 20th and the 21st.
        assert ask(ALL[0], zone="Pacific/Auckland") == [[35.0, 0.0]]
        assert ask(ALL[0], zone="America/Los_Angeles") == [[130.0, 5.0]]
        assert ask(ALL[0], deadline=60) == [[130.0, 5.0]]
        assert ask(ALL[0], deadline=-60) == [[100.0, 35.0]]


def test_one_connector_in_trouble(rime: Rime) -> None:
    """An unknown one, a broken one and a good one: each has its own answer."""
    rime.state.add_connector(PROJECT, "broken")
    rime.faults.add(Fault(path="broken/runs", status=500, body={"error": {"message": "boom"}}))
    with asking(rime) as ask:
        gone, good, broken = ask(
            ("rows_extracted", {"connector": "gone"}),
            ALL[0],
            ("run_minutes", {"connector": "broken"}),
        )
    assert isinstance(gone, NotFound)
    assert gone.request_id.startswith("req_")
    assert good == EXPECTED[0]
    assert isinstance(broken, Unavailable)


def test_rows_that_are_missing_fail_their_feed_alone(rime: Rime) -> None:
    """Runs can still be counted where rows can't."""
    ran(rime, at("20 11:30"), hidden=frozenset({"rows"}), id="bare")
    with asking(rime) as ask:
        rows, succeeded, *_ = ask(*ALL)
        assert "run bare" in str(rows)
        assert "total_rows is missing" in str(rows)
        assert succeeded == [2.0, 2.0]
        assert "field total_rows" in str(ask(("rows_extracted", NIGHTLY))[0])


def test_a_run_that_has_ended_without_an_end(rime: Rime) -> None:
    """It is told, and no day is short of it."""
    ran(rime, at("20 11:30"), hidden=frozenset({"ended"}), id="endless")
    with asking(rime) as ask:
        rows, succeeded, failed, minutes = ask(*ALL)
    assert failed == EXPECTED[2]
    for error in (rows, succeeded, minutes):
        assert "run endless" in str(error)
        assert error.request_id.startswith("req_")


def test_a_status_that_nobody_knows_is_logged_once(rime: Rime) -> None:
    """With the id of each run that has ended with it; nothing is counted of them."""
    rime.unknowns.set(statuses="title")
    ran(rime, at("20 11:30"), status="Evaporated", id="odd-1")
    ran(rime, at("20 11:31"), status="Evaporated", id="odd-2")
    ran(rime, at("01 11:31"), status="Evaporated", id="long-ago")
    ran(rime, None, started_at=at("20 11:32"), status="Dreaming", id="odd-3")
    ran(rime, None, started_at=at("20 11:33"), status="Dreaming", id="odd-4")
    with asking(rime) as ask, capture_logs() as logs:
        assert ask(*ALL) == EXPECTED
        assert ask(*ALL) == EXPECTED
    told = [(line["status"], line["run"]) for line in logs if "unknown_status" in line["event"]]
    assert sorted(told) == [("Dreaming", "odd-4"), ("Evaporated", "odd-1"), ("Evaporated", "odd-2")]


def test_a_key_that_is_refused_is_of_the_whole_source(rime: Rime) -> None:
    """It is raised at the first request, so that nobody is asked again in vain."""
    with asking(rime, api_key="wrong") as ask, pytest.raises(AuthFailed) as caught:
        ask(*ALL, ("run_minutes", NIGHTLY))
    assert caught.value.request_id.startswith("req_")
    assert len(rime.faults.requests) == 1


def test_a_project_of_others(rime: Rime) -> None:
    """A key of another project may not read this one; an unknown project is not there."""
    rime.state.add_key("other", projects=frozenset())
    with asking(rime, api_key="other") as ask:
        assert isinstance(ask(ALL[0])[0], Forbidden)
    with asking(rime, project="nowhere") as ask:
        assert isinstance(ask(ALL[0])[0], NotFound)


class Closes:
    """A gate that lets so many requests through."""

    def __init__(self, count: int) -> None:
        self.left = count
        self.secrets: tuple[str, ...] = ()

    def enter(self, method: str, path: str, *, within: float) -> object:
        """One of them, or not."""
        self.left -= 1
        return Open().enter(method, path, within=within) if self.left >= 0 else ClosedError("wait")


def test_a_gate_that_closes_in_between(rime: Rime) -> None:
    """What was read before is given; the rest has to come again."""
    with asking(rime, gate=Closes(1)) as ask:
        rows, nightly = ask(ALL[0], ("runs_succeeded", NIGHTLY))
    assert rows == EXPECTED[0]
    assert isinstance(nightly, ClosedError)


def test_looking_around(rime: Rime) -> None:
    """Projects, connectors and pipelines with their names; pipelines may be out of reach."""
    expected = [
        Found("project", PROJECT, "The shop"),
        Found("connector", CONNECTOR, "Orders", "active"),
        Found("pipeline", PIPELINE, "Nightly", "active"),
    ]
    with asking(rime) as ask:
        assert ask.connection.look() == expected
        assert len(rime.faults.requests) == 3
        rime.unknowns.set(pipelines=False)
        assert ask.connection.look() == expected[:2]
        rime.faults.add(Fault(path="projects$", status=403))
        assert ask.connection.look() == expected[1:2]
        rime.state.sessions.pop(KEY)
        with pytest.raises(AuthFailed):
            ask.connection.look()


def test_looking_reads_one_page(rime: Rime) -> None:
    """However many connectors there are."""
    for number in range(250):
        rime.state.add_connector(PROJECT, f"c{number}")
    with asking(rime) as ask:
        assert len(ask.connection.look()) == 1 + 100 + 1
    assert len(rime.faults.requests) == 3


def test_runs_under_the_other_path(rime: Rime) -> None:
    """The overview's form without the project is a setting."""
    rime.unknowns.set(short_paths=True)
    with asking(rime, connector_runs_path="connectors/{connector}/runs") as ask:
        assert ask(*ALL) == EXPECTED
    assert {request.path for request in rime.faults.requests} == {"/api/v1/connectors/orders/runs"}


def test_nothing_is_changed_at_the_source(rime: Rime) -> None:
    """After all of it no call was made that acts."""
    with asking(rime) as ask:
        ask(*ALL)
        ask.connection.look()
    assert rime.state.harm == []
    assert {request.method for request in rime.faults.requests} == {"GET"}
