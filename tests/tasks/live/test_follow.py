"""A run that is followed by its stream ends as the source says, whatever the stream does."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

import pytest
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from db.states import RunState, Stream
from simulators.faults import Fault
from simulators.rime_state import Run as RimeRun
from tasks import runs
from tasks.live import backoff
from tasks.live.loop import Desk
from tests.tasks.live.conftest import Followed, until
from tests.tasks.rime_world import EMAIL, KEY, PASSWORD
from tests.world import World

Desks = Callable[..., Desk]

VARIANTS: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "header, snapshot and deltas": ({}, {}),
    "first message": ({"auth": "first_message"}, {"progress_auth": "first_message"}),
    "subprotocol": ({"auth": "subprotocol"}, {"progress_auth": "subprotocol"}),
    "query": ({"auth": "query"}, {"progress_auth": "query"}),
    "full objects": ({"content": "full"}, {}),
    "deltas only": ({"content": "delta"}, {}),
    "arrays": ({"form": "array"}, {}),
    "lines": ({"form": "ndjson"}, {}),
    "double": ({"form": "double", "body_text": True}, {}),
    "socket.io": ({"form": "socketio"}, {"progress_framing": "socketio"}),
    "duplicates out of order": ({"duplicates": 2, "swapped": True}, {}),
    "strange, binary, garbage": ({"strange": 2, "binary": 2, "garbage": 3, "others": 3}, {}),
    "other names": ({"envelope": "event.payload", "names": "camel", "progress": "percent"}, {}),
    "no envelope": ({"envelope": "none", "content": "full", "progress": "current"}, {}),
    "pings": ({"ping_every": 0.05, "pong_within": 5.0}, {}),
    "no last message": ({"tells_end": False}, {}),
    "stays open": ({"ending": "stay"}, {}),
    "drops at the end": ({"ending": "drop", "tells_end": False}, {}),
}
BREAKS: dict[str, dict[str, object]] = {
    "without a close frame": {"break_code": 0},
    "1001": {"break_code": 1001},
    "1012": {"break_code": 1012},
    "1013": {"break_code": 1013},
    "1000 too early": {"break_code": 1000},
}


def begin(rime: Followed, desks: Desks, **settings: object) -> RimeRun:
    """One run is followed."""
    source = rime.socketed(**settings)
    run = rime.start(rows=0)
    rime.find(source, run.id)
    rt = rime.world.runtime()
    desks(rt)
    assert runs.follow(rt) == 1
    return run


def grow(rime: Followed, run: RimeRun, rows: int) -> None:
    """So far it is now."""
    with rime.rime.state.lock:
        run.rows = rows


def shown(rime: Followed, run: RimeRun) -> float | None:
    """How many rows people see."""
    return rime.rows()[run.id].rows


def stream(rime: Followed, run: RimeRun) -> str:
    """What its socket does."""
    return rime.rows()[run.id].stream


@pytest.mark.parametrize("name", VARIANTS)
def test_every_kind_of_server(rime: Followed, desks: Desks, name: str) -> None:
    """What it says is shown while it runs, and its end is the source's."""
    switches, settings = VARIANTS[name]
    rime.rime.live.switches.set(**switches)
    run = begin(rime, desks, **settings)
    until(lambda: stream(rime, run) == Stream.OPEN)
    for rows in (10, 25):
        grow(rime, run, rows)
        until(lambda rows=rows: shown(rime, run) == rows)
    assert rime.over() == set()

    grow(rime, run, 40)
    rime.rime.state.finish_run(run)
    until(lambda: rime.over() == {run.id})

    ended = rime.rows()[run.id]
    assert (ended.state, ended.rows) == (RunState.COMPLETED, 40.0)
    assert ended.finished_at == pytest.approx(run.finished_at, abs=0.01)


