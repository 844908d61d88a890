"""`python -m bench.callbacks`: callbacks stored and answered per second, one receiver process.

Waggle commits each one to disk before it answers (`WAGGLE_HOLD_SECONDS=0`, so it answers at once);
the usual handler calls `.delay()` and keeps nothing. An empty route is the floor. All of them are
called by the same callers, one after the other, in several rounds. No worker runs on either side:
its work would be measured with it.

Examples:
  python -m bench.callbacks
  python -m bench.callbacks --rounds 1 --seconds 3 --callers 100 --json callbacks.json

"""

import argparse
import contextlib
import json
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench import lines, load, places, processes, report
from bench.house import ROOT, STARTS_WITHIN, BenchFailed, House
from bench.lines import Line, Spread
from bench.load import Answered
from bench.places import Place

EMPTY, REDIS, RABBITMQ = "an empty route", ".delay(), Redis", ".delay(), RabbitMQ"
LEAST = {REDIS: 3.0, RABBITMQ: 2.0, EMPTY: 0.2}


@dataclass(slots=True)
class Side:
    """One that is called; `ours` of the two is what is promised something."""

    name: str
    url: str
    ours: bool
    rounds: list[Answered] = field(default_factory=list)

    @property
    def rate(self) -> Spread:
        """Answers per second."""
        return Spread(tuple(found.per_second for found in self.rounds), "/s")

    @property
    def p99(self) -> Spread:
        """Milliseconds."""
        return Spread(tuple(found.p99 for found in self.rounds), "ms")


def main() -> int:
    """Measure, print, and return the exit status: 1 when Waggle breaks a promise."""
    given = _parser().parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like a Ctrl-C, in good order
    print(report.machine())
    try:
        with tempfile.TemporaryDirectory(prefix="waggle-callbacks-") as text, ExitStack() as stack:
            sides = _sides(stack, Path(text))
            for number in range(given.rounds):
                for side in sides:
                    side.rounds.append(_answers(side, given))
                    print(_progress(number + 1, side), flush=True)
    except (BenchFailed, load.LoadFailed) as error:
        print(f"not measured: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130  # as a shell says it
    found = list(_lines(sides))
    print(f"\n{lines.table(found)}")
    if given.json is not None:
        rounds = {"callers": given.callers, "seconds": given.seconds, "users": given.users}
        given.json.write_text(json.dumps(lines.document(found, **rounds), indent=2) + "\n")
    return 0 if all(line.holds for line in found) else 1


def _sides(stack: ExitStack, folder: Path) -> list[Side]:
    """All that this machine has servers for, at work until the stack ends."""
    sides = [Side("waggle, SQLite", _receiver(stack, folder / "embedded", "embedded"), ours=True)]
    brokers = {REDIS: lambda: places.redis(folder / "redis"), RABBITMQ: _rabbitmq}
    for name, broker in brokers.items():
        with _or_said(name):
            at = _peer(stack, folder / name.split()[-1], stack.enter_context(broker()))
            sides.append(Side(name, f"{at}/callback", ours=False))
    with _or_said("waggle, PostgreSQL"):
        url = _receiver(stack, folder / "servers", "servers")
        sides.append(Side("waggle, PostgreSQL", url, ours=True))
    at = _peer(stack, folder / "empty", {"broker_url": "memory://"})
    return [*sides, Side(EMPTY, f"{at}/empty", ours=False)]


def _receiver(stack: ExitStack, folder: Path, name: str) -> str:
    folder.mkdir()
    place: Place = stack.enter_context(places.PLACES[name](folder))
    house = House(folder / "waggle", place, WAGGLE_HOLD_SECONDS="0")
    house.run("migrate")
    stack.enter_context(
        processes.running(
            [house.command("web")], folder=house.folder, environment=house.environment
        )
    )
    house.wait()
    return house.callback_url


def _peer(stack: ExitStack, folder: Path, celery: dict[str, object]) -> str:
    folder.mkdir(exist_ok=True)
    port = processes.free_port()
    settings = {"celery": celery, "rate_limit": None}
    environment = processes.environment(PYTHONPATH=str(ROOT), PEER_SETTINGS=json.dumps(settings))
    words = [sys.executable, "-m", "bench.peer_web", "--port", str(port)]
    stack.enter_context(processes.running([words], folder=folder, environment=environment))
    try:
        processes.wait_for_port(port, STARTS_WITHIN)
    except TimeoutError:
        raise BenchFailed(f"the peer did not start:\n{processes.tail(folder)}") from None
    return f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def _rabbitmq() -> Iterator[dict[str, object]]:
    with places.vhost() as name:
        yield {"broker_url": places.amqp(name)}


@contextlib.contextmanager
def _or_said(name: str) -> Iterator[None]:
    try:
        yield
    except places.Missing as error:
        print(f"{name} is left out: {error}")


def _answers(side: Side, given: argparse.Namespace) -> Answered:
    found = load.run(side.url, callers=given.callers, seconds=given.seconds, users=given.users)
    if set(found.statuses) != {"503" if side.ours else "200"}:
        raise BenchFailed(f"{side.name} answers {found.statuses}")
    return found


def _lines(sides: list[Side]) -> Iterator[Line]:
    """Every promise that can be judged."""
    peers: Callable[[str], bool] = lambda name: name != EMPTY  # noqa: E731
    for ours in (side for side in sides if side.ours):
        for theirs in (side for side in sides if not side.ours):
            yield Line(
                what=f"{ours.name}: callbacks per second",
                ours=ours.rate,
                beside=theirs.name,
                theirs=theirs.rate,
                least=LEAST[theirs.name],
            )
        for theirs in (side for side in sides if not side.ours and peers(side.name)):
            yield Line(
                what=f"{ours.name}: p99 of an answer",
                ours=ours.p99,
                beside=theirs.name,
                theirs=theirs.p99,
                most=1.0,
            )


def _progress(number: int, side: Side) -> str:
    found = side.rounds[-1]
    return (
        f"round {number}  {side.name:22} {found.per_second:8,.0f}/s   p50 {found.median:7.1f} ms   "
        f"p99 {found.p99:7.1f} ms   the callers took {found.core:.0%} of a core"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.callbacks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--callers", type=int, default=200, help="connections")
    parser.add_argument("--users", type=int, default=50, help="different names that are called")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
