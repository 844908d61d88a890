"""A write to a finished day that could derail somebody waits until a person lets it pass."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.models_points import Datapoint
from db.outbox import Action, Judged, Point
from db.states import DatapointState
from tasks import corrections
from tasks.corrections import Corrections, Stance, Wanted

CAREFUL, ALWAYS, NEVER = Corrections.CAREFUL, Corrections.ALWAYS, Corrections.NEVER
SEND, HOLD, LEAVE = Action.SEND, Action.HOLD, Action.LEAVE
values = st.integers(-50, 50).map(float)


def point(value: float, day: int = 19) -> Point:
    """A day's point."""
    return Point(requestid=f"wg-{day}", value=value, comment="c", daystamp=f"202611{day:02}")


def row(there: float | None, day: int = 19, **more: object) -> Datapoint:
    """The row of that day: this value is at Beeminder (None: nothing was sent yet)."""
    content = "" if there is None else point(there, day).content_hash
    facts = {
        "goal_id": 1,
        "feed_id": 1,
        "requestid": f"wg-{day}",
        "daystamp": f"202611{day:02}",
        "value": there or 0.0,
        "content_hash": content,
        "landed_hash": content or None,
        "landed_value": there,
        "sent_value": there,
        "sent_at": None if there is None else 1.0,
        "state": DatapointState.WITHDRAWN if there is None else DatapointState.LANDED,
    }
    return Datapoint(**(facts | more))


def stance(**more: object) -> Stance:
    """A do-more goal under `careful`, with what a test changes about it."""
    return Stance(**({"corrections": CAREFUL, "yaw": 1} | more))


LONG_AGO = 36_000.0


def judge(
    how: Stance, *wanted: tuple[Point, Datapoint | None], over: float | None = LONG_AGO
) -> list[Judged]:
    """What is done about these points of days that are over for so long (None: not yet)."""
    return corrections.judge(
        how,
        [Wanted(new, over) for new, _ in wanted],
        {new.requestid: old for new, old in wanted if old is not None},
    )


def one(how: Stance, new: float, old: float | None, *, over: float | None = LONG_AGO) -> Judged:
    """What is done about one day that holds `old` now."""
    (judged,) = judge(how, (point(new), None if old is None else row(old)), over=over)
    assert (judged.why is None) is (judged.action == SEND)
    return judged


@pytest.mark.parametrize(
    ("yaw", "old", "new", "careful", "never"),
    [
        (1, 5.0, 0.0, HOLD, LEAVE),  # emptied
        (1, 5.0, 3.0, HOLD, LEAVE),  # worse
        (1, 5.0, 6.0, SEND, LEAVE),  # better
        (-1, 1.0, 4.0, HOLD, LEAVE),  # more is worse
        (-1, 4.0, 1.0, SEND, LEAVE),
        (-1, 4.0, 0.0, HOLD, LEAVE),  # less is better, but this empties the day
        (-1, 0.0, 4.0, HOLD, LEAVE),
        (1, -4.0, 0.0, HOLD, LEAVE),
        (None, 5.0, 6.0, HOLD, LEAVE),  # nobody knows what is good
        (None, 5.0, 4.0, HOLD, LEAVE),
        (1, 5.0, 5.0, SEND, SEND),
        (1, None, 4.0, SEND, SEND),  # a day without a value gets one
        (-1, None, 4.0, SEND, SEND),
        (None, None, 0.0, SEND, SEND),
    ],
)
def test_a_change_of_a_finished_day(
    yaw: int | None, old: float | None, new: float, careful: Action, never: Action
) -> None:
    """For the worse it is held, for the better sent; `always` sends all, `never` corrects none."""
    for how, action in ((CAREFUL, careful), (ALWAYS, SEND), (NEVER, never)):
        assert one(stance(yaw=yaw, corrections=how), new, old).action == action, how


@given(old=st.none() | values, new=values, yaw=st.sampled_from([1, -1, None]))
@pytest.mark.parametrize("how", [CAREFUL, ALWAYS, NEVER])
def test_today_always_goes_on(
    how: Corrections, old: float | None, new: float, yaw: int | None
) -> None:
    """A day that is not over is never held, whatever changes."""
    assert one(stance(corrections=how, yaw=yaw), new, old, over=None).action == SEND


