"""All promises, one after the other, each at a vendor of its own."""

from collections.abc import Iterator

from tasks.providers import Provider
from tasks.trial import Trial
from worker.kit import (
    answering,
    failing,
    keeping,
    limiting,
    looking,
    reading_only,
    shape,
)
from worker.kit.promises import Outcome, Promise, told, tried
from worker.kit.stage import PATIENCE, Stage
from worker.kit.vendor import Vendor

PROMISES: tuple[Promise, ...] = (
    *shape.PROMISES,
    *answering.PROMISES,
    *failing.PROMISES,
    *limiting.PROMISES,
    *reading_only.PROMISES,
    *keeping.PROMISES,
    *looking.PROMISES,
)
NO_TRIAL = "not proven: there is no trial to play the vendor by"
WRITE_ONE = "write a TRIAL (tasks.trial.Trial) as examples/waggle-json/waggle_json/trial.py does"
_NOBODY = Trial(settings=lambda _url: {}, answers={}, feeds=())


def run(
    provider: Provider, trial: Trial | None, *, patience: float = PATIENCE
) -> Iterator[Outcome]:
    """Try to break each promise; what can't be tried without a trial is broken: it is not proven.

    `patience`: seconds for one question.
    """
    fits: Outcome | None = None
    for promise in PROMISES:
        if promise.needs_trial and trial is None:
            yield Outcome(promise.name, promise.sentence, "broken", (NO_TRIAL,), WRITE_ONE)
            continue
        if promise.needs_trial and fits is None:
            fits = _fits(provider, trial or _NOBODY)
            if fits.state == "broken":
                yield fits
        if promise.needs_trial and fits is not None and fits.state == "broken":
            continue
        # A vendor of its own: a question that hangs goes on asking, and would be counted.
        with Vendor(trial or _NOBODY) as vendor:
            yield tried(promise, Stage(provider, trial or _NOBODY, vendor, patience=patience))


def _fits(provider: Provider, trial: Trial) -> Outcome:
    """Can the trial be played at all? If it can't, every other line would say so."""
    problems = []
    with Vendor(trial) as vendor:
        stage = Stage(provider, trial, vendor)
        try:
            stage.settings()
        except Exception as error:  # noqa: BLE001 -- of a stranger's code, and told by name
            problems.append(f"its settings are refused: {told(error)}")
        for feed in [*trial.feeds, *filter(None, [trial.absent])]:
            if feed.metric not in provider.metrics:
                problems.append(f"there is no metric {feed.metric}")
                continue
            try:
                stage.params(feed)
                [feed.on(day.daystamp) for day in trial.days]
            except KeyError as error:
                problems.append(f"{feed.metric}: nothing is expected for {error}")
            except Exception as error:  # noqa: BLE001 -- as above
                problems.append(f"{feed.metric}: {told(error)}")
    if not trial.feeds:
        problems.append("it names no feeds")
    sentence = "The trial fits the provider, so that the other promises can be tried."
    if not problems:
        return Outcome("the trial fits", sentence, "ok")
    remedy = "mend the trial; see tasks.trial.Trial"
    return Outcome("the trial fits", sentence, "broken", tuple(problems), remedy)
