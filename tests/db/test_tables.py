"""No table is forgotten by whoever needs all of them."""

import subprocess
import sys

from db import tables

ASKED = "from db.tables import METADATA; print(*sorted(METADATA.tables))"


def test_all_tables_are_known_where_nothing_else_was_imported() -> None:
    """A process that has imported nothing but this knows the tables of every file of models."""
    done = subprocess.run(
        [sys.executable, "-c", ASKED], capture_output=True, text=True, timeout=60, check=True
    )
    known = set(done.stdout.split())
    assert known == set(tables.METADATA.tables)
    assert {"user", "quota", "sighted", "errand", "datapoint", "run"} <= known  # one of each file
