"""A view of a run from messages that come late, twice, or contradict each other."""

from dataclasses import replace

import pytest

from clients.rime_messages import Message
from db.states import RunState
from tasks.live import view as views
from tasks.live.view import MOST_STEPS, View, applied, reconnected, seen, snapshot
from tests.tasks.live.viewing import NOW, STATES, after, progress, read_run, steps_of


def test_a_state_never_goes_back():
    """A late "running" is late, and one end is not exchanged for another."""
    view = after(progress(status="completed"), progress(status="running"))
    assert (view.state, view.says_over, view.over) == (RunState.COMPLETED, True, False)
    assert after(progress(status="failed"), view=view).state is RunState.COMPLETED


def test_an_end_is_corrected_by_what_is_surely_newer():
    """By its time or its number."""
    first = progress(status="completed", at=NOW, seq=1.0)
    assert after(first, progress(status="failed", at=NOW + 1)).state is RunState.FAILED
    assert after(first, progress(status="failed", seq=2.0)).state is RunState.FAILED
    assert after(first, progress(status="failed", seq=0.0)).state is RunState.COMPLETED


@pytest.mark.parametrize("status", ["complete", "done", "Finished", "interrupted"])
def test_over_but_nobody_says_how(status):
    """The view goes on; the run is to be read."""
    view = after(progress(status=status))
    assert (view.state, view.says_over) == (RunState.RUNNING, True)


def test_unknown_words_change_nothing():
    """A new word is no end, and takes none back."""
    assert after(progress(status="simmering")).state is RunState.RUNNING
    view = after(progress(status="failed"), progress(status="simmering", rows=4.0))
    assert (view.state, view.counts.rows) == (RunState.FAILED, 4.0)


@pytest.mark.parametrize(
    "other",
    [
        progress(run="r2", status="failed", rows=9.0),
        Message(role="ping"),
        Message(role="refused", code="unauthorized"),
        Message(role="error", code="rate_limited", status="failed"),
        Message(role="ready", status="completed"),
        Message(role="other", run="r1"),
    ],
)
def test_what_is_none_of_its_business(other):
    """Other runs, and talk about the connection."""
    view = after(progress(status="running", rows=3.0))
    assert applied(view, other, now=NOW + 5) == view


def test_attempts():
    """A later one begins anew, an earlier one is left, and none named is the one that there is."""
    view = after(
        progress(attempt=1, status="failed", rows=50.0, fraction=0.5, steps_done=3),
        progress(step="s1", status="failed", rows=50.0),
        progress(attempt=2, status="running", rows=1.0),
    )
    assert (view.attempt, view.state, view.says_over) == (2, RunState.RUNNING, False)
    assert (view.counts.rows, view.counts.fraction, view.steps) == (1.0, None, {})
    assert after(progress(attempt=1, status="completed", rows=99.0), view=view) == view
    assert after(progress(rows=2.0), view=view).counts.rows == 2.0


@pytest.mark.parametrize(("first", "shown"), [(0, 1), (1, 1), (2, 2)])
def test_the_first_number_names_the_attempt_that_there_is(first, shown):
    """Vendors count from 0 or from 1; only a number beyond 1 shows that something was missed."""
    view = after(progress(rows=5.0), progress(attempt=first, rows=3.0))
    assert (view.attempt, view.counts.rows) == (shown, 5.0 if first < 2 else 3.0)
    again = after(progress(attempt=first + 1, rows=1.0), view=view)
    assert again.counts.rows == 1.0


def test_steps_have_attempts_of_their_own():
    """A step that is tried again says nothing of the others, nor of the run."""
    view = after(
        progress(attempt=1, status="running", rows=70.0),
        progress(step="s1", attempt=1, status="succeeded"),
        progress(step="s2", attempt=1, status="failed", rows=70.0),
        progress(step="s2", attempt=2, status="running", rows=2.0),
        progress(step="s3", attempt=1, status="running"),
        progress(step="s2", attempt=1, status="failed"),
    )
    assert (view.attempt, view.counts.rows) == (1, 70.0)
    assert steps_of(view) == {"s1": "succeeded", "s2": "open", "s3": "open"}
    assert view.steps["s2"].rows == 2.0


def test_a_step_of_a_later_attempt_after_the_end_is_one_of_the_next():
    """The run was over: that a step begins again means that the run does."""
    ended = after(progress(attempt=1, status="failed", rows=9.0, seq=7.0))
    view = after(progress(step="s1", attempt=2, status="running"), view=ended)
    assert (view.attempt, view.state, view.says_over) == (2, RunState.RUNNING, False)
    for late in (progress(step="s1", attempt=2, seq=3.0), progress(step="s1", attempt=1)):
        assert after(late, view=ended).state is RunState.FAILED


def test_a_failed_step_begins_again():
    """Without a number of the attempt only what is surely newer shows it."""
    failed = progress(step="s1", status="failed", rows=9.0, at=NOW)
    again = progress(step="s1", status="running", rows=1.0)
    assert steps_of(after(failed, again)) == {"s1": "failed"}
    view = after(failed, replace(again, at=NOW + 1))
    assert (steps_of(view), view.steps["s1"].rows) == ({"s1": "open"}, 1.0)
    assert view.counts.rows == 9.0


