"""The chaos ring from a command line: `python -m tests.chaos --help`."""

import argparse
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.chaos import plan
from tests.chaos.run import run, temporary
from tests.chaos.scene import Size

EXAMPLES = """
examples:
  python -m tests.chaos --seed 7 --place postgresql+rabbitmq --minutes 1
  python -m tests.chaos --seeds 20 --minutes 1       what `make chaos` runs: places in turns
  python -m tests.chaos --seed 7 --plan              only says what would be done
  python -m tests.chaos --seed 7 --keep DIR          leaves logs and ledger there

A seed makes the same plan at the same place every time. What the processes make of it depends on
the machine, so a run that broke a promise may have to be repeated a few times.
"""


def main() -> int:
    """0: every promise was kept in every run; 1: one was broken."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description="Breaks everything around Waggle, and looks whether Beeminder still gets it.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, help="one run with this seed")
    parser.add_argument("--seeds", type=int, default=20, help="else the seeds 1 to N (20)")
    parser.add_argument("--place", choices=plan.PLACES, help="here only; else places in turns")
    parser.add_argument("--minutes", type=float, default=1.0, help="of trouble for each seed (1)")
    parser.add_argument("--people", type=int, default=15, help="with twelve goals each (15)")
    parser.add_argument("--clients", type=int, default=300, help="that call at once (300)")
    parser.add_argument("--hold", type=float, default=20.0, help="WAGGLE_HOLD_SECONDS (20)")
    parser.add_argument("--plan", action="store_true", help="print the plan, do nothing")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="copy what a run leaves to DIR")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is to be ended
    seeds = [asked.seed] if asked.seed is not None else range(1, asked.seeds + 1)
    size = Size(
        seconds=60 * asked.minutes,
        people=asked.people,
        goals=12,
        clients=asked.clients,
        hold=asked.hold,
    )
    broken = []
    for seed in seeds:
        place = asked.place or plan.PLACES[seed % len(plan.PLACES)]
        print(f"== seed {seed}, {place}, {size.seconds:.0f} s")
        for fault in plan.make(seed, place, seconds=size.seconds, gap=size.gap):
            print(f"  {fault}")
        if not asked.plan and not _play(seed, place, size, asked.keep):
            broken.append(f"--seed {seed} --place {place} --minutes {asked.minutes:g}")
    for words in broken:
        print(f"BROKEN: repeat it with python -m tests.chaos {words}")
    return 1 if broken else 0


def _play(seed: int, place: str, size: Size, keep: Path | None) -> bool:
    began = time.monotonic()
    with temporary() as folder:
        try:
            verdict = run(seed, place, size, folder=Path(folder), say=_live)
        except pytest.skip.Exception as missing:
            _live("")
            print(f"\rskipped: {missing}")
            return True
        finally:
            if keep is not None:
                target = keep / f"{seed}-{place}"
                shutil.copytree(folder, target, dirs_exist_ok=True, ignore_dangling_symlinks=True)
    _live("")
    print(f"\r{verdict}\n{time.monotonic() - began:.0f} s in all", flush=True)
    return verdict.holds


def _live(line: str) -> None:
    """One line that is written over, where somebody looks; else each."""
    if sys.stdout.isatty():
        sys.stdout.write(f"\r\033[K{line[:110]}")
    elif line:
        sys.stdout.write(f"  {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
