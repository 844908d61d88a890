"""Promises of the embedded queue: whole bells, each heard once and at once, and no full disk."""

import json
import os
import shutil
import threading
import time
from queue import Empty

import pytest
from kombu import Connection, Consumer, Exchange, Queue

from tasks import housekeeping
from worker import broker, file_bells

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
        for number in range(file_bells.FULL):
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

        assert sorted(heard) == list(range(file_bells.FULL))


def test_the_oldest_bell_is_heard_first(connect, monkeypatch):
    """Names sort by the time of ringing, also when the digits of the clock grow in number."""
    channel = connect()
    times = [9_000_000, 99_000_000, 1_000_000_000, 10**15, 10**17]
    for number, at in reversed(list(enumerate(times))):
        monkeypatch.setattr(file_bells, "monotonic_ns", lambda at=at: at)
        channel._put("urgent", {"number": number})

    heard = [channel._get("urgent")["number"] for _ in times]

    assert heard == [0, 1, 2, 3, 4]


def test_a_queue_that_nobody_hears_stays_small(connect, folder):
    """A schedule that rings with no worker at all: the queue is full, and the disk is not."""
    channel = connect()
    for _ in range(1000):
        channel._put("urgent", {})
    channel._put("default", {})

    assert channel._size("urgent") == file_bells.FULL
    assert channel._size("default") == 1
    channel._get("urgent")
    channel._put("urgent", {})
    assert channel._size("urgent") == file_bells.FULL


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


class Ears:
    """A consumer of one queue whose clock only waits move; `rings` says what is rung when.

    `kernel`: does it tell of renames ("tells"), only whoever looks first ("late"), or nobody
    ("silent"), or is there none ("absent")?
    """

    def __init__(self, channel, monkeypatch, kernel, rings=(), *, hands=0):
        self.now, self.looks, self.heard = 0.0, 0, []
        self._channel, self._kernel = channel, kernel
        self._rings, self._told = sorted(rings), False
        listdir = os.listdir
        monkeypatch.setattr(file_bells, "monotonic", lambda: self.now)
        monkeypatch.setattr(file_bells, "sleep", self._sleep)
        monkeypatch.setattr(file_bells, "Renames", self._renames)
        monkeypatch.setattr(file_bells.os, "listdir", lambda path: self._look() or listdir(path))
        queue = Queue("urgent", Exchange("waggle", type="direct"), routing_key="urgent")
        consumer = Consumer(channel, [queue], callbacks=[self._hear], no_ack=not hands)
        consumer.qos(prefetch_count=hands)
        consumer.consume()

    def drain(self, seconds):
        """Wait for a bell for so many seconds."""
        self._channel.connection.client.drain_events(timeout=seconds)

    def close(self):
        """As the consumer closes what tells it of renames."""

    def wait(self, seconds):
        """As `Renames.wait`: where the kernel tells, the time ends with the next bell."""
        ends_at = self.now + seconds
        while not self._told and self._rings and self._rings[0] <= ends_at:
            self._until(max(self.now, self._rings[0]))
        if self._told and (self._kernel == "tells" or (self._kernel == "late" and seconds == 0)):
            self._told = False
            return True
        self._until(max(self.now, ends_at))
        return False

    def _renames(self, folder):
        if self._kernel == "absent":
            raise OSError(folder)
        return self

    def _sleep(self, seconds):
        self._until(self.now + seconds)

    def _until(self, now):
        self.now = now
        while self._rings and self._rings[0] <= now:
            self._channel._put("urgent", letter(self._rings.pop(0)))
            self._told = True

    def _hear(self, body, message):
        self.heard.append((round(self.now, 3), body))
        self.message = message

    def _look(self):
        self.looks += 1


def letter(body):
    """A message as a producer of kombu's would write it."""
    return {
        "body": json.dumps(body),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {},
        "properties": {
            "delivery_tag": str(body),
            "delivery_info": {"exchange": "waggle", "routing_key": "urgent"},
        },
    }


def test_a_quiet_folder_is_seldom_looked_at(connect, monkeypatch):
    """A minute without a bell, where renames are told: two looks a second, and no more."""
    ears = Ears(connect(), monkeypatch, "tells")

    with pytest.raises(TimeoutError):
        ears.drain(60)
    assert ears.now >= 60
    assert ears.looks <= 60 / file_bells.LOOK_EVERY + 2