def test_older_messages_about_a_step_are_left():
    """By number and by time, for each step by itself; the same number is the same message."""
    view = after(progress(step="s1", rows=5.0, seq=5.0, at=NOW))
    for old in (
        progress(step="s1", rows=9.0, seq=5.0),
        progress(step="s1", rows=9.0, seq=4.0),
        progress(step="s1", rows=9.0, at=NOW - 1),
    ):
        assert after(old, view=view) == view
    assert after(progress(step="s2", rows=1.0, seq=1.0), view=view).steps["s2"].rows == 1.0
    assert after(progress(step="s1", rows=9.0, seq=6.0), view=view).steps["s1"].rows == 9.0


def test_a_new_connection_may_number_from_the_start():
    """What was numbered before is not newer than what is numbered now."""
    view = after(progress(rows=5.0, seq=900.0), progress(step="s1", rows=5.0, seq=901.0))
    fresh = reconnected(view)
    view = after(progress(rows=6.0, seq=1.0), progress(step="s1", rows=6.0, seq=2.0), view=fresh)
    assert (view.counts.rows, view.steps["s1"].rows) == (6.0, 6.0)


def test_rows_of_steps_stand_for_those_of_the_run_until_it_tells_its_own():
    """A total of a connector is the sum over its tables."""
    tables = [progress(step="a", rows=5.0), progress(step="b", rows=7.0)]
    view = after(*tables, progress(step="a", rows=6.0))
    assert view.counts.rows == 13.0
    view = after(progress(rows=15.0), progress(step="a", rows=90.0), view=view)
    assert view.counts.rows == 15.0


def test_shares_from_steps_until_the_run_tells_its_own():
    """Three of four steps are three quarters; what a step has done is not what the run has."""
    view = after(progress(step="a", fraction=0.9), progress(steps_done=1, steps_total=4))
    assert view.counts.fraction == 0.25
    view = after(progress(fraction=0.5), progress(steps_done=3, steps_total=4), view=view)
    assert view.counts.fraction == 0.5


def test_steps_are_kept_to_a_bound():
    """A server that names ever new steps fills no memory."""
    view = after(*(progress(step=str(n), status="running") for n in range(MOST_STEPS + 5)))
    assert len(view.steps) == MOST_STEPS
    assert after(progress(step="0", rows=4.0), view=view).steps["0"].rows == 4.0


def test_what_is_read_corrects():
    """It may take back what messages said, and tells what they left out."""
    view = after(progress(attempt=7, status="completed", rows=900.0, fraction=0.9))
    view = snapshot(view, read_run("running", 4.0), attempt=1, now=NOW + 9)
    assert (view.attempt, view.state, view.over) == (1, RunState.RUNNING, False)
    assert (view.says_over, view.counts.rows, view.started) == (False, 4.0, NOW - 60)
    assert view.counts.fraction is None
    assert after(progress(attempt=1, rows=5.0), view=view).counts.rows == 5.0


def test_what_is_read_of_another_run_is_left():
    """Whoever mixes up runs ends none."""
    view = after(progress(rows=1.0))
    assert snapshot(view, read_run("completed", 9.0, run="r2"), now=NOW) == view


def test_rows_that_could_not_be_read_are_no_zero():
    """What was seen of them stays."""
    view = snapshot(after(progress(rows=5.0)), read_run("completed"), now=NOW)
    assert (view.counts.rows, view.counts.fraction, view.over) == (5.0, 1.0, True)
    assert snapshot(View(run="r1"), read_run("failed"), now=NOW).counts.rows is None


def test_a_word_that_is_read_and_not_known_is_no_end():
    """A run goes on until its end has a name."""
    view = snapshot(after(progress(status="failed")), read_run("simmering"), now=NOW)
    assert (view.state, view.says_over, view.over) == (RunState.RUNNING, False, False)


@pytest.mark.parametrize("status", sorted(STATES))
def test_what_is_stored(status):
    """The words of the ledger; the step that runs is named until the run is over."""
    view = after(
        progress(rows=5.0, steps_total=2),
        progress(step="s1", status="succeeded"),
        progress(step="s2", status="running"),
    )
    found = seen(view)
    assert (found.attempt, found.state, found.rows, found.progress) == (1, "running", 5.0, 0.5)
    assert found.counters == {"steps_done": 1, "steps_total": 2, "step": "s2"}
    assert (found.seen_at, found.started_at, found.error) == (NOW + 2, None, None)

    failing = applied(view, progress(status="running", code="slow"), now=NOW + 3)
    found = seen(snapshot(failing, read_run(status, 6.0), now=NOW + 4))
    assert (found.state, found.rows, found.error) == (STATES[status], 6.0, "slow")
    assert found.progress == (1.0 if status == "completed" else 0.5)
    assert found.counters == {"steps_done": 1, "steps_total": 2}
    assert (found.seen_at, found.started_at) == (NOW + 4, NOW - 60)


def test_nothing_is_known_yet():
    """A run that nobody has said anything of runs, and has no numbers."""
    found = seen(View(run="r1"))
    assert (found.attempt, found.state, found.rows, found.progress) == (1, "running", None, None)
    assert (found.counters, found.seen_at) == ({}, None)
    assert set(views._STATES.values()) == set(RunState)
