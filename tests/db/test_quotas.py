"""Gates: no more than burst and rate allow, from any number of threads and processes."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import literal
from sqlmodel import col, select

from db import quotas, quotas_closing
from db.engine import Ledger
from db.models_limits import Quota
from db.quotas import Turn
from tests.db.askers import ask
from tests.tasks.scenes import at_once

ROOT = Path(__file__).parents[2]
NOW = 1_800_000_000.0
ON_A_LEDGER = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def reserve(ledger: Ledger, key: str = "k", *, now: float = NOW, **more: float) -> Turn:
    """Ask for a turn for a turn, by default of one every half second and three at once."""
    with ledger.write() as session:
        quotas.ensure(session, key)
        pace = {"interval": 0.5, "tolerance": 1.0}
        return quotas.reserve(session, key, now=now, **(pace | more))


def close(ledger: Ledger, until: float, *, now: float = NOW, **more) -> float:
    """Close the gate; when it opens."""
    with ledger.write() as session:
        return quotas_closing.close(session, "k", until, now=now, **more)


def put(ledger: Ledger, **columns) -> None:
    """The gate as it is described, and nothing of what was before."""
    with ledger.write() as session:
        for known in session.exec(select(Quota)).all():
            session.delete(known)
        session.flush()
        session.add(Quota(key="k", **columns))


def gate(ledger: Ledger) -> Quota:
    """The gate as it stands."""
    with ledger.read() as session:
        return session.get_one(Quota, "k")


def prove(ledger: Ledger, turn: Turn, now: float) -> None:
    """The first request was answered."""
    with ledger.write() as session:
        quotas.prove(session, "k", now=now, turn=turn)


def kept_to(left: list[float], interval: float, tolerance: float) -> bool:
    """In any span of t seconds at most 1 + (t + tolerance) / interval requests left?"""
    left = sorted(left)
    return all(
        (last - first) * interval <= left[last] - left[first] + tolerance + 1e-5
        for first in range(len(left))
        for last in range(first, len(left))
    )


@ON_A_LEDGER
@given(
    gaps=st.lists(st.floats(0, 2), min_size=5, max_size=30),
    interval=st.floats(0.05, 2),
    burst=st.integers(1, 5),
    ahead=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_never_more_than_burst_and_rate_allow(
    ledger: Ledger, gaps: list[float], interval: float, burst: int, ahead: float
) -> None:
    """Whenever somebody asks: the pace is kept, and no slot is further ahead than allowed."""
    put(ledger)
    now, left, tolerance = NOW, [], (burst - 1) * interval
    for gap in gaps:
        now += gap
        turn = reserve(ledger, now=now, interval=interval, tolerance=tolerance, ahead=ahead)
        if turn.granted:
            assert now <= turn.at <= now + ahead + 1e-6
            left.append(turn.at)
        else:
            assert turn.at > now
    assert len(left) >= min(burst, len(gaps))
    assert kept_to(left, interval, tolerance)


def test_parallel_requests_share_one_gate(ledger: Ledger) -> None:
    """Twenty threads at one instant: the burst goes at once, the rest one after the other."""
    turns = at_once(20, lambda _: reserve(ledger))

    granted = sorted(turn.at - NOW for turn in turns if turn.granted)
    assert granted == [0.0, 0.0, 0.0, 0.5, 1.0]
    assert {turn.at for turn in turns if not turn.granted} == {NOW + 0.5}
    assert gate(ledger).passed == 5


def test_threads_that_ask_all_the_time_keep_the_pace(ledger: Ledger) -> None:
    """Eight threads whose clocks are not in step: together they never go quicker."""

    def run(worker: int) -> list[Turn]:
        start = NOW + 0.03 * worker
        found = [reserve(ledger, now=start + 0.1 * n, interval=0.1) for n in range(20)]
        return [turn for turn in found if turn.granted]

    left = [turn.at for turns in at_once(8, run) for turn in turns]
    assert len(left) >= 20
    assert kept_to(left, 0.1, 1.0)


def test_processes_keep_the_pace_together(ledger: Ledger) -> None:
    """Three processes on one ledger are as slow as one."""
    url = ledger.url.render_as_string(hide_password=False)
    asked = ["25", repr(NOW), "0.1", "0.1", "0.3"]
    others = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.db.askers", url, *asked],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for _ in range(2)
    ]
    left = [
        turn.at
        for _, turn in ask(url, now=NOW, count=25, step=0.1, interval=0.1, tolerance=0.3)
        if turn.granted
    ]
    for other in others:
        for line in other.communicate(timeout=60)[0].splitlines():
            asked_at, at, granted = line.split()
            assert float(at) - float(asked_at) <= 1.0 + 1e-6 or granted == "0"
            left += [float(at)] * int(granted)
        assert other.returncode == 0

    assert len(left) >= 25
    assert kept_to(left, 0.1, 0.3)


@pytest.mark.parametrize("interval", [0.02, 0.1, 0.45])
def test_bulk_never_takes_all_slots_of_the_next_second(ledger: Ledger, interval: float) -> None:
    """While bulk work takes whatever it can get, something urgent goes within the second."""
    for number in range(20):
        now = NOW + number / 4
        while reserve(ledger, now=now, interval=interval, tolerance=0.0, ahead=0.5).granted:
            pass
    urgent = reserve(ledger, now=now, interval=interval, tolerance=0.0, ahead=1.0)
    assert urgent.granted
    assert urgent.at <= now + 1.0


def test_what_is_counted_stays_small(ledger: Ledger) -> None:
    """After days the count begins where the trail does."""
    put(ledger, passed=2**30, trail=[(NOW - 90_000, 0), (NOW - 5, 2**30 - 7)])

    reserve(ledger)

    assert gate(ledger).passed == 8
    assert [tuple(mark) for mark in gate(ledger).trail] == [(NOW - 5, 0), (NOW, 7)]


def test_corrections_only_make_later(ledger: Ledger) -> None:
    """That more is left than we thought opens nothing."""
    reserve(ledger)
    for free_at, expected in ((NOW + 7, NOW + 7), (NOW + 3, NOW + 7), (NOW + 8, NOW + 8)):
        with ledger.write() as session:
            quotas.correct(session, "k", free_at=free_at)
        assert gate(ledger).next_free_at == expected


OFFSETS = st.sampled_from([-30.0, -1.0, -0.5, 0.0, 0.4, 0.5, 0.75, 1.0, 1.5, 30.0])


@settings(ON_A_LEDGER, max_examples=40)
@given(
    free=OFFSETS,
    closed=OFFSETS,
    proven=OFFSETS,
    probe=OFFSETS,
    tolerance=st.sampled_from([0.0, 0.5, 2.0]),
    ahead=st.sampled_from([0.5, 1.0]),
)
def test_a_gate_is_full_exactly_when_nobody_gets_a_turn(
    ledger: Ledger,
    free: float,
    closed: float,
    proven: float,
    probe: float,
    tolerance: float,
    ahead: float,
) -> None:
    """What claims pass over is what would not be let through, and nothing else."""
    put(
        ledger,
        next_free_at=NOW + free,
        closed_until=NOW + closed,
        proven_at=NOW + proven,
        probe_until=NOW + probe,
        tolerance=tolerance,
    )
    with ledger.read() as session:
        asked = select(col(Quota.key)).where(quotas.full(Quota, NOW, literal(ahead)))
        full = session.exec(asked).first() is not None

    turn = reserve(ledger, interval=0.5, tolerance=tolerance, ahead=ahead)

    assert full is not turn.granted
