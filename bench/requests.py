"""`python -m bench.requests`: HTTP requests for scheduled syncs whose sources mostly say the same.

Fifty people with a BEMServer and twenty feeds each, all of which are due; before that one value in
twenty has changed. Waggle reads the feeds of a source together and sends what has changed. The
usual way is a task for each: one read, one write, whatever was read. Counted is what arrives at the
simulated servers; logins are not, which are made once.

Examples:
  python -m bench.requests
  python -m bench.requests --people 10 --json requests.json

"""

import argparse
import json
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack, closing
from pathlib import Path

from sqlalchemy import func, select, update
from sqlmodel import col
from starlette.types import ASGIApp, Receive, Scope, Send

from bench import lines, places, processes, report
from bench.house import BenchFailed, House
from bench.lines import Line, Spread
from bench.world import noon_zone
from db.engine import Ledger
from db.models import Feed, Goal, User
from simulators.beeminder import Beeminder
from simulators.bemserver import Bemserver
from simulators.server import LocalServer

FEEDS = 20  # of each source
CHANGED = 20  # one feed in so many
OF_PEER = 0.4
PATIENCE = 180.0
HOUR = 3600.0
PASSWORD = "password-of-the-bench"  # noqa: S105 -- made up, for loopback only


class Counting:
    """An app, and how often each path of it was asked for; ids in paths count as one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count, and pass it on."""
        if scope["type"] == "http":
            parts = [part for part in scope["path"].split("/") if part]
            kind = parts[-1] if parts else ""
            if kind.isdigit():
                kind = f"{parts[-2] if len(parts) > 1 else ''}/…"
            with self._lock:
                self.counts[f"{scope['method']} {kind}"] += 1
        await self._app(scope, receive, send)

    def asked(self) -> int:
        """How many requests, without logins."""
        with self._lock:
            return sum(n for kind, n in self.counts.items() if "auth" not in kind)


class World:
    """So many people with a source each."""

    def __init__(self, people: int) -> None:
        self.people = people
        self.plant, self.beeminder = Bemserver(), Beeminder()
        self.sources, self.sink = Counting(self.plant.app), Counting(self.beeminder.app)
        self.hour = int(time.time() // HOUR * HOUR - HOUR)
        for person in range(people):
            self.plant.state.add_user(f"bench{person}@example.org", PASSWORD, name=f"{person}")
            self.beeminder.state.add_user(
                f"bench{person}", timezone=noon_zone(), token=f"token-of-bench-{person:04d}"
            )
            for feed in range(FEEDS):
                self.beeminder.state.add_goal(
                    f"bench{person}", f"goal{feed}", kyoom=True, aggday="sum"
                )
                self.plant.state.add_series(
                    f"series {person} {feed}", values=[(self.hour, 1.0)], data_state="Clean"
                )

    def change(self) -> int:
        """Change the values of some; how many."""
        series = range(1, self.people * FEEDS + 1, CHANGED)
        for number in series:
            self.plant.state.set_values(number, [(self.hour, 2.0)], data_state="Clean")
        return len(series)

    def file(self, url: str) -> str:
        """The file that declares all of them."""
        text = []
        for person in range(self.people):
            text.append(
                f'[users.bench{person}]\ntoken = "token-of-bench-{person:04d}"\n'
                f'[sources.plant{person}]\nprovider = "bemserver"\nuser = "bench{person}"\n'
                f'url = "{url}"\nemail = "bench{person}@example.org"\npassword = "{PASSWORD}"\n'
            )
            text.extend(
                f'[feeds."bench{person}/goal{feed}"]\nsource = "plant{person}"\n'
                'metric = "timeseries_aggregate"\nevery = "24h"\n'
                f"params = {{ timeseries = {person * FEEDS + feed + 1}, "
                'aggregation = "sum", data_state = "Clean" }\n'
                for feed in range(FEEDS)
            )
        return "\n".join(text)


def main() -> int:
    """Measure, print, and return the exit status: 1 when Waggle breaks its promise."""
    given = _parser().parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like a Ctrl-C, in good order
    print(report.machine())
    try:
        with tempfile.TemporaryDirectory(prefix="waggle-requests-") as text, ExitStack() as stack:
            place = stack.enter_context(places.embedded(Path(text)))
            line = _measured(stack, Path(text), place, given.people)
    except BenchFailed as error:
        print(f"not measured: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130  # as a shell says it
    print(f"\n{lines.table([line])}")
    if given.json is not None:
        given.json.write_text(json.dumps(lines.document([line]), indent=2) + "\n")
    return 0 if line.holds else 1


def _measured(stack: ExitStack, folder: Path, place: places.Place, people: int) -> Line:
    world = World(people)
    source = stack.enter_context(LocalServer(world.sources))
    sink = stack.enter_context(LocalServer(world.sink))
    house = House(folder / "waggle", place, WAGGLE_BEEMINDER_URL=sink.url, WAGGLE_LOOKBACK_DAYS="0")
    file = house.folder / "waggle.toml"
    file.write_text(world.file(source.url))
    house.run("apply", str(file))
    with closing(Ledger(house.ledger_url)) as ledger:
        house.start(stack)
        began = time.time()
        _wait(ledger, house, 0.0, people * FEEDS)
        print(f"all were read for the first time after {time.time() - began:.0f} s", flush=True)
        time.sleep(3.0)  # what follows a first sync
        changed = world.change()
        before = world.sources.counts.copy(), world.sink.counts.copy()
        asked = world.sources.asked() + world.sink.asked()
        began = time.time()
        with ledger.write() as session:
            # As an hour later: what is known of people and goals has to be looked at again.
            session.connection().execute(update(User).values(facts_at=began - HOUR))
            session.connection().execute(update(Goal).values(facts_at=began - HOUR))
            session.connection().execute(update(Feed).values(due_at=began - 1.0))
        _wait(ledger, house, began, people * FEEDS)
        time.sleep(1.0)
    ours = world.sources.asked() + world.sink.asked() - asked
    for name, counting, at_first in (
        ("the sources", world.sources, before[0]),
        ("Beeminder", world.sink, before[1]),
    ):
        print(f"{name}: {dict(counting.counts - at_first)}")
    syncs = people * FEEDS
    print(f"{changed} of {syncs} had changed; the usual way reads and writes for each")
    return Line(
        what=f"HTTP requests for {syncs} scheduled syncs",
        ours=Spread((float(ours),)),
        beside="a read and a write each",
        theirs=Spread((2.0 * syncs,)),
        most=OF_PEER,
    )


def _wait(ledger: Ledger, house: House, since: float, feeds: int) -> None:
    """Until all feeds have been synced since then."""
    ends_at = time.monotonic() + PATIENCE
    done = 0
    while done < feeds:
        if time.monotonic() > ends_at:
            text = f"{done} of {feeds} feeds were synced"
            raise BenchFailed(f"{text}:\n{processes.tail(house.folder)}")
        time.sleep(0.3)
        with ledger.read() as session:
            synced = select(func.count()).where(col(Feed.last_synced_at) > since)
            done = session.connection().execute(synced).scalar_one()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.requests",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--people", type=int, default=50, help=f"each with {FEEDS} feeds")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
