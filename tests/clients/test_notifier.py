"""The process that asks Apprise: watched, bounded, and silent about what it was given."""

import contextlib
import gzip
import os
import resource
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from clients import notifier, notifier_child
from clients.notifier import Guard, Letter
from tests.tasks.listening import listening

OPEN = Guard(private=True, loopback=True)


def by_key(found):
    """Outcomes by what they are of."""
    return {one.key: one for one in found}


def test_addresses_are_understood_without_a_call():
    """Services by name, in whatever form they come; what is none is said, and nothing is sent."""
    with listening() as listener:
        found = by_key(
            notifier.examine(
                [
                    Letter("json", listener.url("x")),
                    Letter("slack", "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkd"),
                    Letter("none", "nothing://x"),
                    Letter("file", "file:///etc/passwd"),
                ],
                guard=OPEN,
                seconds=20,
            )
        )
        assert listener.came == []
    assert (found["json"].ok, found["json"].service) == (True, "JSON")
    assert (found["none"].ok, found["none"].final) == (False, True)
    assert (found["file"].ok, found["file"].final) == (False, True)


def test_files_and_programs_are_out_of_reach_where_private_addresses_are_not():
    """Who may call a router may still not read this machine's files."""
    address = "fcm://project@apikey/device?keyfile=/etc/passwd"
    (found,) = notifier.examine([Letter("x", address)], guard=OPEN, seconds=20)
    (sent,) = notifier.send([Letter("x", address, "t", "b")], guard=OPEN, seconds=20)
    assert found.final or sent.final
    assert not sent.ok


def test_our_environment_stays_with_us(monkeypatch):
    """No setting of ours is in that process, so none can come out of it."""
    monkeypatch.setenv("WAGGLE_SECRET_KEYS", "canary")
    monkeypatch.setenv("DATABASE_URL", "canary")
    with notifier._child(proxies=True) as process:
        assert b"canary" not in Path(f"/proc/{process.pid}/environ").read_bytes()
        pid = process.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_it_ends_soon_when_its_worker_stops():
    """What was not answered by then is a doubt, not a failure."""
    stopping = threading.Event()
    with listening() as listener:
        listener.hangs.add("x")
        stopping.set()
        (found,) = notifier.send(
            [Letter("x", listener.url("x"), "t", "b")],
            guard=OPEN,
            seconds=60,
            stopping=stopping.is_set,
        )
    assert not found.ok
    assert found.doubtful


@pytest.mark.parametrize(
    "url",
    [
        "json://user:canary-password@host.test/canary-path?+X=canary-header",
        "tgram://123456789:canary-token/canary-chat",
        "slack://canary-one/canary-two/canary-three/#canary-room",
        "mailto://me:canary%40word@mail.test?to=canary-box@b.test",
    ],
)
def test_no_part_of_an_address_is_in_a_reason(url):
    """Whatever Apprise quotes of it, whole or in parts, as it was written or decoded."""
    quoted = f"failed at {url}: canary-path canary-token canary-two canary@word 123456789"
    assert "canary" not in notifier_child._clean(
        quoted, f"{url}/canary-path/canary-token/canary-two?p=canary%40word"
    )


class Bomb(BaseHTTPRequestHandler):
    """A service whose answers stand for two gigabytes."""

    packed = gzip.compress(bytes(64 * 1024 * 1024), compresslevel=1) * 32

    def do_POST(self):
        """Take the message, and answer with all of it."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(self.packed)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # who has enough of it hangs up
            self.wfile.write(self.packed)

    def log_message(self, *_args):
        """Nobody listens."""


def test_an_answer_that_is_a_bomb_takes_no_more_than_its_share():
    """The process may have so much memory; the other letter of the job is told all the same."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Bomb) as server, listening() as listener:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            letters = [
                Letter("bomb", f"json://127.0.0.1:{server.server_port}/", "t", "b"),
                Letter("other", listener.url("x"), "t", "b"),
            ]
            found = by_key(notifier.send(letters, guard=OPEN, seconds=20))
        finally:
            server.shutdown()
            thread.join()
    assert found["other"].ok
    assert not found["bomb"].ok
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    assert most < notifier_child.MOST_MEMORY * 1.3
