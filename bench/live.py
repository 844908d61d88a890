"""`python -m bench.live`: what it costs to follow runs, beside a thread for each stream.

Both follow the same simulated RIME, one after the other: so many streams with one message a second
each. Measured are the memory of a stream over the idle process (resident, /proc), processor time
over a while, and how old a message is when it can be read in the database.
"""

import argparse
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import processes, report
from bench.live_vendor import CONNECTOR, KEY, PROJECT, run_id
from bench.live_watching import Missed, count, lags, processor, resident, wait

HERE = Path(__file__).parents[1]
WAGGLE = Path(sys.executable).parent / "waggle"
SETTLES = 10.0  # seconds after the last stream has opened
WORKERS = 2

FEWEST = 250

KILOBYTES, CORE, LAG = 40.0, 0.30, 2.0  # what is promised


@dataclass(frozen=True, slots=True)
class Cost:
    """What one side took: kilobytes for each stream, share of a core, seconds of lag.

    `seen`: changes of a run in the database, each second. One message a second makes nearly one.
    """

    side: str
    streams: int
    opened_after: float
    kilobytes: float
    core: float
    lag_median: float
    lag_p99: float
    seen: float

    @property
    def holds(self) -> bool:
        """Does it keep what is promised of Waggle?"""
        return self.kilobytes <= KILOBYTES and self.core <= CORE and self.lag_p99 <= LAG


def main() -> int:
    """Measure both; exit status 1 when Waggle breaks a promise."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--streams", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=30.0, help="how long is measured")
    parser.add_argument("--sides", nargs="+", default=["waggle", "threads"])
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    print(report.machine())
    costs = [_held(side, given.streams, given.seconds) for side in given.sides]
    fewer = {cost.streams for cost in costs} - {given.streams}
    if "waggle" in given.sides:  # beside what the other one held, too
        costs += [_measured("waggle", streams, given.seconds) for streams in sorted(fewer)]
    print(_table(costs))
    if given.json is not None:
        given.json.write_text(json.dumps([asdict(cost) for cost in costs], indent=2) + "\n")
    return 0 if all(cost.holds for cost in costs if cost.side == "waggle") else 1


def _held(side: str, streams: int, seconds: float) -> Cost:
    """So many streams, or of a side that does not hold them the most that it does."""
    try:
        return _measured(side, streams, seconds)
    except Missed as missed:
        if side == "waggle" or streams < FEWEST:
            raise
        print(f"{side} does not hold {streams} streams: {missed}", flush=True)
    return _held(side, streams // 2, seconds)


def _measured(side: str, streams: int, seconds: float) -> Cost:
    with tempfile.TemporaryDirectory(prefix="waggle-live-") as text, ExitStack() as stack:
        port = processes.free_port()
        stack.enter_context(_vendor(port, streams))
        measure = waggle if side == "waggle" else threads
        return measure(stack, Path(text), port, streams, seconds)


def waggle(stack: ExitStack, folder: Path, port: int, streams: int, seconds: float) -> Cost:
    """One progress worker on the embedded default; the sweeps and the schedule are others'."""
    home = folder / "home"
    environment = processes.environment(
        WAGGLE_HOME=str(home),
        WAGGLE_LOG_LEVEL="warning",
        WAGGLE_BEEMINDER_URL=f"http://127.0.0.1:{port}",
        WAGGLE_PROGRESS_RUNS=str(streams),
    )
    (folder / "waggle.toml").write_text(
        f"""
        [users.alice]
        token = "unused-here"
        [sources.etl]
        provider = "rime"
        user = "alice"
        url = "http://127.0.0.1:{port}/rime/api/v1"
        project = "{PROJECT}"
        api_key = "{KEY}"
        progress_url = "ws://127.0.0.1:{port}/rime/live/{{run}}"
        """
    )
    subprocess.run(
        [WAGGLE, "apply", "waggle.toml"],
        cwd=folder,
        env=environment,
        check=True,
        capture_output=True,
    )
    ledger = home / "waggle.db"
    commands = [(WAGGLE, "progress"), (WAGGLE, "worker"), (WAGGLE, "beat")]
    worker, *_others = stack.enter_context(
        processes.running(commands, folder=folder, environment=environment)
    )
    wait(lambda: count(ledger, "SELECT count(*) FROM worker") == WORKERS, "the workers start")
    time.sleep(SETTLES)
    idle = resident(worker.pid)
    began = time.monotonic()
    _add_runs(ledger, streams)
    # Not only open: each run is read once more then, and its messages wait for that.
    query = "SELECT count(*) FROM run WHERE stream = 'open' AND seen_at > strftime('%s', 'now') - 3"
    wait(lambda: count(ledger, query) == streams, "every stream is open and heard")
    opened = time.monotonic() - began
    return _cost("waggle", ledger, worker.pid, streams, idle, opened, seconds)


