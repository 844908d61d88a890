"""How few pages are read, and that none is left out that may matter."""

import contextlib
from collections.abc import Iterator

import httpx
import pytest

from clients.errors import Unavailable
from clients.gate import ClosedError
from clients.rime import RimeClient
from simulators.faults import Fault
from simulators.rime import Rime
from simulators.server import LocalServer
from tasks.metrics.rime_history import (
    HALTED_FOR_SECONDS,
    NOTED_SECONDS,
    WHOLE_FOR_SECONDS,
    History,
    Place,
)
from tasks.notebook import MemoryNotebook
from tests.tasks import rime_world
from tests.tasks.metrics.test_rime_reader import Closes
from tests.tasks.rime_world import CONNECTOR, KEY, PROJECT
from tests.tasks.scenes import at_once
from tests.world import DAY, NO_TLS, NOON, ManualClock

ORDERS = Place("connector", CONNECTOR)
HOUR = 3600.0


class Old:
    """A connector with an hourly run for the last 40 days: ten pages."""

    def __init__(self, order: str = "newest") -> None:
        self.clock = ManualClock()
        self.rime: Rime = rime_world.shop(self.clock.now)
        self.rime.unknowns.set(order=order)
        self.gate = Closes(10**9)
        for hours in range(40 * 24, 0, -1):
            self.run(NOON - hours * HOUR)

    def run(self, started: float, ended: float | None = None, **more: object) -> None:
        """A run of ten minutes unless an end is given."""
        rime_world.ran(self.rime, ended or started + 600, started_at=started, rows=1, **more)

    @contextlib.contextmanager
    def history(self, notebook: MemoryNotebook | None = None) -> Iterator[History]:
        """A reader of it whose clock is the world's."""
        with (
            LocalServer(self.rime.app) as server,
            httpx.Client(timeout=5, verify=NO_TLS) as http,
        ):
            client = RimeClient(http=http, base_url=server.url, credentials=KEY, gate=self.gate)
            notes = MemoryNotebook() if notebook is None else notebook
            yield History(client, PROJECT, notes, self.clock.now)

    def read(self, history: History) -> tuple[set, int]:
        """What is read, and with how many pages."""
        before = self.rime.faults.count("runs")
        runs = history.runs(ORDERS, now=self.clock.at)
        assert len({run.id for run in runs}) == len(runs)
        found = {(run.id, run.status, run.ended, run.rows) for run in runs}
        return found, self.rime.faults.count("runs") - before

    def truth(self) -> set:
        """All of the runs as they are."""
        runs = self.rime.state.owner(CONNECTOR).runs.values()
        return {
            (r.id, self.rime.unknowns.status(r.status), r.finished_at, float(r.rows)) for r in runs
        }


def test_a_list_that_falls_is_read_whole_once() -> None:
    """The second read takes one page, and comes to the same."""
    old = Old()
    with old.history() as history:
        assert old.read(history) == (old.truth(), 10)
        assert old.read(history) == (old.truth(), 1)
        old.clock.advance(2 * HOUR)
        old.run(old.clock.at - HOUR)
        assert old.read(history) == (old.truth(), 1)


@pytest.mark.parametrize("order", ["oldest", "shuffled"])
def test_a_list_of_another_order_is_read_whole_always(order: str) -> None:
    """Nothing says where the new ones are."""
    old = Old(order)
    with old.history() as history:
        for _ in range(2):
            assert old.read(history) == (old.truth(), 10)


def test_a_list_that_stops_falling_is_read_whole() -> None:
    """One run out of order on the pages that are read is enough."""
    old = Old()
    with old.history() as history:
        old.read(history)
        old.rime.unknowns.set(order="oldest")
        assert old.read(history) == (old.truth(), 10)
        old.rime.unknowns.set(order="newest")
        assert old.read(history)[1] == 10
        assert old.read(history)[1] == 1


def test_runs_without_a_start_prove_nothing() -> None:
    """A list whose order can't be seen is read whole."""
    old = Old()
    old.run(NOON - 300 * HOUR, hidden=frozenset({"started"}), id="blind")
    with old.history() as history:
        for _ in range(2):
            assert old.read(history) == (old.truth(), 10)


