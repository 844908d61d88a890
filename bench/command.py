"""What the measuring commands have in common: run to the end or say why not, print, judge."""

import argparse
import json
import signal
import sys
from collections.abc import Callable, Iterable, Iterator

from bench import lines, places, report
from bench.house import BenchFailed
from bench.lines import Line


def run(given: argparse.Namespace, measure: Callable[[], Iterable[Line]], **facts: object) -> int:
    """Measure, print, and return the exit status: 1 when Waggle breaks a promise.

    `given.json`: a file that gets the lines too, with the `facts` of the run.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like a Ctrl-C, in good order
    print(report.machine())
    try:
        found = list(measure())
    except BenchFailed as error:
        print(f"not measured: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130  # as a shell says it
    print(f"\n{lines.table(found)}")
    if given.json is not None:
        given.json.write_text(json.dumps(lines.document(found, **facts), indent=2) + "\n")
    return 0 if found and all(line.holds for line in found) else 1


def at_each(names: Iterable[str], measured: Callable[[str], Iterable[Line]]) -> Iterator[Line]:
    """The lines of all places; one that this machine has no servers for is left out by name."""
    for name in names:
        try:
            yield from measured(name)
        except places.Missing as error:
            print(f"{name} is left out: {error}")
