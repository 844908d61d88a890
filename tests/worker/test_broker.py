"""Promises of the embedded queue: whole bells, each heard once, and never a full disk."""

import os
import shutil
import threading
import time
from pathlib import Path
from queue import Empty

import pytest
from kombu import Connection, Consumer, Exchange, Producer, Queue

from tasks import housekeeping
from tasks.bells import SLICE_SECONDS
from tasks.slots import HELD_AT_MOST_SECONDS
from worker import broker

DAY = 86400.0


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "queue"


@pytest.fixture
def connect(folder):
    """Makes channels, each on a connection of its own as in another process."""
    options = broker.configuration("filesystem://", folder)
    made = []

    def connect():
        connection = Connection(
            options["broker_url"],
            transport=options["broker_transport"],
            transport_options=options["broker_transport_options"],
        )
        made.append(connection)
        return connection.channel()

    yield connect
    for connection in made:
        connection.release()


def bells(folder):
    """Names of all files of all queues."""
    return sorted(path.name for path in (folder / "bells").iterdir())


def test_a_bell_comes_out_as_it_went_in(connect, folder):
    """What one process puts into a queue another one gets, from that queue only, once."""
    connect()._put("urgent", {"body": "é"})
    reader = connect()

    with pytest.raises(Empty):
        reader._get("default")
    assert reader._get("urgent") == {"body": "é"}
    with pytest.raises(Empty):
        reader._get("urgent")
    assert bells(folder) == []


def test_a_queue_does_not_take_the_bells_of_one_with_a_similar_name(connect):
    """A queue's name is compared whole, not as the end of another one."""
    channel = connect()
    channel._put("my.urgent", {})
    channel._put("xurgent", {})

    assert channel._size("urgent") == 0


