"""One limit for a whole request."""

import socket

import pytest

from clients.deadline import Deadline, all_within


def test_counts_down(clock):
    """What is left is the limit minus what has passed, for every phase alike."""
    deadline = Deadline(10, monotonic=clock)
    clock.now += 4
    assert deadline.left() == 6
    assert deadline.get("pool") == 6
    assert {int(deadline.get(phase).__index__()) for phase in ("connect", "read", "write")} == {6}


def test_sockets_look_at_the_clock_each_time(clock):
    """A socket that is given the deadline before each operation gets what is left then."""
    deadline = Deadline(10, monotonic=clock)
    with socket.socket() as ours:
        ours.settimeout(deadline)
        before = ours.gettimeout()
        clock.now += 7.5
        ours.settimeout(deadline)
        assert (before, ours.gettimeout()) == (10, 3)


def test_over_is_over(clock):
    """When the time is over no operation begins, and nobody waits for the pool."""
    deadline = Deadline(1, monotonic=clock)
    clock.now += 1
    with socket.socket() as ours, pytest.raises(TimeoutError):
        ours.settimeout(deadline)
    assert deadline.get("pool") == 0


def test_several_requests_share_what_is_left_of_all(clock):
    """Each has its own limit, and none outlives the block; after it all is as before."""
    with all_within(15, monotonic=clock):
        assert Deadline(10, monotonic=clock).left() == 10
        clock.now += 9
        assert Deadline(10, monotonic=clock).left() == 6
        clock.now += 9
        assert Deadline(10, monotonic=clock).left() == 0
    assert Deadline(10, monotonic=clock).left() == 10