def test_a_long_run_far_down_is_seen_when_it_ends() -> None:
    """What had not ended is read again until it has, however far down it stands."""
    old = Old()
    old.run(NOON - 30 * DAY + 1, ended=-1.0, status="Running", id="long")
    run = old.rime.state.owner(CONNECTOR).runs["long"]
    run.finished_at = None
    with old.history() as history:
        assert old.read(history) == (old.truth(), 10)
        assert old.read(history) == (old.truth(), 8)
        old.rime.state.finish_run(run, rows=12345)
        assert old.read(history) == (old.truth(), 8)
        assert old.read(history) == (old.truth(), 1)


def test_what_changes_of_late_is_seen_at_once() -> None:
    """A run of today that is tried again; one that is deleted far down stays for a day."""
    old = Old()
    with old.history() as history:
        old.read(history)
        runs = old.rime.state.owner(CONNECTOR).runs
        newest = runs["run_000960"]
        newest.status, newest.rows = "Failed", 0
        assert old.read(history) == (old.truth(), 1)
        del runs["run_000001"]
        assert len(old.read(history)[0] - old.truth()) == 1
        old.clock.advance(WHOLE_FOR_SECONDS)
        old.run(old.clock.at - HOUR)
        assert old.read(history) == (old.truth(), 10)


def test_many_new_runs_are_read_to_the_last() -> None:
    """Three pages of news are three pages, and the one that ties them to what was known."""
    old = Old()
    with old.history() as history:
        old.read(history)
        for number in range(300):
            old.run(NOON + number)
        old.clock.advance(1200.0)
        found, pages = old.read(history)
        assert (found, pages) == (old.truth(), 4)


def halted(old: Old, history: History, pages: int) -> None:
    """A read that a gate ends after so many pages."""
    old.gate.left = pages
    with pytest.raises(ClosedError):
        old.read(history)
    old.gate.left = 10**9


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_a_read_that_a_limit_stopped_goes_on(order: str) -> None:
    """Nothing is read twice but what may have changed, and what came meanwhile is not lost."""
    old = Old(order)
    with old.history() as history:
        for pages in (4, 3):
            halted(old, history, pages)
            old.clock.advance(60.0)
            old.run(old.clock.at - 30)
        found, pages = old.read(history)
        assert found == old.truth()
        assert pages == (4 if order == "newest" else 3)


def test_a_shuffled_list_begins_anew() -> None:
    """Where new runs may stand anywhere, half of an old list is worth nothing."""
    old = Old("shuffled")
    with old.history() as history:
        halted(old, history, 7)
        assert old.read(history) == (old.truth(), 10)


def test_a_cursor_that_is_old_or_refused_begins_anew() -> None:
    """After an hour nobody relies on one, and a server may know it no more."""
    old = Old()
    with old.history() as history:
        halted(old, history, 7)
        old.clock.advance(HALTED_FOR_SECONDS)
        assert old.read(history) == (old.truth(), 10)
    old = Old()
    with old.history() as history:
        halted(old, history, 7)
        old.rime.faults.add(Fault(status=422, body={"error": {"message": "no such cursor"}}))
        assert old.read(history) == (old.truth(), 11)


def test_trouble_in_the_middle_is_no_partial_count() -> None:
    """An error on the fifth page is that of the read; the next one goes on behind the fourth."""
    old = Old()
    old.rime.faults.add(Fault(path="runs", after=4, status=500))
    with old.history() as history:
        with pytest.raises(Unavailable):
            old.read(history)
        found, pages = old.read(history)
        assert (found, pages) == (old.truth(), 7)


def test_a_run_that_appears_late_far_down_is_found() -> None:
    """One that is not known and older than what was read whole: nothing is believed of the rest."""
    old = Old()
    with old.history() as history:
        old.read(history)
        old.run(NOON - 1.5 * DAY)
        old.run(NOON - 30 * DAY + 1)
        assert old.read(history) == (old.truth(), 10)


def test_many_threads_read_one_list() -> None:
    """Each has all of it, at the first read and at later ones."""
    old = Old()
    with old.history() as history:
        truth = old.truth()
        for _ in range(2):
            found = at_once(6, lambda _number: old.read(history)[0])
            assert all(each == truth for each in found)