def test_nobody_sees_half_a_bell(connect, folder, monkeypatch):
    """While a bell is being written no reader finds it, and a writer that dies leaves no bell."""
    channel, reader = connect(), connect()
    write = type(folder).write_bytes

    def write_half_and_die(path, content):
        write(path, content[: len(content) // 2])
        assert reader._size("urgent") == 0
        with pytest.raises(Empty):
            reader._get("urgent")
        raise KeyboardInterrupt

    monkeypatch.setattr(type(folder), "write_bytes", write_half_and_die)
    with pytest.raises(KeyboardInterrupt):
        channel._put("urgent", {"body": "x" * 1000})

    assert reader._size("urgent") == 0
    # What it left behind is swept up with the stale ones.
    assert housekeeping.purge_bells(folder / "bells", now=time.time() + DAY) == 1
    assert bells(folder) == []


def test_racing_workers_hear_each_bell_once(connect):
    """Eight readers of one queue: nothing is taken twice, nothing is left."""
    for _ in range(10):
        channel = connect()
        for number in range(broker.FULL):
            channel._put("urgent", {"number": number})
        heard = []
        start = threading.Barrier(8)

        def listen(reader, heard=heard, start=start):
            start.wait(5)
            while True:
                try:
                    heard.append(reader._get("urgent")["number"])
                except Empty:
                    return

        threads = [threading.Thread(target=listen, args=(connect(),)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)

        assert sorted(heard) == list(range(broker.FULL))


def test_the_oldest_bell_is_heard_first(connect, monkeypatch):
    """Names sort by the time of ringing, also when the digits of the clock grow in number."""
    channel = connect()
    times = [9_000_000, 99_000_000, 1_000_000_000, 10**15, 10**17]
    for number, at in reversed(list(enumerate(times))):
        monkeypatch.setattr(broker, "monotonic_ns", lambda at=at: at)
        channel._put("urgent", {"number": number})

    heard = [channel._get("urgent")["number"] for _ in times]

    assert heard == [0, 1, 2, 3, 4]


def test_a_queue_that_nobody_hears_stays_small(connect, folder):
    """A schedule that rings with no worker at all: the queue is full, and the disk is not."""
    channel = connect()
    for _ in range(1000):
        channel._put("urgent", {})
    channel._put("default", {})

    assert channel._size("urgent") == broker.FULL
    assert channel._size("default") == 1
    channel._get("urgent")
    channel._put("urgent", {})
    assert channel._size("urgent") == broker.FULL


def test_a_week_without_ears_leaves_few_files(connect, folder):
    """A week of bells on every queue, purged once a minute as a worker does: under 100 files."""
    channel = connect()
    now, most = 1_700_000_000.0, 0
    for minute in range(7 * 24 * 60):
        now += 60
        if minute % 211 == 0 or minute < 15:  # all of the week would only take long
            for queue in ("urgent", "default", "bulk", "progress"):
                for _ in range(30):
                    channel._put(queue, {})
            for path in (folder / "bells").iterdir():
                if path.stat().st_mtime > now:  # just rung, by this machine's clock
                    os.utime(path, (now, now))
            most = max(most, len(bells(folder)))
            housekeeping.purge_bells(folder / "bells", now=now)

    assert most < 100
    housekeeping.purge_bells(folder / "bells", now=now + 601)
    assert bells(folder) == []


def test_a_backlog_of_one_queue_does_not_slow_another(connect, folder):
    """2,000 files of `bulk` (an older version left them) cost a poll of `urgent` milliseconds."""
    channel = connect()
    for number in range(2000):
        (folder / "bells" / f"{number:016d}_x.bulk.msg").write_text("{}")
    channel._put("urgent", {"number": 1})

    began = time.monotonic()
    heard = channel._get("urgent")
    for _ in range(100):
        with pytest.raises(Empty):
            channel._get("urgent")
    took = time.monotonic() - began

    assert heard == {"number": 1}
    assert took < 3  # 0.1 s on a quiet machine


def test_a_folder_that_vanished_is_named(connect, folder):
    """Somebody deletes the home: the error says which folder is missing."""
    channel = connect()
    shutil.rmtree(folder)

    for act in (lambda: channel._put("urgent", {}), lambda: channel._get("urgent")):
        with pytest.raises(FileNotFoundError) as caught:
            act()
        assert str(folder / "bells") in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{half", b"\xff\xfe"])
def test_a_damaged_bell_is_passed_over(connect, folder, content):
    """After a power cut a file may be empty: it is dropped, and the next one is heard."""
    channel = connect()
    (folder / "bells" / f"{1:016d}_x.urgent.msg").write_bytes(content)
    channel._put("urgent", {"number": 1})

    assert channel._get("urgent") == {"number": 1}
    assert bells(folder) == []


def test_declaring_queues_writes_no_file(connect, folder):
    """Bindings are in no file, where a second process could read one that is half-written."""
    channel = connect()
    channel.exchange_declare("lanes", type="direct")
    channel.queue_declare("urgent")
    channel.queue_bind("urgent", "lanes", "urgent")

    assert [path.name for path in folder.rglob("*")] == ["bells"]
    assert channel._lookup("lanes", "urgent") == {"urgent"}


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


class Polls:
    """A consumer of one queue, whose clock a poll moves; `each` is called after each of them."""

    def __init__(self, channel, monkeypatch, each=lambda number: None):
        self.heard, self.lists, self.number, self._each = [], 0, 0, each
        self._channel = channel
        listdir = os.listdir
        monkeypatch.setattr(broker, "monotonic", lambda: self.number * broker.POLL_SECONDS)
        monkeypatch.setattr(broker, "sleep", self._poll)
        monkeypatch.setattr(broker.os, "listdir", lambda path: self._count() or listdir(path))
        queue = Queue("urgent", Exchange("waggle", type="direct"), routing_key="urgent")
        Consumer(channel, [queue], callbacks=[self._hear], no_ack=True).consume()

    def drain(self, polls):
        """Wait for a bell for so many polls."""
        self._channel.connection.client.drain_events(timeout=polls * broker.POLL_SECONDS)

    def _hear(self, body, _message):
        self.heard.append((self.number, body))

    def _poll(self, _seconds):
        self.number += 1
        self._each(self.number)

    def _count(self):
        self.lists += 1


def test_a_folder_that_does_not_change_is_seldom_listed(connect, monkeypatch):
    """A minute without a bell: an eighth of the lists that one for each poll would be, or less."""
    polls = Polls(connect(), monkeypatch)

    with pytest.raises(TimeoutError):
        polls.drain(3000)
    assert polls.number >= 3000
    assert polls.lists < 3000 / 8


def test_a_bell_is_heard_at_the_next_poll(connect, monkeypatch):
    """However long it was quiet before."""
    other = connect()
    polls = Polls(
        connect(),
        monkeypatch,
        lambda number: (
            Producer(other).publish("x", routing_key="urgent") if number == 777 else None
        ),
    )

    polls.drain(3000)
    assert polls.heard == [(777, "x")]


def test_a_bell_that_leaves_the_time_of_its_folder_is_heard(connect, folder, monkeypatch):
    """Two changes within a tick of a coarse clock look like one: it takes half a second at most."""
    other, bells = connect(), folder / "bells"
    at = bells.stat().st_mtime_ns

    def ring(number):
        if number == 777:
            Producer(other).publish("x", routing_key="urgent")
            os.utime(bells, ns=(at, at))

    polls = Polls(connect(), monkeypatch, ring)

    polls.drain(3000)
    [(number, _)] = polls.heard
    assert number <= 777 + broker.LIST_EVERY
