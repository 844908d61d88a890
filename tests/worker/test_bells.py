"""Promises of the doorbell: it never raises, never waits for long, and rings again when it can."""

import base64
import contextlib
import json
import shutil
import socket
import threading
import time

import pytest
from structlog.testing import capture_logs

from tests.blackbox.link import Link
from tests.blackbox.services import Services
from worker import app as celery_app
from worker import settings
from worker.bells import Bells

DEADLINE = 0.4
SLACK = 1.0  # seconds; this machine does other things too


@pytest.fixture
def make_bells(tmp_path):
    """Makes bells for a broker URL; closed at the end."""
    with contextlib.ExitStack() as stack:

        def make(url, **options):
            found = settings.load({"WAGGLE_HOME": str(tmp_path), "BROKER_URL": url}, None)
            bells = Bells(celery_app.make(found), deadline=DEADLINE, **({"pause": 0} | options))
            stack.callback(bells.close)
            return bells

        yield make


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    made = Services(tmp_path_factory.mktemp("services"))
    with contextlib.closing(made):
        yield made


def ring(bells):
    """Was it heard, and how many seconds it took."""
    began = time.monotonic()
    return bells.ring("sync", "urgent"), time.monotonic() - began


def until_heard(bells, *, within=10.0):
    """Ring until a bell is heard."""
    ends_at = time.monotonic() + within
    while not bells.ring("sync", "urgent"):
        assert time.monotonic() < ends_at, "nothing was heard any more"
        time.sleep(0.02)


def messages(folder):
    """The bells that lie in the embedded queue."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("queue/bells/*.msg"))]


def test_a_bell_carries_nothing(make_bells, tmp_path):
    """The message names a task and a queue; no argument, result or time is in it."""
    assert make_bells("filesystem://").ring("sync", "urgent") is True

    (message,) = messages(tmp_path)
    headers, properties = message["headers"], message["properties"]
    args, kwargs, more = json.loads(base64.b64decode(message["body"]))
    assert (headers["task"], properties["delivery_info"]["routing_key"]) == (
        "waggle.sync",
        "urgent",
    )
    assert (args, kwargs) == ([], {})
    assert not any(more.values())
    assert (headers["eta"], headers["argsrepr"], headers["kwargsrepr"]) == (None, "()", "{}")
    assert headers["ignore_result"] is True


def test_no_bell_is_taken_for_another(make_bells, tmp_path):
    """Bells of one task differ in their id, which is the same wherever a message names it."""
    bells = make_bells("filesystem://")
    assert bells.ring("sync", "urgent")
    assert bells.ring("sync", "bulk")

    ids = [
        {
            message["headers"]["id"],
            message["headers"]["root_id"],
            message["properties"]["correlation_id"],
        }
        for message in messages(tmp_path)
    ]
    assert [len(named) for named in ids] == [1, 1]
    assert ids[0] != ids[1]


@pytest.mark.parametrize("scheme", ["redis://", "amqp://guest:guest@"])
def test_a_dead_broker_is_told_quickly(make_bells, scheme):
    """Nobody listens: every ring says False without waiting for the deadline."""
    with socket.socket() as taken:  # bound but not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        bells = make_bells(f"{scheme}127.0.0.1:{taken.getsockname()[1]}/")
        ring(bells)  # imports the client library

        rung = [ring(bells) for _ in range(5)]

        assert [heard for heard, _ in rung] == [False] * 5
        assert max(seconds for _, seconds in rung) < DEADLINE
        assert bells.reachable() is False


@pytest.mark.parametrize("scheme", ["redis://", "amqp://guest:guest@"])
def test_a_frozen_broker_costs_one_deadline(make_bells, scheme):
    """It accepts and says nothing: one bell waits, others of the pause do not even knock."""
    with Link(1) as link:
        link.freeze()
        bells = make_bells(f"{scheme}127.0.0.1:{link.port}/", pause=60)

        first = ring(bells)
        knocks = link.held
        others = [ring(bells) for _ in range(5)]

        assert first[0] is False
        assert first[1] < DEADLINE + SLACK
        assert [heard for heard, _ in others] == [False] * 5
        assert bells.reachable() is False
        assert 1 <= link.held <= knocks + 1  # the stuck one may have tried a second time


@pytest.mark.parametrize("scheme", ["redis://", "amqp://guest:guest@"])
@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"-ERR no\r\n", b"\x00"])
def test_a_broker_that_talks_nonsense_is_no_error_of_ours(make_bells, scheme, answer):
    """Something else listens on the port: False, never an exception."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_say, args=(server, answer), daemon=True).start()
        bells = make_bells(f"{scheme}127.0.0.1:{server.getsockname()[1]}/")

        assert [bells.ring("sync", "urgent") for _ in range(2)] == [False, False]
        assert bells.reachable() is False
        server.shutdown(socket.SHUT_RDWR)