@pytest.mark.parametrize("name", BREAKS)
def test_a_stream_that_breaks_is_opened_again(rime: Followed, desks: Desks, name: str) -> None:
    """Three times in the middle; what happened meanwhile is read."""
    rime.rime.live.switches.set(break_after=2, breaks=3, **BREAKS[name])
    run = begin(rime, desks)

    def broken() -> bool:
        grow(rime, run, (run.rows or 0) + 1)
        return rime.rime.live.switches.breaks == 0

    until(broken)
    grow(rime, run, 77)
    until(lambda: stream(rime, run) == Stream.OPEN and shown(rime, run) == 77)

    assert rime.rows()[run.id].reconnects >= 3
    rime.rime.state.finish_run(run, status="Partially failed")
    until(lambda: rime.over() == {run.id})
    assert rime.rows()[run.id].state == RunState.PARTIALLY_FAILED


@pytest.mark.parametrize("status", [404, 426])
def test_an_address_that_is_wrong_is_given_up_and_said(
    rime: Followed, desks: Desks, status: int
) -> None:
    """The run is read on, and people see why nothing is live."""
    rime.rime.live.switches.set(upgrade=status)
    run = begin(rime, desks)
    until(lambda: stream(rime, run) == Stream.GIVEN_UP)
    assert str(status) in (rime.rows()[run.id].stream_error or "")
    asked = len(rime.rime.live.sockets)

    rime.rime.state.finish_run(run, status="Failed")
    until(lambda: rime.over() == {run.id})
    assert rime.rows()[run.id].state == RunState.FAILED
    assert len(rime.rime.live.sockets) == asked


@pytest.mark.parametrize("status", [429, 503])
def test_a_refused_upgrade_waits_as_long_as_it_says(
    rime: Followed, desks: Desks, status: int
) -> None:
    """Nobody knocks before `Retry-After`; the run is read meanwhile."""
    rime.rime.live.switches.set(upgrade=status, refusals=1, retry_after="20")
    run = begin(rime, desks)
    until(lambda: stream(rime, run) == Stream.RETRYING)
    refused_at = rime.world.clock.at
    until(lambda: len(rime.rime.live.sockets) >= 2)

    assert rime.world.clock.at >= refused_at + 20 - 2  # the ledger is written once a second
    until(lambda: stream(rime, run) == Stream.OPEN)


@pytest.mark.parametrize(
    "switches",
    [
        {"denial": "status", "denial_status": 401},
        {"denial": "status", "denial_status": 403},
        {"denial": "close", "denial_code": 4401},
        {"denial": "close", "denial_code": 1008},
        {"denial": "auth_invalid"},
    ],
    ids=["401", "403", "4401", "1008", "a message"],
)
def test_a_key_that_is_refused_is_not_shown_for_ever(
    rime: Followed, desks: Desks, switches: dict[str, object]
) -> None:
    """There is no other one: it is given up, and the run is read with it as long as that works."""
    rime.rime.live.switches.set(token_name="other", auth="query", **switches)
    run = begin(rime, desks, progress_auth="query")
    until(lambda: stream(rime, run) == Stream.GIVEN_UP)
    assert KEY not in str(rime.rows()[run.id].model_dump())

    rime.rime.state.finish_run(run)
    until(lambda: rime.over() == {run.id})


def test_a_token_that_ends_is_renewed_once(rime: Followed, desks: Desks) -> None:
    """With a login there is another token, and the stream goes on with that."""
    source = rime.source(
        secrets={"password": PASSWORD},
        email=EMAIL,
        progress_url=rime.url.replace("http://", "ws://") + "/live/{run}",
        progress_poll="1s",
    )
    run = rime.start(rows=0)
    rime.find(source, run.id)
    rt = rime.world.runtime()
    desks(rt)
    runs.follow(rt)
    until(lambda: stream(rime, run) == Stream.OPEN)
    first = rime.rime.live.sockets[-1]

    rime.rime.tokens.revoke("access")
    until(lambda: len(rime.rime.live.open) == 1 and rime.rime.live.open[0] is not first)
    grow(rime, run, 5)
    until(lambda: shown(rime, run) == 5)


