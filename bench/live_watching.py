"""What is seen of a process and of its database from outside, while streams are followed."""

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from bench.live_vendor import BEGAN

LOOK = 0.1  # seconds between two looks at the database
OPENS_WITHIN = 180.0


class Missed(Exception):  # noqa: N818 -- says what happened
    """A side did not get so far that it could be measured."""


def lags(ledger: Path, seconds: float) -> list[float]:
    """How old each message was when it was first seen in the database, in order; up to `LOOK` more
    than it was when it was written.
    """
    known: dict[str, float] = {}
    found: list[float] = []
    store = sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)
    ends_at = time.monotonic() + seconds
    first = True
    while time.monotonic() < ends_at:
        rows = store.execute("SELECT run_id, rows FROM run WHERE rows IS NOT NULL").fetchall()
        now = time.time()
        for run, value in rows:
            if known.get(run) != value:
                known[run] = value
                if not first:
                    found.append(now - (BEGAN + value / 1000.0))
        first = False
        time.sleep(LOOK)
    store.close()
    return sorted(found)


def count(ledger: Path, query: str) -> int:
    """What this query counts; 0 before there is a table."""
    if not ledger.exists():
        return 0
    store = sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)
    try:
        return int(store.execute(query).fetchone()[0])
    except sqlite3.OperationalError:  # the table is not there yet
        return 0
    finally:
        store.close()


def wait(true: Callable[[], bool], what: str) -> None:
    """Until this is true; `Missed` where it takes too long."""
    ends_at = time.monotonic() + OPENS_WITHIN
    while not true():
        if time.monotonic() > ends_at:
            message = f"it did not happen in {OPENS_WITHIN:g} s: {what}"
            raise Missed(message)
        time.sleep(0.2)


def resident(pid: int) -> int:
    """Bytes, as /proc has them."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def processor(pid: int) -> float:
    """Seconds of processor time, of all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
