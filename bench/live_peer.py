"""The usual way to follow streams: a thread for each, and a table that one of them writes to.

Once a second what changed is written, in one transaction, as Waggle does: the difference is the
thread for each stream. The library adds two of its own, one that reads and one that pings.
"""

import argparse
import json
import sqlite3
import sys
import threading
import time
from pathlib import Path

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from bench.live_vendor import KEY, run_id

STACK = 256 * 1024  # bytes; of the usual eight megabytes little would be touched
# At once: of two thousand that begin together none is open before it has waited too long.
OPENING = 8
OPENS_WITHIN = 60.0  # seconds


def main() -> int:
    """Follow until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--runs", type=int, required=True)
    parser.add_argument("--ledger", type=Path, required=True)
    given = parser.parse_args()
    threading.stack_size(STACK)
    changed: dict[str, float] = {}
    opening = threading.BoundedSemaphore(OPENING)
    threading.Thread(target=_write, args=(given.ledger, changed), daemon=True).start()
    print("idle", flush=True)
    sys.stdin.readline()
    for number in range(given.runs):
        url = given.url.replace("{run}", run_id(number))
        opening.acquire()
        threading.Thread(
            target=_follow, args=(url, run_id(number), changed, opening), daemon=True
        ).start()
    sys.stdin.read()
    return 0


def _follow(
    url: str, run: str, changed: dict[str, float], opening: threading.BoundedSemaphore
) -> None:
    """For ever; whoever waits to open the next stream may once this one has opened."""
    headers, first = {"Authorization": f"Bearer {KEY}"}, True
    while True:
        try:
            with connect(
                url, additional_headers=headers, compression=None, open_timeout=OPENS_WITHIN
            ) as stream:
                if first:
                    opening.release()
                    first = False
                for frame in stream:
                    rows = json.loads(frame).get("data", {}).get("total_rows")
                    if rows is not None:
                        changed[run] = rows
        except (OSError, WebSocketException):
            time.sleep(1.0)


def _write(ledger: Path, changed: dict[str, float]) -> None:
    store = sqlite3.connect(ledger)
    store.execute("PRAGMA journal_mode=WAL")
    store.execute("CREATE TABLE IF NOT EXISTS run (run_id TEXT PRIMARY KEY, rows REAL)")
    store.commit()
    while True:
        time.sleep(1.0)
        some = [(run, changed.pop(run)) for run in list(changed)]
        store.executemany(
            "INSERT INTO run VALUES (?, ?) ON CONFLICT (run_id) DO UPDATE SET rows = excluded.rows",
            some,
        )
        store.commit()


if __name__ == "__main__":
    sys.exit(main())