def test_a_bell_is_heard_when_it_is_told(connect, monkeypatch):
    """However long it was quiet before: at the next poll, if it were polled."""
    ears = Ears(connect(), monkeypatch, "tells", rings=[7.77])

    ears.drain(60)
    [(at, _)] = ears.heard
    assert 7.77 <= at <= 7.77 + broker.POLL_SECONDS


def test_a_bell_is_heard_at_the_next_poll_where_nobody_tells(connect, monkeypatch):
    """Other systems have no inotify, and Linux has so many of them for a user, and no more."""
    ears = Ears(connect(), monkeypatch, "absent", rings=[7.77])

    ears.drain(60)
    [(at, _)] = ears.heard
    assert 7.77 <= at <= 7.77 + broker.POLL_SECONDS


def test_a_disk_that_does_not_tell_is_polled(connect, monkeypatch):
    """The first bell is half a second late at most, and no other one is."""
    ears = Ears(connect(), monkeypatch, "silent", rings=[7.77, 9.7])

    ears.drain(60)
    ears.drain(60)
    (first, _), (second, _) = ears.heard
    assert first <= 7.77 + file_bells.LOOK_EVERY
    assert second <= 9.7 + broker.POLL_SECONDS + 0.001


def test_a_look_that_comes_before_the_word_doubts_nobody(connect, monkeypatch):
    """A bell at the very end of a wait is found by a look: if its word is there, it is told."""
    ears = Ears(connect(), monkeypatch, "late", rings=[7.5])
    ears.drain(60)
    assert ears.heard

    before = ears.looks
    with pytest.raises(TimeoutError):
        ears.drain(60)
    assert ears.looks - before <= 60 / file_bells.LOOK_EVERY + 2


def test_a_storm_of_bells_for_others_is_no_storm_of_looks(connect, monkeypatch):
    """Renames every millisecond: not many more looks than polling would have made."""
    channel = connect()
    ears = Ears(channel, monkeypatch, "tells")
    monkeypatch.setattr(ears, "wait", lambda _seconds: ears._until(ears.now + 0.001) or True)

    with pytest.raises(TimeoutError):
        ears.drain(10)
    assert ears.looks <= 2.5 * 10 / broker.POLL_SECONDS


def test_a_bell_that_nobody_has_hands_for_gives_celery_its_turn(connect, monkeypatch):
    """Only between two waits Celery says what is done: a wait of seconds would hold it up."""
    ears = Ears(connect(), monkeypatch, "tells", rings=[1, 1], hands=1)

    ears.drain(60)
    for _ in range(3):
        before = ears.now
        with pytest.raises(TimeoutError):
            ears.drain(60)
        assert before < ears.now <= before + broker.POLL_SECONDS + 0.001
    ears.message.ack()
    ears.drain(60)
    assert len(ears.heard) == 2


def test_the_kernel_tells_of_a_bell(connect, monkeypatch):
    """The real one, and no look that would find it later: somebody else's bell is heard."""
    monkeypatch.setattr(file_bells, "LOOK_EVERY", 60.0)
    other, channel = connect(), connect()
    heard = []
    queue = Queue("urgent", Exchange("waggle", type="direct"), routing_key="urgent")
    Consumer(
        channel, [queue], callbacks=[lambda body, _: heard.append(body)], no_ack=True
    ).consume()
    ringing = threading.Timer(0.05, other._put, ("urgent", letter("x")))
    ringing.start()

    channel.connection.client.drain_events(timeout=30)
    ringing.join(10)
    assert heard == ["x"]


def test_who_listens_no_more_keeps_no_file_open(connect):
    """A broker that comes and goes all day leaves no descriptor behind."""
    channel = connect()
    queue = Queue("urgent", Exchange("waggle", type="direct"), routing_key="urgent")
    Consumer(channel, [queue]).consume()
    with pytest.raises(TimeoutError):
        channel.connection.client.drain_events(timeout=0.001)
    transport = channel.connection
    renames = transport._renames
    assert renames is None or renames.close.alive  # where there is no inotify

    transport.client.release()
    assert transport._renames is None
    assert renames is None or not renames.close.alive