def _say(server, answer):
    with contextlib.suppress(OSError):
        while True:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)


@pytest.mark.parametrize("scheme", ["redis://", "amqp://guest:guest@"])
def test_callers_do_not_queue_behind_a_frozen_broker(make_bells, scheme):
    """Twenty threads ring at once: all of them are done after one deadline."""
    with Link(1) as link:
        link.freeze()
        bells = make_bells(f"{scheme}127.0.0.1:{link.port}/")
        began = time.monotonic()
        threads = [threading.Thread(target=ring, args=(bells,)) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)

        assert time.monotonic() - began < 2 * DEADLINE + SLACK


def test_a_vanished_queue_folder_is_no_error_of_ours(make_bells, tmp_path):
    """Somebody deletes the embedded queue: False, and True again when it is back."""
    bells = make_bells("filesystem://")
    assert bells.ring("sync", "urgent") is True
    shutil.rmtree(tmp_path / "queue")

    assert bells.ring("sync", "urgent") is False

    (tmp_path / "queue" / "bells").mkdir(parents=True)
    assert bells.ring("sync", "urgent") is True
    assert len(messages(tmp_path)) == 1


def test_an_outage_is_told_once(make_bells, tmp_path):
    """However many bells are rung in vain: one line when it begins, and one when it is over."""
    bells = make_bells("filesystem://")
    assert bells.ring("sync", "urgent")
    shutil.rmtree(tmp_path / "queue")

    with capture_logs() as lines:
        assert [bells.ring("sync", "urgent") for _ in range(3)] == [False] * 3
        (tmp_path / "queue" / "bells").mkdir(parents=True)
        assert bells.ring("sync", "urgent")
        assert bells.ring("sync", "urgent")

    assert [line["event"] for line in lines] == ["bell.failed", "bell.heard_again"]


def test_after_closing_nothing_is_rung_and_nothing_raised(make_bells, tmp_path):
    """A process that goes down may still be asked to ring."""
    bells = make_bells("filesystem://")
    bells.close()

    assert bells.ring("sync", "urgent") is False
    assert bells.reachable() is False
    assert messages(tmp_path) == []


@pytest.fixture(params=["redis", "rabbitmq"])
def linked(request, services, make_bells):
    """Bells on a real broker, and the link to it."""
    port = services.port(request.param)
    with Link(port) as link:
        bells = make_bells(services.broker(request.param, port=link.port))
        until_heard(bells)
        yield bells, link


@pytest.mark.services
def test_a_restarted_broker_loses_no_bell(linked):
    """The connection of the last bell is gone: the next bell goes over a new one at once."""
    bells, link = linked
    link.cut()
    link.mend()

    assert bells.ring("sync", "urgent") is True


@pytest.mark.services
def test_a_broker_that_was_down_is_used_again(linked):
    """Down: False. Back: the first ring is heard."""
    bells, link = linked
    link.cut()
    assert bells.ring("sync", "urgent") is False

    link.mend()

    assert bells.ring("sync", "urgent") is True
    assert bells.reachable() is True


@pytest.mark.services
@pytest.mark.parametrize("reset", [True, False])
def test_a_broker_that_was_frozen_is_used_again(linked, reset):
    """Also when nobody ever ends the connection on which a bell still waits for its answer."""
    bells, link = linked
    link.freeze()
    assert bells.ring("sync", "urgent") is False

    link.mend(reset=reset)

    until_heard(bells)


@pytest.mark.services
@pytest.mark.parametrize("kind", ["redis", "rabbitmq"])
def test_after_the_pause_one_knocks_again(services, make_bells, kind):
    """A broker that came back is heard of after the pause, and not before."""
    moment = [1000.0]
    with Link(services.port(kind)) as link:
        link.freeze()
        url = services.broker(kind, port=link.port)
        bells = make_bells(url, pause=5, clock=lambda: moment[0])
        assert bells.ring("sync", "urgent") is False
        link.mend()

        moment[0] += 4.9
        assert bells.ring("sync", "urgent") is False
        moment[0] += 0.2
        until_heard(bells)
