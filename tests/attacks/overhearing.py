"""What servers of ours are told: bells that nobody takes, and all that the database holds."""

import psycopg
from kombu import Connection
from psycopg import sql

from tests.attacks.canaries import Places
from tests.attacks.conftest import Web
from tests.blackbox.house import House
from worker import broker


def look_at_bells(house: House, url: str, places: Places) -> None:
    """Let a receiver ring while no worker is there, and take what it rang."""
    web = Web(house).process
    for slug in ("energy", "parts", "nobody-linked"):
        house.autofetch(slug)
    web.terminate()
    web.wait(15)
    options = {"global_keyprefix": broker.KEY_PREFIX} if url.startswith("redis") else {}
    with Connection(url, transport_options=options) as connection:
        channel = connection.channel()
        for lane in broker.LANES:
            while (
                message := channel.basic_get(broker.name_at(url, lane), no_ack=True)
            ) is not None:
                places.saw("bells", repr((message.body, message.headers, message.properties)))


def look_at_database(url: str, places: Places) -> None:
    """All rows of all tables, as they are shown to whoever may ask."""
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        ).fetchall()
        for (table,) in tables:
            asked = sql.SQL("SELECT each::text FROM {} AS each").format(sql.Identifier(table))
            rows = connection.execute(asked).fetchall()
            places.saw(f"table {table}", "\n".join(row for (row,) in rows))
