"""A process of its own that asks for turns; run by `test_quotas`."""

import sys

from db import quotas
from db.engine import Ledger


def ask(url: str, *, now: float, count: int, step: float, interval: float, tolerance: float):
    """The turns of so many requests, `step` seconds apart by a clock that is moved by hand."""
    ledger, turns = Ledger(url), []
    for number in range(count):
        with ledger.write() as session:
            at = now + number * step
            quotas.ensure(session, "k")
            turns.append(
                (at, quotas.reserve(session, "k", now=at, interval=interval, tolerance=tolerance))
            )
    ledger.close()
    return turns


if __name__ == "__main__":
    url, *numbers = sys.argv[1:]
    now, step, interval, tolerance = (float(number) for number in numbers[1:])
    for at, turn in ask(
        url, now=now, count=int(numbers[0]), step=step, interval=interval, tolerance=tolerance
    ):
        print(repr(at), repr(turn.at), int(turn.granted))  # noqa: T201 -- read by the test