def test_a_silent_peer_is_left_and_nothing_is_lost(rime: Followed, desks: Desks) -> None:
    """It is open and says nothing: after a while it is opened anew, and the end is read."""
    rime.rime.live.switches.set(silent=True)
    run = begin(rime, desks)
    until(lambda: stream(rime, run) == Stream.OPEN)
    rime.rime.state.finish_run(run)
    rime.world.clock.advance(backoff.QUIET)
    until(lambda: rime.over() == {run.id})


def test_a_run_that_ended_while_nobody_listened(rime: Followed, desks: Desks) -> None:
    """It is read once, and no stream is opened for it."""
    source = rime.socketed()
    run = rime.start(rows=9)
    rime.rime.state.finish_run(run)
    rime.find(source, run.id)
    rt = rime.world.runtime()
    desks(rt)
    runs.follow(rt)
    until(lambda: rime.over() == {run.id})
    assert rime.rime.live.sockets == []


def test_a_message_that_lies_about_the_end_ends_nothing(rime: Followed, desks: Desks) -> None:
    """The source still says that it runs: it is followed on."""
    run = begin(rime, desks)
    until(lambda: stream(rime, run) == Stream.OPEN)
    lie = {"id": run.id, "status": "running"}
    rime.rime.faults.add(Fault(path=f"runs/{run.id}$", status=200, body=lie, times=None))
    rime.rime.state.finish_run(run)
    until(lambda: rime.rows()[run.id].reconnects >= 1)
    assert rime.over() == set()

    rime.rime.faults.clear()
    until(lambda: rime.over() == {run.id})


def test_one_socket_a_run_and_none_when_it_stops(rime: Followed, desks: Desks) -> None:
    """Twenty runs have twenty sockets; a process that stops closes all of them."""
    source = rime.socketed()
    started = [rime.start(rows=0) for _ in range(20)]
    rime.find(source, *(run.id for run in started))
    rt = rime.world.runtime()
    desk = desks(rt)
    runs.follow(rt)
    until(lambda: len(rime.rime.live.open) == 20)
    assert len(rime.rime.live.sockets) == 20

    desk.stop()
    until(lambda: rime.rime.live.open == [])


def test_a_ledger_that_is_away_ends_no_follower(
    rime: Followed, desks: Desks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it nothing may be asked: that comes soon, and the run is not given back."""
    began = rime.world.clock.now()
    source = rime.socketed()
    run = rime.start(rows=0)
    rime.find(source, run.id)
    rt = rime.world.runtime()
    desk, read, refused = desks(rt), rt.ledger.read, []

    def away() -> AbstractContextManager[Session]:
        if threading.current_thread().name.startswith("run-reader") and len(refused) < 4:
            refused.append(1)
            raise OperationalError("SELECT 1", None, OSError("gone"))
        return read()

    monkeypatch.setattr(rt.ledger, "read", away)
    runs.follow(rt)
    until(lambda: len(refused) == 4)
    assert desk.room == 999
    until(lambda: stream(rime, run) == Stream.OPEN)
    rime.rime.state.finish_run(run)
    until(lambda: rime.over() == {run.id})
    assert rime.world.clock.now() - began < backoff.QUIET


def test_where_a_private_address_is_refused_it_is_not_called(
    rime: Followed, desks: Desks, world: World
) -> None:
    """A stream is an address like any other."""
    source = rime.socketed()
    run = rime.start(rows=0)
    rime.find(source, run.id)
    options = replace(world.runtime().options, private_addresses=False, loopback_addresses=False)
    rt = world.runtime(options=options)
    desks(rt)
    runs.follow(rt)
    until(lambda: stream(rime, run) == Stream.GIVEN_UP)

    assert "not public" in (rime.rows()[run.id].stream_error or "")
    assert rime.rime.live.sockets == []