@given(old=values, new=values, yaw=st.sampled_from([1, -1]), over=st.floats(901, 1e7))
def test_nothing_that_makes_a_day_worse_goes_out_unasked(
    old: float, new: float, yaw: int, over: float
) -> None:
    """For every change of a value: it goes out if it is better and leaves something there."""
    judged = one(stance(yaw=yaw), new, old, over=over)
    harmless = new == old or ((new - old) * yaw > 0 and not (new == 0.0 and old != 0.0))
    assert judged.action == (SEND if harmless else HOLD)


@given(old=values, new=values, yaw=st.sampled_from([1, -1, None]))
def test_never_means_never(old: float, new: float, yaw: int | None) -> None:
    """Under `never` a value that is there stays, for better or worse."""
    judged = one(stance(corrections=NEVER, yaw=yaw), new, old)
    assert judged.action == (SEND if new == old else LEAVE)


@pytest.mark.parametrize("how", [CAREFUL, NEVER])
@pytest.mark.parametrize(
    ("old", "new", "over", "completes"),
    [
        (3.0, 4.0, 0.0, True),
        (3.0, 4.0, 900.0, True),
        (3.0, 4.0, 901.0, False),
        (4.0, 3.0, 0.0, False),
        (4.0, 0.0, 0.0, False),
    ],
)
def test_a_total_that_grew_until_the_day_was_over_completes_it(
    how: Corrections, old: float, new: float, over: float, *, completes: bool
) -> None:
    """On a do-less goal too: the last minutes of a day are no correction; a fall of a total is."""
    kept = HOLD if how == CAREFUL else LEAVE
    total = stance(corrections=how, yaw=-1, grows=True)
    sent_as_better = how == CAREFUL and new < old and new != 0.0
    expected = SEND if completes or sent_as_better else kept
    assert one(total, new, old, over=over).action == expected


@pytest.mark.parametrize("yaw", [1, -1, None])
@pytest.mark.parametrize("new", [2.0, 4.0])
def test_where_a_level_ended_completes_its_day(new: float, yaw: int | None) -> None:
    """Up or down within a quarter of an hour; later it is a correction, and to nothing always."""
    level = stance(yaw=yaw, corrections=NEVER)
    assert one(level, new, 3.0, over=900.0).action == SEND
    assert one(level, new, 3.0, over=901.0).action == LEAVE
    assert one(level, 0.0, 3.0, over=0.0).action == LEAVE


@pytest.mark.parametrize("there", [1.0, 3.0])
def test_after_an_unanswered_push_the_better_value_is_believed(there: float) -> None:
    """One of two values is at Beeminder: to be worse than the better one is to be worse."""
    unanswered = row(there, landed_hash=None, sent_value=4.0 - there, state=DatapointState.PENDING)
    for yaw, action in ((1, HOLD), (-1, HOLD)):
        (judged,) = judge(stance(yaw=yaw), (point(2.0), unanswered))
        assert judged.action == action


def test_what_may_have_landed_is_no_empty_day() -> None:
    """The first push of a day had no answer: emptying it is held all the same."""
    unanswered = row(None, sent_value=5.0, sent_at=1.0, state=DatapointState.PENDING)
    (judged,) = judge(stance(), (point(0.0), unanswered))
    assert judged.action == HOLD


def test_a_held_correction_stays_held() -> None:
    """Read again with the same outcome, nothing has changed about it."""
    held = row(5.0, content_hash=point(3.0).content_hash, state=DatapointState.HELD)
    (judged,) = judge(stance(), (point(3.0), held))
    assert judged.action == HOLD


def test_one_of_many_stays_held_when_the_others_are_decided_about() -> None:
    """Better, and alone by now: what was kept back is let pass by a person, not by the calendar."""
    why = "4 finished days would change at once"
    kept = {"content_hash": point(6.0).content_hash, "state": DatapointState.HELD, "error": why}
    assert judge(stance(), (point(6.0), row(5.0, **kept))) == [Judged(point(6.0), HOLD, why)]
    assert judge(stance(), (point(7.0), row(5.0, **kept)))[0].action == SEND
    assert judge(stance(corrections=ALWAYS), (point(6.0), row(5.0, **kept)))[0].action == SEND


@pytest.mark.parametrize("state", [DatapointState.PENDING, DatapointState.LANDED])
def test_what_was_judged_before_is_not_judged_again(state: DatapointState) -> None:
    """A push that failed while the day was open goes on after it is over."""
    passed = row(5.0, content_hash=point(3.0).content_hash, state=state)
    (judged,) = judge(stance(), (point(3.0), passed))
    assert judged.action == SEND


