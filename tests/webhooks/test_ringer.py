"""Bells: rung beside the answers, never before them, and not more than are needed."""

from webhooks.metrics import Metrics
from webhooks.ringer import Ringer


def test_a_frozen_broker_delays_no_answer(serving, until):
    """While a bell hangs, callbacks are stored and answered as ever."""
    serving.bell.let.clear()
    serving.autofetch()
    until(lambda: len(serving.bell.rung) == 1)

    answers = [serving.autofetch(slug=f"goal{at}").json() for at in range(5)]

    assert answers == [{"status": "late"}] * 5
    assert len(serving.events()) == 6
    assert len(serving.bell.rung) == 1


def test_bells_that_wait_are_one(bell, until):
    """However often a bell is wanted while another one hangs, it rings once after it."""
    ringer = Ringer(bell.ring, Metrics())
    bell.let.clear()
    ringer.want([("sync", "urgent")])
    until(lambda: len(bell.rung) == 1)
    for _ in range(100):
        ringer.want([("sync", "urgent"), ("deauthorize", "default")])
    bell.let.set()
    until(lambda: len(bell.rung) == 3)
    done = []
    ringer.thread.do(lambda: done.append(True))
    until(lambda: done)
    ringer.stop()

    assert bell.rung == [("sync", "urgent"), ("sync", "urgent"), ("deauthorize", "default")]


def test_a_bell_wanted_while_it_rings_rings_again(bell, until):
    """Whoever heard the first may have looked too early for what came since."""
    ringer = Ringer(bell.ring, Metrics())
    bell.let.clear()
    ringer.want([("sync", "urgent")])
    until(lambda: len(bell.rung) == 1)
    ringer.want([("sync", "urgent")])
    bell.let.set()
    until(lambda: len(bell.rung) == 2)
    ringer.stop()


def test_a_lost_bell_is_counted_and_changes_no_answer(serving, until):
    """An unreachable broker is a figure for the operator, not an error for the caller."""
    serving.bell.reached = False

    assert serving.autofetch().json() == {"status": "late"}
    until(lambda: 'waggle_bells_total{outcome="failed"} 1.0' in serving.client.get("/metrics").text)
