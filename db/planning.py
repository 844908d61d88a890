"""How a PostgreSQL server plans what is asked again and again.

By itself it plans for the values of each ask, some times over each connection, and after that as
often as it guesses to be quicker. It guesses wrong: of a dozen conditions of a claim one is met,
and to plan for them takes ten times as long as to ask. So what is named once (`db.once`) is planned
once for whatever is given, on each connection. What depends on its values is named as such: of how
many rows they tell, only they say. And all that is made for one ask is planned for its values.
"""

from typing import Any

from sqlalchemy import Connection, Engine, event

from db import wire

ONCE, ANEW, UNKNOWN = "force_generic_plan", "auto", ""
MODE = "waggle_plan_cache_mode"  # of a connection, as far as it is known


def listen(engine: Engine) -> None:
    """Keep the connections of this engine to the mode of what is asked."""

    @event.listens_for(engine, "connect")
    def begin(_connection: Any, entry: Any) -> None:  # noqa: ANN401 -- the driver's, and the pool's
        entry.info[MODE] = ANEW

    @event.listens_for(engine, "before_execute")
    def made(connection: Connection, *_: Any) -> None:
        change(connection, ANEW)

    @event.listens_for(engine, "rollback")
    def undone(connection: Connection) -> None:
        if not connection.invalidated:
            connection.info[MODE] = UNKNOWN  # what was set in the transaction is not


def change(connection: Connection, mode: str) -> None:
    """What follows on this connection is planned so; SQLite knows no modes."""
    known = connection.info.get(MODE)
    if known is not None and known != mode:
        wire.say(connection, f"SET plan_cache_mode = {mode}")
        connection.info[MODE] = mode
