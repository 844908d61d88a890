"""Making a backup while everything runs: one consistent view of all rows.

What is left out can't be of use later: it is named with its reason.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Table, func, select

from db import backup_file, schema, snapshots
from db.backup_file import Manifest
from db.engine import Ledger
from db.metadata import METADATA

LEFT_OUT = {
    "worker": "processes that ran when it was made",
    "login_link": "links that are used once",
    "tally": "what workers counted, which begins anew",
    "errand": "questions of pages, which wait for two minutes at the most",
}
TOGETHER = 500  # rows that are in memory at once

Progress = Callable[[int, int], object]  # (rows that are done, rows there are)


def tables() -> list[Table]:
    """Those that are in a backup, each behind those that it refers to."""
    return [table for table in METADATA.sorted_tables if table.name not in LEFT_OUT]


def write(
    ledger: Ledger,
    path: Path,
    *,
    version: str,
    now: float,
    keys: Mapping[str, str] | None = None,
    progress: Progress = lambda _done, _all: None,
) -> Manifest:
    """Make a backup of this name, with the `keys` in it if they are given.

    `version` is Waggle's, `now` UTC seconds. Raises `BackupError`; then there is no such file.
    """
    with backup_file.writing(path) as file, snapshots.take(ledger) as connection:
        total = sum(
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in tables()
        )
        done = 0

        def counted(table: Table) -> Iterator[dict[str, Any]]:
            nonlocal done
            rows = connection.execution_options(yield_per=TOGETHER).execute(select(table))
            for part in rows.mappings().partitions():
                yield from (dict(row) for row in part)
                done += len(part)
                progress(done, total)

        for table in tables():
            file.table(table.name, counted(table))
        if keys is not None:
            file.keys(keys)
        manifest = Manifest(
            waggle=version,
            schema=schema.HEAD,
            engine="sqlite" if ledger.is_sqlite else "postgresql",
            created_at=datetime.fromtimestamp(now, UTC).isoformat(),
            tables=file.tables,
            left_out=LEFT_OUT,
            keys_sha256=file.keys_sha256,
        )
        file.manifest(manifest)
    return manifest
