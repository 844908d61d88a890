"""`make bench`: each figure of the README beside its peer, in one run."""

import argparse
import json
import logging
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench import ours, places, plan, report, theirs, world
from bench.figures import Figures
from bench.house import BenchFailed
from bench.plan import Plan
from bench.scenarios import Scenarios


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit status: 1 when Waggle breaks a promise.

    A place that this machine has no servers for is left out by name, and fails if it was asked for.
    """
    given = _parser().parse_args(arguments)
    chosen = Plan(
        kinds=tuple(given.kinds),
        scenarios=tuple(given.scenarios),
        sides=tuple(given.sides),
        workers=tuple(given.workers),
        places=tuple(given.places or places.PLACES),
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like a Ctrl-C, in good order
    logging.getLogger("httpx").setLevel(logging.WARNING)
    print(report.machine())
    figures: list[Figures] = []
    failed = False
    try:
        for found in run(chosen, strict=given.places is not None):
            figures.append(found)
            print(report.line(found), flush=True)
    except (BenchFailed, places.Missing) as error:
        print(error, file=sys.stderr)
        failed = True
    except KeyboardInterrupt:
        failed = True
    if given.json is not None:
        given.json.write_text(json.dumps(report.document(figures), indent=2) + "\n")
    return 1 if failed or not report.holds(figures) else 0


def run(chosen: Plan, *, strict: bool) -> Iterator[Figures]:
    """Every measurement of a plan, one after another; `places.Missing` is raised if `strict`."""
    for name in chosen.places:
        for workers in chosen.workers:
            with tempfile.TemporaryDirectory(prefix="waggle-bench-") as text:
                try:
                    yield from _measured(chosen, name, workers, Path(text))
                except places.Missing as error:
                    if strict:
                        raise
                    print(f"\n== {name}: skipped: {error}", file=sys.stderr)


def _measured(chosen: Plan, name: str, workers: int, folder: Path) -> Iterator[Figures]:
    with places.PLACES[name](folder) as place:
        print(report.head(place.name, workers), flush=True)
        for side in chosen.sides:
            made = ours.Waggle if side == "waggle" else theirs.Peer
            below = folder / side
            below.mkdir()
            with (
                world.running(accounts=chosen.accounts, feeds=chosen.feeds) as servers,
                made(below, chosen, servers, place).working(workers) as at_work,
            ):
                yield from Scenarios(
                    chosen, servers, at_work, place=place.name, workers=workers
                ).run()


def _parser() -> argparse.ArgumentParser:
    usual = Plan()
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    for option, choices in (
        ("scenarios", plan.SCENARIOS),
        ("kinds", plan.KINDS),
        ("sides", plan.SIDES),
    ):
        parser.add_argument(f"--{option}", nargs="+", choices=choices, default=choices)
    parser.add_argument("--places", nargs="+", choices=tuple(places.PLACES))
    parser.add_argument("--workers", nargs="+", type=int, default=usual.workers)
    parser.add_argument("--json", type=Path, help="also write all figures to this file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
