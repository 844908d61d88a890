"""Bells on a real Redis: under one prefix, bounded, and soon forgotten by a worker that died."""

from collections.abc import Callable, Iterator

import pytest
import redis
from celery import Celery

from tests.services import brokers
from worker import broker, redis_bells
from worker.bells import Bells

pytestmark = pytest.mark.services


@pytest.fixture
def make(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Celery]]:
    """Makes applications on one database."""
    with brokers.applications(tmp_path_factory.mktemp("redis"), "redis") as made:
        yield made


@pytest.fixture
def app(make: Callable[[], Celery]) -> Celery:
    """One of them."""
    return make()


@pytest.fixture
def server(app: Celery) -> Iterator[redis.Redis]:
    """What Redis holds."""
    with redis.Redis.from_url(app.conf.broker_url) as client:
        yield client


def test_a_list_that_nobody_hears_stays_small(
    app: Celery, server: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No worker for a week: the newest bells stay, and Redis is not filled."""
    monkeypatch.setattr(redis_bells, "MOST_BELLS", 5)
    bells = Bells(app, deadline=10.0)
    assert all(bells.ring("sync", "urgent") for _ in range(30))
    assert bells.ring("push", "default")
    bells.close()

    assert server.llen("waggle:urgent") == 5
    assert server.llen("waggle:default") == 1


def test_a_bell_comes_out_as_it_went_in(app: Celery) -> None:
    """The oldest first, from its own queue, and a list cut short is whole."""
    bells = Bells(app, deadline=10.0)
    for task in ("sync", "sweep", "sync"):
        bells.ring(task, "urgent")
    bells.close()

    heard = []
    with app.connection_for_write() as connection:
        queue = app.amqp.queues["urgent"](connection.channel())
        while (message := queue.get()) is not None:
            heard.append(message.headers["task"])
            message.ack()
    assert heard == ["waggle.sync", "waggle.sweep", "waggle.sync"]


def test_whatever_is_written_has_our_name_in_front(app: Celery, server: redis.Redis) -> None:
    """A Redis may be shared: no key is anybody else's."""
    bells = Bells(app, deadline=10.0)
    bells.ring("sync", "urgent")
    bells.close()
    with app.connection_for_write() as connection:
        app.amqp.queues["urgent"](connection.channel()).get()

    keys = {key.decode() for key in server.scan_iter()} - {"waggle-black-box"}
    assert keys
    assert {key for key in keys if not key.startswith(broker.KEY_PREFIX)} == set()