def test_an_approved_content_passes_and_no_other() -> None:
    """The approval is of this very value: a third one is judged anew."""
    approved = row(5.0, approved_hash=point(3.0).content_hash)
    assert judge(stance(), (point(3.0), approved))[0].action == SEND
    assert judge(stance(), (point(2.0), approved))[0].action == HOLD


def test_a_dropped_content_is_not_held_again_until_it_changes() -> None:
    """What a person refused stays refused, another value is a new question."""
    dropped = row(5.0, dropped_hash=point(3.0).content_hash)
    assert judge(stance(), (point(3.0), dropped))[0].action == LEAVE
    assert judge(stance(), (point(2.0), dropped))[0].action == HOLD
    assert judge(stance(corrections=ALWAYS), (point(3.0), dropped))[0].action == LEAVE


@pytest.mark.parametrize("how", list(Corrections))
@pytest.mark.parametrize(("frozen", "source"), [("edited", SEND), ("deleted", LEAVE)])
def test_a_frozen_day_is_a_persons(how: Corrections, frozen: str, source: Action) -> None:
    """Whatever `corrections` says; `on_edit = "source"` wins over an edit, never a deletion."""
    theirs = row(9.0, frozen=frozen, state=DatapointState.WITHDRAWN)
    for over in (LONG_AGO, None):
        for on_edit_source, action in ((False, LEAVE), (True, source)):
            (judged,) = judge(
                stance(corrections=how, on_edit_source=on_edit_source),
                (point(3.0), theirs),
                over=over,
            )
            assert judged.action == action


def test_what_was_found_and_differs_is_held_also_for_the_better() -> None:
    """After a lost ledger nobody knows who made the value that is there."""
    found = row(5.0, sent_at=None, sent_value=None)
    (judged,) = judge(stance(), (point(6.0), found))
    assert judged.action == HOLD
    assert corrections.ADOPTED in (judged.why or "")
    assert judge(stance(), (point(6.0), found), over=None)[0].action == SEND
    assert judge(stance(), (point(5.0), found))[0].action == SEND


def test_another_comment_is_not_a_correction() -> None:
    """The value stays: a renamed source writes its new name also on finished days."""
    new = Point(requestid="wg-19", value=5.0, comment="other words", daystamp="20261119")
    for how in Corrections:
        assert judge(stance(corrections=how), (new, row(5.0)))[0].action == SEND


@pytest.mark.parametrize(("count", "action"), [(3, SEND), (4, HOLD), (10, HOLD)])
def test_many_finished_days_at_once_are_held(count: int, action: Action) -> None:
    """More than three that change, for the better as well; a source that lies, lies about many."""
    days = [(point(9.0, day), row(5.0, day)) for day in range(1, count + 1)]
    judged = judge(stance(), *days)
    assert [one.action for one in judged] == [action] * count
    assert all(one.action == SEND for one in judge(stance(corrections=ALWAYS), *days))


def test_only_changes_count_towards_many() -> None:
    """New days, unchanged days and days that a person let pass are not among them."""
    quiet = [
        (point(5.0, 1), row(5.0, 1)),
        (point(5.0, 2), None),
        (point(6.0, 3), row(5.0, 3, approved_hash=point(6.0, 3).content_hash)),
        *((point(6.0, day), row(5.0, day)) for day in (4, 5, 6)),
    ]
    assert all(judged.action == SEND for judged in judge(stance(), *quiet))


def test_many_hold_the_changed_days_alone() -> None:
    """New days and today go out all the same."""
    days = [(point(9.0, day), row(5.0, day)) for day in range(1, 5)] + [(point(1.0, 5), None)]
    wanted = [Wanted(new, LONG_AGO) for new, _ in days] + [Wanted(point(9.0, 20), None)]
    known = {new.requestid: old for new, old in days if old is not None} | {"wg-20": row(5.0, 20)}
    judged = corrections.judge(stance(), wanted, known)
    assert [one.action for one in judged] == [HOLD] * 4 + [SEND, SEND]


def test_the_reason_of_a_hold_names_both_values() -> None:
    """A person decides by what is there and what would be."""
    assert "5 → 0" in (one(stance(), 0.0, 5.0).why or "")
    assert "5 → 3" in (one(stance(), 3.0, 5.0).why or "")
    assert "1 → 4" in (one(stance(yaw=-1), 4.0, 1.0).why or "")
