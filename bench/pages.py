"""`python -m bench.pages`: how long each page takes, beside an empty one.

The ledger holds 1,000 feeds and 100,000 events (`bench.pages_world`); pages are those of an
operator, who sees all of it. Measured is the time from a request to the end of its answer, one
after the other on one connection to `waggle web`, and in the same run to the floor: an empty page
that Starlette and Jinja2 make.
"""

import argparse
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from bench import pages_world, places, processes, report
from db.engine import Ledger
from tests.webhooks import samples

HERE = Path(__file__).parents[1]
WAGGLE = Path(sys.executable).parent / "waggle"
FEEDS = 1000
OPENS_WITHIN = 30.0
FLOOR = "an empty page"
WIDTH = 40

PROMISED = 0.100  # seconds, of 95 in 100 answers


@dataclass(frozen=True, slots=True)
class Took:
    """What one page took: seconds, and the bytes of its HTML before it is packed."""

    place: str
    page: str
    median: float
    p95: float
    bytes: int

    @property
    def holds(self) -> bool:
        """Does it keep what is promised?"""
        return self.p95 <= PROMISED


class Missed(Exception):  # noqa: N818 -- says what happened
    """Something did not start, or a page was not there; nothing can be measured."""


def main() -> int:
    """Measure, print, and return the exit status: 1 when a page breaks its promise."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--feeds", type=int, default=FEEDS)
    parser.add_argument("--times", type=int, default=100, help="how often each page is asked for")
    parser.add_argument("--places", nargs="+", choices=places.PLACES, default=list(places.PLACES))
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like a Ctrl-C, in good order
    print(report.machine())
    found: list[Took] = []
    for place in given.places:
        try:
            for took in measured(place, feeds=given.feeds, times=given.times):
                found.append(took)
                print(_line(took, found), flush=True)
        except places.Missing as error:
            print(f"\n== {place} is left out: {error}")
        except Missed as error:
            print(f"not measured: {error}")
            return 1
        except KeyboardInterrupt:
            return 130  # as a shell says it
    if given.json is not None:
        given.json.write_text(json.dumps([asdict(took) for took in found], indent=2) + "\n")
    return 0 if found and all(took.holds for took in found) else 1


def measured(name: str, *, feeds: int, times: int) -> Iterator[Took]:
    """The floor, and then every page, at one place."""
    with tempfile.TemporaryDirectory(prefix="waggle-pages-") as text, ExitStack() as stack:
        folder = Path(text)
        place = stack.enter_context(places.PLACES[name](folder))
        print(f"\n== {place.name}, {feeds} feeds and {feeds * 100} events")
        environment = processes.environment(
            WAGGLE_HOME=str(folder / "home"),
            WAGGLE_LOG_LEVEL="warning",
            WAGGLE_CALLBACK_SECRETS="a-callback-secret-of-the-bench-0123456789",
            PORT=str(processes.free_port()),
            **place.waggle,
        )
        _run(environment, folder, "migrate")
        names = _fill(environment, folder, feeds)
        floor = str(processes.free_port())
        commands: list[list[str | Path]] = [
            [WAGGLE, "web"],
            [sys.executable, HERE / "bench" / "pages_floor.py", "--port", floor],
        ]
        stack.enter_context(processes.running(commands, folder=folder, environment=environment))
        link = _run(environment, folder, "login", "--user", "alice").splitlines()[-1].strip()
        with httpx.Client(base_url=f"http://127.0.0.1:{floor}") as client:
            yield _took(client, place.name, FLOOR, "/", times)
        with httpx.Client(base_url=link.partition("/login")[0], timeout=60.0) as client:
            _answer(client, link)
            for look in samples.looks():
                if look.known(names):
                    yield _took(client, place.name, look.name, look.address(names), times)


def _took(client: httpx.Client, place: str, page: str, address: str, times: int) -> Took:
    answer = _answer(client, address)  # the first one compiles the template
    if answer.status_code != httpx.codes.OK:
        raise Missed(f"{page} answers {answer.status_code}")
    took = []
    for _ in range(times):
        began = time.perf_counter()
        client.get(address)
        took.append(time.perf_counter() - began)
    cuts = statistics.quantiles(took, n=20)
    return Took(place, page, statistics.median(took), cuts[-1], len(answer.content))


def _answer(client: httpx.Client, address: str) -> httpx.Response:
    """An answer of a server that may still have to start."""
    ends_at = time.monotonic() + OPENS_WITHIN
    while True:
        try:
            return client.get(address)
        except httpx.ConnectError:
            if time.monotonic() > ends_at:
                raise Missed(f"nobody serves {client.base_url}") from None
            time.sleep(0.1)


def _fill(environment: Mapping[str, str], folder: Path, feeds: int) -> dict[str, str]:
    url = environment.get("DATABASE_URL", f"sqlite:///{folder / 'home' / 'waggle.db'}")
    with closing(Ledger(url)) as ledger:
        return pages_world.fill(ledger, feeds=feeds, now=time.time())


def _run(environment: Mapping[str, str], folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [WAGGLE, *arguments],
        env=dict(environment),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise Missed(f"waggle {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


def _line(took: Took, found: list[Took]) -> str:
    floor = next(each for each in found if each.place == took.place)
    kept = "" if took.holds else "   BREAKS ITS PROMISE"
    page = took.page if len(took.page) <= WIDTH else took.page[: WIDTH - 1] + "…"
    return (
        f"{page:{WIDTH}} {took.median * 1000:7.1f} ms (p95 {took.p95 * 1000:6.1f} ms)"
        f"{took.median / floor.median:7.1f} of the floor {took.bytes / 1000:7.1f} KB{kept}"
    )


if __name__ == "__main__":
    sys.exit(main())
