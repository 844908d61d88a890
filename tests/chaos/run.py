"""One run: everything is started, broken by its plan, healed, and judged when it is quiet."""

import contextlib
import logging
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.chaos import plan
from tests.chaos.scene import Scene, Size
from tests.chaos.verdict import Verdict, judge


def run(
    seed: int,
    place: str,
    size: Size,
    *,
    folder: Path,
    say: Callable[[str], None] = lambda _line: None,
) -> Verdict:
    """Play the plan of this seed at this place; skips the test by name where something is missing.

    Logs, the ledger and the calls that vendors got are in `folder` afterwards.
    """
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    faults = plan.make(seed, place, seconds=size.seconds, gap=size.gap)
    with contextlib.ExitStack() as stack:
        scene = Scene(stack, seed, place, size, folder)
        scene.start(say)
        began = time.monotonic()
        scene.scenery.end_runs(within=size.seconds)
        scene.weather.bad = True
        scene.callers.start()
        scene.hands.carry_out(
            faults, lambda fault: say(f"{_progress(scene, began)}  {fault.what} {fault.whom}")
        )
        time.sleep(max(0.0, began + size.seconds - time.monotonic()))
        say(f"{_progress(scene, began)}  the last callbacks")
        scene.callers.finish()
        scene.weather.bad = False
        scene.hands.heal()
        healed = time.monotonic()
        left = scene.wait_until_quiet(say)
        quiet = time.monotonic() - healed
        late = scene.keeper.close()
        calls = (f"{one.at:.3f} {one.key} {one.path}\n" for one in scene.weather.arrivals)
        (folder / "calls").write_text("".join(calls))
        verdict = judge(scene, left, late)
        verdict.told.append(f"quiet {quiet:.1f} s after the last trouble")
    return verdict


def _is_news(record: logging.LogRecord) -> bool:
    """A socket whose other end was gone before it was open: here that is as it should be."""
    return "without completing handshake" not in record.getMessage()


def _progress(scene: Scene, began: float) -> str:
    made = scene.callers.made
    counts = Counter(callback.said or callback.error or "open" for callback in made)
    shown = ", ".join(f"{count} {name}" for name, count in counts.most_common(4))
    return f"{time.monotonic() - began:5.1f} s  {len(made)} callbacks ({shown})"


def temporary() -> tempfile.TemporaryDirectory[str]:
    """A folder for a run, in memory where there is one."""
    shm = Path("/dev/shm")  # noqa: S108 -- a folder with a name of its own in it
    return tempfile.TemporaryDirectory(
        prefix="chaos-", dir=shm if os.access(shm, os.W_OK) else None
    )
