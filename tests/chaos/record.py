"""What a run left behind, read from the ledger, the logs and the files: raw, for the judgement."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, inspect, text

LONGEST_PAUSE = 40.0  # seconds; what killed its worker alone rests for so long


class LedgerRead:
    """The ledger, read beside Waggle with plain SQL. `url` goes to the server itself.

    `ahead`: by how many seconds the clock that its instants are of may be ahead of ours.
    """

    def __init__(self, url: str, *, ahead: Callable[[], float] = lambda: 0.0) -> None:
        self._ahead = ahead
        self._engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))

    def rows(self, statement: str, **values: float) -> list[dict[str, Any]]:
        """All rows of a SELECT with these values."""
        with self._engine.connect() as connection:
            return [dict(row._mapping) for row in connection.execute(text(statement), values)]

    def unfinished(self) -> dict[str, int]:
        """What still has to be done, by kind; nothing once it is quiet."""
        counts = {
            "events": "SELECT count(*) AS n FROM event WHERE state IN ('received', 'working')",
            "datapoints": "SELECT count(*) AS n FROM datapoint WHERE state = 'pending'",
            "doubtful feeds": "SELECT count(*) AS n FROM feed WHERE doubtful",
            "runs": "SELECT count(*) AS n FROM run WHERE finished_at IS NULL",
            # Put back, or woken by the end of a run: by its schedule none is due within the hour.
            "feeds": "SELECT count(*) AS n FROM feed WHERE due_at < :soon",
        }
        soon = time.time() + max(0.0, self._ahead()) + LONGEST_PAUSE
        found = {name: int(self.rows(query, soon=soon)[0]["n"]) for name, query in counts.items()}
        return {name: count for name, count in found.items() if count}

    def everything(self) -> bytes:
        """Each value of each table, as one text."""
        names = inspect(self._engine).get_table_names()
        return "\n".join(
            repr(row)
            for name in names
            for row in self.rows(f'SELECT * FROM "{name}"')  # noqa: S608 -- our own tables
        ).encode()

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()


@dataclass(slots=True)
class Record:
    """What is looked through for secrets and tracebacks: names to bytes."""

    logs: dict[str, bytes] = field(default_factory=dict)
    kept: dict[str, bytes] = field(default_factory=dict)

    def read(self, folder: Path, home: Path) -> None:
        """The logs in `folder`, and every file of the home but its keys."""
        for file in folder.glob("log*"):
            self.logs[file.name] = file.read_bytes()
        for file in home.rglob("*"):
            if file.is_file() and not file.name.endswith((".key", ".secret")):
                self.kept[str(file.relative_to(home))] = file.read_bytes()
