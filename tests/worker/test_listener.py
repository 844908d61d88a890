"""What a worker's start makes at the broker: nothing but what bells need."""

from worker.listener import DELAYS, BellConsumer


def test_only_the_delays_are_left_out() -> None:
    """Celery renames the step, or adds others: this says so before a broker is full of queues."""
    celerys = BellConsumer.__mro__[1].Blueprint.default_steps

    assert DELAYS in celerys
    assert list(BellConsumer.Blueprint.default_steps) == [one for one in celerys if one != DELAYS]
