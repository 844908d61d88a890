"""The process that asks Apprise: watched, bounded, and silent about what it was given."""

import os
import threading
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
