"""Beat is told to end while its broker says nothing."""

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
import redis

from tests.blackbox.house import BIN
from tests.blackbox.link import Link
from tests.blackbox.services import Services

pytestmark = [pytest.mark.blackbox, pytest.mark.services, pytest.mark.timeout(120)]

FIRST = 30.0  # seconds, on a busy machine
ENDS_WITHIN = 8.0


def test_a_signal_ends_beat_that_waits_for_an_answer(tmp_path: Path, services: Services) -> None:
    """In the middle of a read, whose own error could take the place of the end."""
    with (
        Link(services.port("redis")) as link,
        redis.Redis.from_url(services.broker("redis")) as server,
    ):
        beat = subprocess.Popen(
            [BIN / "waggle", "beat"],
            env={
                "PATH": os.environ["PATH"],
                "WAGGLE_HOME": str(tmp_path),
                "BROKER_URL": services.broker("redis", port=link.port),
            },
            stderr=subprocess.PIPE,
        )
        try:
            ends_at = time.monotonic() + FIRST
            while not server.llen("waggle:urgent"):
                assert time.monotonic() < ends_at, "it has rung no bell"
                threading.Event().wait(0.02)
            link.freeze()
            assert link.unheard.wait(FIRST), "it has rung no second one"
            beat.send_signal(signal.SIGTERM)
            _, said = beat.communicate(timeout=ENDS_WITHIN)
        finally:
            beat.kill()
            beat.wait()

    assert beat.returncode == 0
    assert b"Traceback" not in said
