"""The judgement can fail: each promise is broken here once, in what a run would have left."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from simulators.beeminder_state import Change, Datapoint
from simulators.rime_state import Run
from tests.blackbox.house import SECRET
from tests.chaos import judgement, verdict
from tests.chaos.callers import Callback
from tests.chaos.hands import Done
from tests.chaos.judgement import Span
from tests.chaos.plan import Fault
from tests.chaos.weather import Arrival, Told

DAY = "20261130"


def point(value: float, requestid: str | None = "wg-1") -> Datapoint:
    """A point that is there."""
    return Datapoint(
        id=f"{value}",
        timestamp=0,
        daystamp=DAY,
        value=value,
        landed_at=0,
        changed_at=0,
        requestid=requestid,
    )


def change(at: float, value: float, kind: Any = "created", of: str = "a") -> Change:
    """Something that happened to a point."""
    return Change(
        at=at,
        username="p",
        goal_id="g",
        slug="s",
        kind=kind,
        id=of,
        requestid=of,
        daystamp=DAY,
        value=value,
        comment="",
        via="personal",
    )


def callback(**more: Any) -> Callback:
    """One that was sent at 10 with 5 at the source, and answered at 20."""
    goal: Any = SimpleNamespace(name="p/s")
    made = Callback(goal, at=10, sent=10, day=DAY, asked=5.0, ended=20, ended_at=20, status=200)
    return replace(made, said="fresh", **more)


@pytest.mark.parametrize(
    "points",
    [
        [],
        [point(4.0)],
        [point(5.0), point(5.0)],
        [point(5.0, None)],
        [point(5.0, "theirs")],
    ],
    ids=["lost", "stale", "twice", "nobody's", "somebody's"],
)
def test_a_goal_that_differs_is_found(points: list[Datapoint]) -> None:
    """Lost, stale, twice, or not ours."""
    assert list(judgement.equal("p/s", [{DAY: 5.0}], [point(5.0)])) == []
    assert list(judgement.equal("p/s", [{DAY: 5.0}], points))


def test_a_point_that_was_twice_for_a_while_is_found() -> None:
    """Also if one of them is gone by the end, and also if only one was ever taken away."""
    twice = [change(1, 5), change(2, 5, of="b"), change(3, 5, "deleted", "b")]
    assert list(judgement.never_twice("p/s", 1, twice[:1])) == []
    assert list(judgement.never_twice("p/s", 2, twice[:2])) == []
    assert list(judgement.never_twice("p/s", 1, twice[:2]))
    assert list(judgement.never_twice("p/s", 2, twice))


@pytest.mark.parametrize(
    ("wrong", "served"),
    [
        ({"status": None, "error": "RemoteProtocolError"}, True),
        ({"status": None, "error": "ReadTimeout"}, False),
        ({"status": 404}, True),
        ({"status": 500}, True),
    ],
    ids=["dropped", "never answered", "unknown", "an error"],
)
def test_a_callback_without_its_answer_is_found(wrong: dict[str, Any], *, served: bool) -> None:
    """Dropped by a receiver that lives, kept waiting without end, or answered as none should be."""
    died = callback(status=None, error="RemoteProtocolError")
    assert list(judgement.answered([callback(), callback(status=503), died], {2: False})) == []
    assert list(judgement.answered([callback(**wrong)], {0: served}))


def test_a_200_before_its_data_is_found() -> None:
    """What came after the answer does not count; what a late worker wrote over meanwhile does."""
    in_time = [change(1, 3), change(15, 5, "updated"), change(16, 3, "updated")]
    assert list(judgement.fresh([callback()], {"p/s": in_time})) == []
    assert list(judgement.fresh([callback()], {"p/s": [change(1, 3), change(21, 5, "updated")]}))
    assert list(judgement.fresh([callback()], {"p/s": [change(1, 5), change(9, 3, "updated")]}))


def test_a_broken_promise_says_where_in_the_story() -> None:
    """Else nobody finds out why: a run is never the same twice."""
    done = [
        Done(Fault(at=0.0, whom=whom, what=what), whom, began, ended)
        for whom, what, began, ended in (("a", "kill", 5.0, 5.0), ("b", "cut", 9.0, 12.0))
    ]
    told = [verdict.told_when(done, at) for at in (4.0, 7.0, 10.0, 13.0)]
    assert told == [
        "before any trouble",
        "2.00 s after kill a",
        "1.00 s into cut b",
        "1.00 s after cut b",
    ]


def test_who_knocks_early_is_found() -> None:
    """Not who was on the way, and not where what was told could not be written down."""
    told = [Told("k", 10.0, 14.0)]
    early = judgement.early

    assert list(early(told, [Arrival("k", 12.0, "/x")], unheard=[], late=[]))
    for at, key in ((10.3, "k"), (14.1, "k"), (12.0, "other")):
        assert list(early(told, [Arrival(key, at, "/x")], unheard=[], late=[])) == []
    arrival = [Arrival("k", 12.0, "/x")]
    assert list(early(told, arrival, unheard=[Span(9.5, 10.5)], late=[])) == []
    assert list(early(told, arrival, unheard=[], late=[Span(11.0, 13.0)])) == []
    assert list(early(told, arrival, unheard=[Span(9.5, 10.5, "of others")], late=[]))


def test_an_event_that_was_lost_or_failed_is_found() -> None:
    """One that waits, one that failed, and one that is not there though it was said to be."""
    done = {"id": "1", "state": "done", "error": None}
    assert list(judgement.ended([done], 1)) == []
    assert list(judgement.ended([done], 2))
    for state in ("received", "working", "failed", "dead"):
        assert list(judgement.ended([done | {"state": state}], 1))


def test_a_run_that_was_not_followed_to_its_end_is_found() -> None:
    """Nobody saw its end, or it was written down as another one; or there is one too many."""
    run = Run(id="run_1", status="Failed", rows=7, finished_at=20.5)
    row = {"run_id": "run_1", "state": "failed", "rows": 7.0, "finished_at": 20.5}

    followed = judgement.followed
    assert list(followed([row], [run])) == []
    assert list(followed([], [run]))
    assert list(followed([row], []))
    for wrong in (
        {"finished_at": None},
        {"finished_at": 31.0},
        {"state": "completed"},
        {"rows": 6.0},
    ):
        assert list(followed([row | wrong], [run]))


def test_a_process_that_ends_by_itself_is_found() -> None:
    """But for one that starts while there is no ledger."""

    def life(status: int, **more: Any) -> Any:
        process = SimpleNamespace(returncode=status)
        known = {"name": "web", "began": 10, "ended": 12, "ready": None, "ours": False}
        return SimpleNamespace(process=process, **(known | more))

    lived = judgement.lived
    assert list(lived([life(-9, ours=True), life(0, ended=None)], [])) == []
    assert list(lived([life(1)], [(11, 13)])) == []
    assert list(lived([life(1)], [(13, 14)]))
    assert list(lived([life(0)], [(11, 13)]))
    assert list(lived([life(1, ready=11)], [(11, 13)]))


def test_tracebacks_and_secrets_are_found() -> None:
    """In any log and any file."""
    trace = b'ok\nTraceback (most recent call last):\n  File "x"\nValueError: no\n'
    assert list(judgement.quiet_logs({"log": b"ok"})) == []
    assert "ValueError" in next(iter(judgement.quiet_logs({"log": trace})))
    assert list(judgement.no_secrets({"log": b"nothing"}, ["canary"])) == []
    assert list(judgement.no_secrets({"log": b"a canary sings"}, ["canary"]))
    assert list(judgement.no_secrets({"ledger": SECRET.encode()}, []))
