"""The demo's RIME: the same story in every world, and runs that go on."""

from simulators import rime_demo
from simulators.rime import Rime


def runs_of(rime):
    rime.state.grow()
    return {
        (run.id, run.status, run.rows)
        for run in rime.state.owner(rime_demo.CONNECTOR).runs.values()
    }


def test_thirty_days_that_go_on(clock):
    """One run for each hour, most of them good; two hours later there are two more."""
    rime, other = Rime(clock=clock), Rime(clock=clock)
    for each in (rime, other):
        rime_demo.fill(each, email="a@example.org", password="pw")
    before = runs_of(rime)
    assert before == runs_of(other)
    assert len(before) in (30 * 24, 30 * 24 + 1)
    states = [status for _, status, _ in before]
    assert states.count("Completed") > 600
    assert {"Completed", "Failed", "Partially failed"} == set(states)
    assert 29 <= len(rime.state.owner(rime_demo.PIPELINE).runs) <= 31
    clock.now += 7200
    assert runs_of(rime) > before
    assert len(runs_of(rime)) == len(before) + 2
