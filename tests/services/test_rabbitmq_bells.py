"""Bells on a real RabbitMQ: replicated queues of a bounded length, and a word about wrong ones."""

from collections.abc import Callable, Iterator

import pytest
from amqp.exceptions import PreconditionFailed
from celery import Celery
from kombu import Queue

from tests.services import brokers
from worker import broker
from worker.bells import Bells

pytestmark = pytest.mark.services


@pytest.fixture
def make(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Celery]]:
    """Makes applications on one virtual host."""
    with brokers.applications(tmp_path_factory.mktemp("rabbitmq"), "rabbitmq") as made:
        yield made


@pytest.fixture
def app(make: Callable[[], Celery]) -> Iterator[Celery]:
    """One of them; its queues are gone afterwards."""
    made = make()
    yield made
    with made.connection_for_write() as connection:
        for lane in broker.LANES:
            connection.channel().queue_delete(f"waggle.{lane}")


def length(app: Celery, lane: str) -> int:
    """How many bells wait."""
    with app.connection_for_write() as connection:
        found = connection.channel().queue_declare(f"waggle.{lane}", passive=True)
        return int(found.message_count)


def test_a_bell_is_kept_by_a_quorum_queue(app: Celery) -> None:
    """It is confirmed, it is there, and the queue is of the kind that it is said to be."""
    bells = Bells(app, deadline=10.0)
    assert bells.ring("sync", "urgent")
    bells.close()

    assert length(app, "urgent") == 1
    arguments = dict(app.amqp.queues["urgent"].queue_arguments)
    del arguments["x-queue-type"]
    with app.connection_for_write() as connection, pytest.raises(PreconditionFailed) as refused:
        Queue("waggle.urgent", queue_arguments=arguments)(connection.channel()).queue_declare()
    assert "'quorum'" in str(refused.value)


def test_a_queue_that_nobody_hears_stays_small(
    make: Callable[[], Celery], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No worker for a week: the newest bells stay, and the disk is not filled."""
    monkeypatch.setattr(broker, "MOST_BELLS", 5)
    app = make()
    broker.check(app, ["bulk"])
    bells = Bells(app, deadline=10.0)
    rung = [bells.ring("sync", "bulk") for _ in range(30)]
    bells.close()

    try:
        assert all(rung)
        assert length(app, "bulk") == 5
    finally:
        with app.connection_for_write() as connection:
            connection.channel().queue_delete("waggle.bulk")


def test_a_queue_of_another_kind_is_named(app: Celery) -> None:
    """Somebody made a classic queue of that name: the start says which, and what to do."""
    with app.connection_for_write() as connection:
        Queue("waggle.default", durable=True)(connection.channel()).queue_declare()

    with pytest.raises(broker.QueueError) as refused:
        broker.check(app, broker.LANES)

    said = str(refused.value)
    assert "'waggle.default'" in said
    assert "rabbitmqctl delete_queue waggle.default" in said


def test_queues_of_an_earlier_version_are_in_nobodys_way(app: Celery) -> None:
    """Classic queues had the names of the lanes alone, and hear nothing any more."""
    with app.connection_for_write() as connection:
        channel = connection.channel()
        Queue("urgent", durable=True)(channel).queue_declare()
        try:
            broker.check(app, broker.LANES)
            bells = Bells(app, deadline=10.0)
            assert bells.ring("sync", "urgent")
            bells.close()
            assert channel.queue_declare("urgent", passive=True).message_count == 0
        finally:
            channel.queue_delete("urgent")
    assert length(app, "urgent") == 1


def test_a_broker_that_is_away_is_no_reason_to_stop(tmp_path: object) -> None:
    """Celery waits for it: the check says nothing of queues that nobody can see."""
    app = Celery("away", broker="amqp://guest:guest@127.0.0.1:1//")
    app.conf.task_queues = broker.queues("amqp://x")
    broker.check(app, broker.LANES)
