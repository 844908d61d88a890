"""A RIME whose runs never end, and whose sockets say once a second how far each is.

A run's rows are the milliseconds since `BEGAN`: whoever reads them somewhere knows when the message
left that brought them.
"""

import argparse
import sys
import threading

from simulators.main import RIME_PREFIX, build
from simulators.rime_state import Plan
from simulators.server import LocalServer

PROJECT, CONNECTOR, KEY = "shop", "orders", "bench-rime-key"
BEGAN = 1_790_000_000.0
FOR_EVER = 1e12


def run_id(number: int) -> str:
    """How the runs are called."""
    return f"run_{number:05d}"


def main() -> int:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    simulators = build(world=False)
    state = simulators.rime.state
    state.add_key(KEY)
    state.add_project(PROJECT)
    state.add_connector(PROJECT, CONNECTOR)
    simulators.rime.live.switches.every = 1.0
    for number in range(given.runs):
        state.start_run(
            CONNECTOR,
            id=run_id(number),
            plan=Plan(rows_per_second=1000.0, seconds=FOR_EVER),
        ).started_at = BEGAN
    with LocalServer(simulators.app, port=given.port):
        print(RIME_PREFIX, flush=True)
        threading.Thread(target=sys.stdin.read, daemon=False).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
