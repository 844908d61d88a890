"""Closed gates: nobody leaves before the named time, and one goes first when it has come."""

import pytest

from db import quotas, quotas_closing
from db.engine import Ledger
from db.quotas import Turn
from db.quotas_closing import Phase
from tests.db.test_quotas import NOW, close, gate, prove, put, reserve
from tests.tasks.scenes import at_once


def test_nothing_is_granted_behind_a_closed_gate(ledger: Ledger) -> None:
    """Until the named time nobody gets a turn; then one goes first, whatever the pace."""
    close(ledger, NOW + 30)

    assert reserve(ledger) == Turn(NOW + 30, granted=False)
    assert reserve(ledger, now=NOW + 29.9) == Turn(NOW + 30, granted=False)
    first = reserve(ledger, now=NOW + 30)
    assert (first.at, first.granted, first.probe) == (NOW + 30, True, True)


def test_a_slot_from_before_the_closing_is_no_way_through(ledger: Ledger) -> None:
    """What others had reserved does not make those after them wait, nor go."""
    for _ in range(5):
        reserve(ledger)
    close(ledger, NOW + 0.2)

    assert not reserve(ledger, now=NOW + 0.1).granted
    assert reserve(ledger, now=NOW + 0.2).probe


def test_of_two_refusals_the_later_one_counts(ledger: Ledger) -> None:
    """A gate is never opened earlier than somebody else was told."""
    assert close(ledger, NOW + 60) == NOW + 60
    assert close(ledger, NOW + 10, now=NOW + 1) == NOW + 60
    assert close(ledger, NOW + 90, now=NOW + 2) == NOW + 90

    assert gate(ledger).closed_until == NOW + 90
    assert gate(ledger).closed_at == NOW


def test_refusals_that_race_leave_the_latest(ledger: Ledger) -> None:
    """Ten answers at once, each with a time of its own."""
    at_once(10, lambda number: close(ledger, NOW + 10 + number))
    assert gate(ledger).closed_until == NOW + 19


def test_gates_do_not_know_each_other(ledger: Ledger) -> None:
    """One closed gate stops only its own requests."""
    close(ledger, NOW + 60)
    assert reserve(ledger, "other").granted


def test_after_a_closing_one_goes_first(ledger: Ledger) -> None:
    """Twenty threads when the gate opens: one leaves; the others after it, at a pace."""
    close(ledger, NOW + 5)

    turns = at_once(20, lambda _: reserve(ledger, now=NOW + 5))

    (first,) = [turn for turn in turns if turn.granted]
    assert first.probe
    assert {turn.at for turn in turns if not turn.granted} == {NOW + 5 + quotas.LOOK_AGAIN}
    assert not reserve(ledger, now=NOW + 4.9 + quotas.PROBE_SECONDS).granted
    prove(ledger, first, NOW + 6)
    after = [reserve(ledger, now=NOW + 6) for _ in range(20)]
    assert [turn.at - NOW for turn in after if turn.granted] == [6.0, 6.0, 6.0, 6.5, 7.0]
    assert not any(turn.probe for turn in after)


def test_a_first_one_that_got_no_answer_lets_another_go(ledger: Ledger) -> None:
    """At once when it was lost, and after a while when nobody knows."""
    close(ledger, NOW + 5)
    lost = reserve(ledger, now=NOW + 5)
    with ledger.write() as session:
        quotas.give_up_probe(session, "k", lost)
    second = reserve(ledger, now=NOW + 6)
    assert second.probe
    third = reserve(ledger, now=NOW + 6 + quotas.PROBE_SECONDS)
    assert third.probe

    with ledger.write() as session:  # the second one is lost after all, the third still on its way
        quotas.give_up_probe(session, "k", second)

    assert not reserve(ledger, now=NOW + 7 + quotas.PROBE_SECONDS).granted


