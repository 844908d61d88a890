"""Promises about brokers: nobody waits for one for ever, and nothing piles up there."""

from pathlib import Path

import pytest

from tasks.bells import SLICE_SECONDS
from tasks.slots import HELD_AT_MOST_SECONDS
from worker import broker


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "queue"


def test_the_embedded_queue_is_private(folder):
    """The folders are for their owner alone."""
    options = broker.configuration("filesystem://", folder)

    assert (folder / "bells").stat().st_mode & 0o777 == 0o700
    assert options["broker_transport_options"]["polling_interval"] <= 0.1


@pytest.mark.parametrize("url", ["redis://h/0", "rediss://h/0"])
def test_redis_is_given_up_in_time(folder, url):
    """Redis alone waits for ever by default: connecting and reading both have a limit."""
    options = broker.configuration(url, folder)

    assert options["broker_url"] == url
    assert 0 < options["broker_transport_options"]["socket_connect_timeout"] <= 1
    assert 0 < options["broker_transport_options"]["socket_timeout"] <= 5
    assert 0 < options["broker_transport_options"]["health_check_interval"] <= 30
    assert options["broker_transport_options"]["socket_keepalive"] is True
    assert broker.publishing(url, 0.5)["socket_timeout"] == 0.5
    assert not folder.exists()


@pytest.mark.parametrize("url", ["amqp://u:p@h//", "amqps://h/v"])
def test_rabbitmq_confirms_and_beats(folder, url):
    """A bell counts only when the broker has it, and a consumer notices a dead link."""
    options = broker.configuration(url, folder)

    assert options["broker_url"] == url
    assert options["broker_transport_options"]["confirm_publish"] is True
    assert 0 < options["broker_heartbeat"] <= 30
    assert broker.publishing(url, 0.5) == {"read_timeout": 0.5, "write_timeout": 0.5}
    assert not folder.exists()


def test_a_bell_is_not_heard_again_while_its_task_runs():
    """Redis gives an unacknowledged bell to another worker: not before a lease could have ended."""
    longest = HELD_AT_MOST_SECONDS + SLICE_SECONDS

    visible_again = broker.VISIBLE_AGAIN_SECONDS
    assert longest < visible_again < 3600
    options = broker.configuration("redis://h/0", Path("unused"))["broker_transport_options"]
    assert options["visibility_timeout"] == visible_again


@pytest.mark.parametrize("url", ["amqp://h//", "amqps://h//"])
def test_queues_of_rabbitmq_are_replicated_and_bounded(url):
    """Quorum queues drop the oldest of too many bells, and one that was given out three times."""
    for queue in broker.queues(url):
        assert queue.durable
        assert not queue.auto_delete
        assert queue.queue_arguments == {
            "x-queue-type": "quorum",
            "x-delivery-limit": 3,
            "x-max-length": broker.MOST_BELLS,
            "x-overflow": "drop-head",
        }