class Counting(MemoryNotebook):
    """A notebook that counts what is written."""

    wrote = 0

    def learn(self, facts) -> None:
        """Count, and write."""
        self.wrote += 1
        super().learn(facts)


def test_two_processes_read_a_long_list_once() -> None:
    """One beside the first, or after a restart, goes on from what the first has read whole."""
    old, notebook = Old(), Counting()
    with old.history(notebook) as first, old.history(notebook) as second:
        assert old.read(first) == (old.truth(), 10)
        old.clock.advance(2 * HOUR)
        old.run(old.clock.at - HOUR)
        assert old.read(second) == (old.truth(), 1)
        assert old.read(first) == (old.truth(), 1)
    assert notebook.wrote == 1


def test_another_process_finds_what_changed_since() -> None:
    """A long run that has ended far down, one that is tried again, one that came late."""
    old, notebook = Old(), MemoryNotebook()
    old.run(NOON - 30 * DAY + 1, ended=-1.0, status="Running", id="long")
    runs = old.rime.state.owner(CONNECTOR).runs
    runs["long"].finished_at = None
    with old.history(notebook) as history:
        old.read(history)
    old.rime.state.finish_run(runs["long"], rows=12345)
    runs["run_000960"].status, runs["run_000960"].rows = "Failed", 0
    with old.history(notebook) as history:
        assert old.read(history) == (old.truth(), 8)
    old.run(NOON - 30 * DAY + 2)
    with old.history(notebook) as history:
        assert old.read(history)[0] == old.truth()


def test_what_is_written_is_believed_for_a_day_from_when_it_was_read() -> None:
    """Not from when it was passed on; then it is read whole, once for all."""
    old, notebook = Old(), MemoryNotebook()
    with old.history(notebook) as history:
        old.read(history)
    old.clock.advance(WHOLE_FOR_SECONDS - 1)
    with old.history(notebook) as first, old.history(notebook) as second:
        old.run(old.clock.at - HOUR)
        assert old.read(first) == (old.truth(), 1)
        old.clock.advance(1)
        del old.rime.state.owner(CONNECTOR).runs["run_000001"]
        assert old.read(first) == (old.truth(), 10)
        assert old.read(second) == (old.truth(), 1)


def test_a_list_that_falls_no_more_is_struck_out() -> None:
    """Whoever comes next reads all of it."""
    old, notebook = Old(), MemoryNotebook()
    with old.history(notebook) as history:
        old.read(history)
        old.rime.unknowns.set(order="oldest")
        assert old.read(history)[1] == 10
    with old.history(notebook) as history:
        old.rime.unknowns.set(order="newest")
        assert old.read(history) == (old.truth(), 10)


def test_a_list_without_an_order_is_not_written() -> None:
    """Nobody could go on from it."""
    old, notebook = Old("shuffled"), Counting()
    for _ in range(2):
        with old.history(notebook) as history:
            assert old.read(history) == (old.truth(), 10)
    assert notebook.wrote == 0


def test_a_list_that_is_read_whole_each_time_is_written_now_and_then() -> None:
    """All of a young connector may still change: it is read to its end, not written each time."""
    old, notebook = Old(), Counting()
    runs = old.rime.state.owner(CONNECTOR).runs
    for run_id in list(runs)[:-5]:
        del runs[run_id]
    with old.history(notebook) as history:
        for _ in range(10):
            old.clock.advance(30.0)
            assert old.read(history) == (old.truth(), 1)
        assert notebook.wrote == 1
        old.clock.advance(NOTED_SECONDS)
        old.read(history)
        assert notebook.wrote == 2


def test_a_read_that_went_on_is_written_when_it_is_whole() -> None:
    """A limit that stops a process in the middle costs the next one nothing, once it was read."""
    old, notebook = Old(), MemoryNotebook()
    with old.history(notebook) as history:
        halted(old, history, 4)
        old.clock.advance(60.0)
        old.run(old.clock.at - 30)
        old.read(history)
    with old.history(notebook) as history:
        assert old.read(history) == (old.truth(), 1)