def threads(stack: ExitStack, folder: Path, port: int, streams: int, seconds: float) -> Cost:
    """The usual way."""
    ledger = folder / "usual.db"
    url = f"ws://127.0.0.1:{port}/rime/live/{{run}}"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "bench.live_peer"),
            *("--url", url, "--runs", str(streams), "--ledger", str(ledger)),
        ],
        cwd=HERE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    stack.callback(_stop, process)
    _heard(process)
    time.sleep(SETTLES)
    idle = resident(process.pid)
    began = time.monotonic()
    _tell(process, "go\n")
    wait(lambda: count(ledger, "SELECT count(*) FROM run") == streams, "every stream is open")
    return _cost("threads", ledger, process.pid, streams, idle, time.monotonic() - began, seconds)


def _cost(
    side: str, ledger: Path, pid: int, streams: int, idle: int, opened: float, seconds: float
) -> Cost:
    time.sleep(SETTLES)
    used, began = processor(pid), time.monotonic()
    seen = lags(ledger, seconds)
    core = (processor(pid) - used) / (time.monotonic() - began)
    occupied = resident(pid)
    if not seen:
        message = f"{side}: nothing was written in {seconds:g} s"
        raise Missed(message)
    return Cost(
        side=side,
        streams=streams,
        opened_after=opened,
        kilobytes=(occupied - idle) / 1024 / streams,
        core=core,
        lag_median=seen[len(seen) // 2],
        lag_p99=seen[int(0.99 * len(seen))],
        seen=len(seen) / streams / seconds,
    )


def _add_runs(ledger: Path, streams: int) -> None:
    store = sqlite3.connect(ledger, timeout=10.0)
    (source,) = store.execute("SELECT id FROM source").fetchone()
    now = time.time()
    store.executemany(
        "INSERT INTO run (source_id, project, connector, run_id, by_hand, attempt, state, counters,"
        " stream, reconnects, lease_until, epoch, due_at, found_at)"
        " VALUES (?, ?, ?, ?, 0, 1, 'running', '{}', 'none', 0, 0, 0, ?, ?)",
        [(source, PROJECT, CONNECTOR, run_id(number), now, now) for number in range(streams)],
    )
    store.commit()
    store.close()


def _vendor(port: int, streams: int) -> ExitStack:
    stack = ExitStack()
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.live_vendor", "--runs", str(streams), "--port", str(port)],
        cwd=HERE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    stack.callback(_stop, process)
    _heard(process)
    return stack


def _heard(process: "subprocess.Popen[str]") -> None:
    """Wait for the first line of a process: it is there."""
    if process.stdout is None or not process.stdout.readline():
        message = f"{process.args!r} did not start"
        raise Missed(message)


def _tell(process: "subprocess.Popen[str]", line: str) -> None:
    if process.stdin is not None:
        process.stdin.write(line)
        process.stdin.flush()


def _stop(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    try:
        process.wait(10.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _table(costs: list[Cost]) -> str:
    lines = [
        "| | streams | all open after | a stream | of a core | lag, p99 | seen |",
        "|-" * 7 + "|",
    ]
    for cost in costs:
        kept = "" if cost.side != "waggle" or cost.holds else " BREAKS ITS PROMISE"
        lines.append(
            f"| {cost.side} | {cost.streams} | {cost.opened_after:.1f} s | {cost.kilobytes:.1f} KB "
            f"| {cost.core:.0%} | {cost.lag_median:.2f} s, {cost.lag_p99:.2f} s "
            f"| {cost.seen:.0%} |{kept}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
