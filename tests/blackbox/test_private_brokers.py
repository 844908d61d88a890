"""Where nothing listens on the usual ports, the ring starts brokers of its own."""

from pathlib import Path

import kombu
import pytest

from tests.blackbox import private_brokers

URLS = {"redis": "redis://127.0.0.1:{}/0", "rabbitmq": "amqp://guest:guest@127.0.0.1:{}//"}

pytestmark = [pytest.mark.blackbox, pytest.mark.services]


@pytest.mark.parametrize("kind", ["redis", "rabbitmq"])
def test_a_private_broker_serves_and_leaves_nothing(tmp_path: Path, kind: str) -> None:
    """It takes connections on a port of its own, and is gone afterwards."""
    if private_brokers.program(kind) is None:
        pytest.skip(f"services ring: {kind}-server is not installed")
    with (
        private_brokers.running(kind, tmp_path) as port,
        kombu.Connection(URLS[kind].format(port)) as connection,
    ):
        connection.ensure_connection(max_retries=3, timeout=10)
        assert connection.connected

    assert not private_brokers.listens(port)
