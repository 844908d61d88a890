"""Whole histories of runs, and what becomes of them on the way: lost, doubled, mixed up."""

import random
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from clients.rime_messages import message
from db.states import RunState
from tasks.live.view import View, applied, snapshot
from tests.tasks.live.viewing import NOW, STATES, after, read_run, steps_of


@dataclass(frozen=True)
class History:
    """What a run went through, as frames in their order, and how it ended."""

    frames: list[dict[str, object]]
    attempt: int
    status: str
    rows: int


@st.composite
def histories(draw, most_attempts: int = 3) -> History:
    """A run of some attempts with steps, each with counters that grow, and an end.

    Its source numbers messages, tells times, both, or nothing.
    """
    attempts = draw(st.integers(1, most_attempts))
    numbered, timed = draw(st.booleans()), draw(st.booleans())
    names = [f"s{number}" for number in range(draw(st.integers(1, 4)))]
    frames: list[dict[str, object]] = []
    rows, end = 0, ""

    def tell(**fields: object) -> None:
        stamp = {"seq": len(frames)} if numbered else {}
        stamp |= {"ts": NOW + len(frames)} if timed else {}
        frames.append({"type": "update", "run_id": "r1", "attempt": attempt, **stamp, **fields})

    for attempt in range(1, attempts + 1):
        rows = 0
        tell(status="pending", rows=0)
        for done, name in enumerate(names):
            tell(step_id=name, status="running", rows=0)
            of_step = 0
            for grown in draw(st.lists(st.integers(0, 50), max_size=3)):
                of_step, rows = of_step + grown, rows + grown
                tell(step_id=name, status="running", rows=of_step)
                tell(status="running", rows=rows, progress=min(0.99, rows / 1000))
            tell(step_id=name, status="succeeded", rows=of_step)
            tell(steps_completed=done + 1, total_steps=len(names))
        end = draw(st.sampled_from(sorted(STATES))) if attempt == attempts else "failed"
        tell(status=end, rows=rows)
    return History(frames, attempts, end, rows)


def goes_on(was: View, now: View) -> None:
    """Within one attempt nothing goes back, and attempts don't either."""
    assert now.attempt >= was.attempt
    if now.attempt > was.attempt:
        return
    assert now.mark.rank >= was.mark.rank
    assert was.state is RunState.RUNNING or now.state is not RunState.RUNNING
    for name in ("rows", "fraction", "done", "total"):
        before, then = getattr(was.counts, name), getattr(now.counts, name)
        assert before is None or (then is not None and then >= before), name


@given(history=histories(), rng=st.integers(0, 2**32).map(random.Random), data=st.data())
def test_whatever_comes_of_it_the_end_is_the_sources(history, rng, data):
    """Lost, doubled and mixed up: nothing goes back on the way, and what is read counts."""
    kept = data.draw(st.lists(st.sampled_from(history.frames), max_size=60))
    rng.shuffle(kept)
    view = View(run="r1")
    for number, frame in enumerate(kept):
        was, view = view, applied(view, message(frame), now=NOW + number)
        goes_on(was, view)
        assert not view.over

    run = read_run(history.status, history.rows)
    final = snapshot(view, run, attempt=history.attempt, now=NOW + 99)

    assert (final.over, final.attempt, final.counts.rows) == (True, history.attempt, history.rows)
    assert final.state is STATES[history.status]
    assert after(*map(message, kept), view=final) == final
    assert snapshot(final, read_run("running", 0.0), attempt=9, now=NOW) == final


@given(history=histories())
def test_in_order_nothing_needs_to_be_read(history):
    """Where all comes as it was sent, the view says the same before it is read."""
    view = after(*map(message, history.frames))
    assert (view.attempt, view.counts.rows) == (history.attempt, history.rows)
    assert (view.state, view.says_over) == (STATES[history.status], True)
    assert set(steps_of(view).values()) == {"succeeded"}
    assert view.counts.done == view.counts.total == len(view.steps)


@given(history=histories(most_attempts=1), rng=st.integers(0, 2**32).map(random.Random))
def test_twice_in_any_order_is_once_in_order(history, rng):
    """Without numbers and times all orders come to the same, as often as each message comes."""
    bare = [
        {name: value for name, value in frame.items() if name not in ("seq", "ts")}
        for frame in history.frames
    ]
    mixed = bare * 2
    rng.shuffle(mixed)
    expected, found = after(*map(message, bare)), after(*map(message, mixed))
    assert (found.mark, found.steps) == (expected.mark, expected.steps)
    assert (found.counts.rows, found.counts.done) == (expected.counts.rows, expected.counts.done)


@given(history=histories(), at=st.integers(0, 50))
def test_reading_in_between_changes_no_end(history, at):
    """What is read while it runs is true then; messages go on from there."""
    view = after(*map(message, history.frames[:at]))
    view = snapshot(view, read_run("running"), now=NOW)
    assert (view.over, view.says_over, view.state) == (False, False, RunState.RUNNING)
    rest = history.frames[at:]
    if rest:
        view = after(*map(message, rest), view=view)
        assert (view.state, view.counts.rows) == (STATES[history.status], history.rows)
