"""The trail of a gate: short however long it is, and it never hides when requests were densest."""

from hypothesis import given, settings
from hypothesis import strategies as st

from db import trail
from db.trail import APART, Mark

BEGAN = 1_800_000_000.0
GAPS = st.lists(st.sampled_from([0.0, 0.01, 0.3, 1.0, 1.7, 5.0, 60.0]), min_size=1, max_size=120)


def walked(gaps: list[float]) -> tuple[list[Mark], list[Mark], float]:
    """The trail of requests that are so far apart; every mark there could be; the last instant."""
    at, kept, every = BEGAN, [], []
    for count, gap in enumerate(gaps):
        at += gap
        kept = trail.marked(kept, at, count) or kept
        if not every or at - every[-1][0] >= APART:
            every.append((at, count))
    return kept, every, at


def densest(marks: list[Mark], count: int, until: float) -> float:
    """The most requests per second since one of these marks."""
    return max((count - passed) / (until - at) for at, passed in marks)


@given(gaps=GAPS, wait=st.floats(0.5, 100))
def test_no_mark_that_saw_the_most_is_forgotten(gaps: list[float], wait: float) -> None:
    """Whenever a refusal comes, what is kept tells the same highest rate as all there was."""
    kept, every, at = walked(gaps)

    told = densest(kept, len(gaps), at + wait)

    assert abs(told - densest(every, len(gaps), at + wait)) < 1e-9


@settings(max_examples=20, deadline=None)
@given(gap=st.floats(0.05, 1.5))
def test_the_last_two_minutes_of_an_even_pace_are_marked(gap: float) -> None:
    """A pace that was kept for long can be told from its latest part."""
    kept, _, at = walked([gap] * int(300 / gap))

    ages = [at - then for then, _ in kept]
    assert any(60 <= age <= trail.STEADY_SECONDS for age in ages)
    assert len(kept) < 60


def test_a_trail_is_short_after_a_day() -> None:
    """Whatever came, a row of the ledger stays small, and nothing older than a day is in it."""
    gaps = [0.1, 0.1, 3.0, 0.5, 20.0, 0.02, 7.0, 1.0] * 3000
    kept, _, at = walked(gaps)

    assert len(kept) < 60
    assert at - kept[0][0] <= trail.REMEMBERED
    assert kept == sorted(kept)


def test_a_clock_that_goes_back_marks_nothing() -> None:
    """Machines differ by a little: marks stay in order."""
    assert trail.marked([(BEGAN, 0)], BEGAN - 5, 3) is None
    assert trail.marked([(BEGAN, 0)], BEGAN + 0.99, 3) is None
    assert trail.marked([(BEGAN, 0)], BEGAN + 1, 3) == [(BEGAN, 0), (BEGAN + 1, 3)]