def test_a_first_one_that_is_refused_closes_the_same_gate_again(ledger: Ledger) -> None:
    """Since when it is closed does not change, and nothing is learned from one request."""
    lessons: list[Phase] = []
    close(ledger, NOW + 5)
    first = reserve(ledger, now=NOW + 5)

    close(ledger, NOW + 9, now=NOW + 6, refused=first, lesson=lessons.append)

    assert (gate(ledger).closed_at, gate(ledger).closed_until) == (NOW, NOW + 9)
    assert lessons == []
    assert not reserve(ledger, now=NOW + 8).granted
    second = reserve(ledger, now=NOW + 9)
    assert second.probe
    prove(ledger, second, NOW + 10)
    close(ledger, NOW + 20, now=NOW + 11)
    assert gate(ledger).closed_at == NOW + 11


def test_an_answer_to_the_first_one_does_not_open_a_gate_that_was_closed_again(
    ledger: Ledger,
) -> None:
    """A refusal that was on its way counts, whatever else was answered in the meantime."""
    close(ledger, NOW + 5)
    first = reserve(ledger, now=NOW + 5)
    close(ledger, NOW + 30, now=NOW + 6)

    prove(ledger, first, NOW + 7)

    assert not reserve(ledger, now=NOW + 7).granted
    assert reserve(ledger, now=NOW + 30).probe


def test_a_lesson_is_told_what_was_served_and_since_when(ledger: Ledger) -> None:
    """Refusals are not served ones; what passed before an opening is another phase."""
    phases: list[Phase] = []

    def learn(phase: Phase) -> tuple[float, float]:
        phases.append(phase)
        return 0.25, 2.0

    turns = [reserve(ledger, now=NOW + n / 10, interval=0.0, tolerance=0.0) for n in range(8)]
    for turn in turns[6:]:
        close(ledger, NOW + 3, now=NOW + 1, refused=turn, lesson=learn)

    assert [(phase.passed, phase.begins) for phase in phases] == [(7, True), (6, False)]
    assert [tuple(mark) for mark in phases[0].trail] == [(NOW, 0)]
    found = gate(ledger)
    assert (found.learned_interval, found.learned_window) == (0.25, 2.0)
    assert found.learned_at == NOW + 3

    first = reserve(ledger, now=NOW + 3)
    prove(ledger, first, NOW + 3.5)
    close(ledger, NOW + 9, now=NOW + 4, refused=turns[5], lesson=learn)  # from before the opening
    assert len(phases) == 2
    assert (gate(ledger).passed, [tuple(mark) for mark in gate(ledger).trail]) == (
        1,
        [(NOW + 3, 0)],
    )


def test_an_operator_opens_what_is_closed(ledger: Ledger) -> None:
    """One request goes first, and whatever slowed it down is forgotten."""
    slowed = {"learned_interval": 9.0, "spread_interval": 900.0, "spread_until": NOW + 3600}
    put(ledger, closed_at=NOW - 5, closed_until=NOW + 3600, next_free_at=NOW + 1800, **slowed)
    with ledger.write() as session:
        assert [found.key for found in quotas_closing.closed(session, NOW)] == ["k"]
        assert quotas_closing.open_now(session, ["k", "unknown"]) == 1
    found = gate(ledger)
    assert (found.learned_interval, found.spread_interval, found.spread_until) == (0.0, 0.0, 0.0)
    assert found.next_free_at == 0.0
    first = reserve(ledger)
    assert first.probe
    assert not reserve(ledger).granted
    prove(ledger, first, NOW + 1)
    with ledger.write() as session:
        assert quotas_closing.open_now(session, ["k"]) == 0
        assert quotas_closing.closed(session, NOW + 1) == []


@pytest.mark.parametrize(
    ("closed_for", "open_for", "same"),
    [
        (5.0, 4.0, True),
        (5.0, 6.0, False),
        (5.0, 660.0, False),
        (600.0, 500.0, True),
        (600.0, 601.0, False),
        (7200.0, 890.0, True),
        (7200.0, 910.0, False),
    ],
)
def test_a_closing_long_after_another_is_the_first_again(
    ledger: Ledger, closed_for: float, open_for: float, *, same: bool
) -> None:
    """Nobody asked for longer than it had been closed: nothing is known of what went on."""
    close(ledger, NOW + closed_for)
    again = NOW + closed_for + open_for
    close(ledger, again + 60, now=again)
    assert gate(ledger).closed_at == (NOW if same else again)
